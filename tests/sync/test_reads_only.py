"""Mail is read, and nothing is ever changed or sent at Microsoft: so nothing there can be lost by us."""

from __future__ import annotations

from flask_ms365.identity.scopes import SCOPES, SHARED_SCOPES
from flask_ms365.simulator import Mailbox
from tests.sync.conftest import Synced


def test_no_permission_to_change_or_send_is_asked_for() -> None:
    asked = {*SCOPES, *SHARED_SCOPES}
    assert asked == {"openid", "profile", "offline_access", "User.Read", "Mail.Read", "Mail.Read.Shared"}


def test_whatever_happens_to_mail_graph_is_only_read(synced: Synced) -> None:
    box = synced.mailbox
    first, second = _letter(box, "Flagged"), _letter(box, "Gone")
    synced.sync()
    box.update(first, flag="flagged", categories=["Red"])
    box.mark_read(first)
    box.delete(second)
    synced.sync()
    asked = {(record.method, record.path) for record in synced.simulator.requests if record.path.startswith("/v1.0")}
    assert {method for method, path in asked if not path.endswith("/$batch")} == {"GET"}


def test_what_people_do_in_outlook_arrives_flags_and_categories_too(synced: Synced) -> None:
    letter = _letter(synced.mailbox, "Offer")
    synced.sync()
    synced.mailbox.update(letter, flag="flagged", categories=["Red"])
    synced.mailbox.mark_read(letter)
    synced.mailbox.move(letter, "archive")
    synced.sync()
    assert synced.differences() == []


def _letter(box: Mailbox, subject: str) -> str:
    return box.deliver(subject=subject, text="Hello", sender=("Bo", "bo@northwind.example"))
