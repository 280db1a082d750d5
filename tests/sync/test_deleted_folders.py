"""A folder that is deleted in Outlook moves below Deleted Items, with all that is in it."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from flask_ms365 import Change
from flask_ms365.models import Folder, Message
from tests.sync.conftest import Synced


@pytest.fixture
def project(synced: Synced) -> str:
    """Return the id of a folder with two messages that were synced."""
    folder = synced.mailbox.create_folder("Projects")
    for number in range(2):
        synced.mailbox.deliver(subject=f"Plan {number}", text="x", folder="Projects")
    synced.sync()
    synced.told.clear()
    return folder


def _reasons(synced: Synced) -> list[str | None]:
    with synced.host.app.app_context():
        return list(synced.session.scalars(select(Message.removed_reason)))


def test_its_messages_are_removed_with_it(synced: Synced, project: str) -> None:
    synced.mailbox.move_folder(project, "deleteditems")
    synced.sync()

    assert _reasons(synced) == ["unselected", "unselected"]
    assert [change for _, change in synced.told] == [Change.REMOVED, Change.REMOVED]


def test_its_messages_come_back_with_it(synced: Synced, project: str) -> None:
    synced.mailbox.move_folder(project, "deleteditems")
    synced.sync()
    synced.mailbox.move_folder(project, "msgfolderroot")
    synced.sync()

    assert _reasons(synced) == [None, None]
    assert synced.differences() == []


def test_a_folder_that_people_chose_is_read_there_too(synced: Synced, project: str) -> None:
    with synced.host.app.app_context():
        synced.session.execute(update(Folder).where(Folder.graph_id == project).values(selected=True))
        synced.session.commit()
    synced.mailbox.move_folder(project, "deleteditems")
    synced.sync()

    assert _reasons(synced) == [None, None]


def test_a_folder_that_people_do_not_want_any_more_keeps_its_mail(synced: Synced, project: str) -> None:
    with synced.host.app.app_context():
        synced.session.execute(update(Folder).where(Folder.graph_id == project).values(selected=False))
        synced.session.commit()
    synced.sync()

    assert (_reasons(synced), synced.told) == ([None, None], [])
