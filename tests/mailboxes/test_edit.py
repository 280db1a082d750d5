"""Two admins change one mailbox at the same moment, on each database: what the second one did not see is not undone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import select

from flask_ms365.errors import MailboxRefused
from flask_ms365.mailboxes.edit import Chosen, SavedMeanwhile
from flask_ms365.mailboxes.readers import Readers
from flask_ms365.models import Mailbox, Reader
from flask_ms365.state import current_state
from tests.conftest import Host
from tests.identity.conftest import session_of
from tests.mailboxes.test_readers import add, store

__all__ = ["store"]


def save(host: Host, mailbox_id: int, label: str, *users: str, version: str) -> str:
    """Save as an admin does who opened the page when ``version`` was stored; return what came of it."""
    wanted = Chosen(label=label, owner_id="", readers=Readers(users=frozenset(users)))
    with host.app.app_context():
        try:
            current_state().editing.save(mailbox_id, wanted, version=version, actor="ana")
        except SavedMeanwhile:
            return "saved meanwhile"
        except MailboxRefused as exc:
            return exc.field
    return "saved"


def version_of(host: Host, mailbox_id: int) -> str:
    with host.app.app_context():
        return current_state().editing.look_at(session_of(host).get_one(Mailbox, mailbox_id)).version


def test_one_of_two_who_save_at_once_is_told_of_the_other(store: Host) -> None:
    mailbox_id = add(store, "support")
    version = version_of(store, mailbox_id)
    with ThreadPoolExecutor(4) as pool:
        results = sorted(
            pool.map(lambda user: save(store, mailbox_id, "Help", user, version=version), ("ana", "ben", "kim", "kit"))
        )
    assert results == ["saved", "saved meanwhile", "saved meanwhile", "saved meanwhile"]
    with store.app.app_context():
        assert len(session_of(store).scalars(select(Reader).where(Reader.mailbox_id == mailbox_id)).all()) == 1


def test_two_mailboxes_do_not_get_one_name_at_once(store: Host) -> None:
    ids = [add(store, f"mailbox {number}") for number in range(4)]
    versions = [version_of(store, mailbox_id) for mailbox_id in ids]
    with ThreadPoolExecutor(4) as pool:
        results = sorted(
            pool.map(lambda each: save(store, each[0], "Help", version=each[1]), zip(ids, versions, strict=True))
        )
    assert results == ["label", "label", "label", "saved"]


def test_what_postgresql_does_not_take_is_left_out(store: Host) -> None:
    mailbox_id = add(store, "support")
    assert save(store, mailbox_id, "He\0lp ", version=version_of(store, mailbox_id)) == "saved"
    with store.app.app_context():
        assert session_of(store).get_one(Mailbox, mailbox_id).label == "Help"


def test_names_are_compared_as_they_are_written(store: Host) -> None:
    """Of letters beyond ASCII SQLite knows no capitals; the same word is the same word all the same."""
    first, second = add(store, "one"), add(store, "two")
    assert save(store, first, "BÜRO", version=version_of(store, first)) == "saved"
    assert save(store, second, "BÜRO", version=version_of(store, second)) == "label"
