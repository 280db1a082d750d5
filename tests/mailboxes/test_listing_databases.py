"""The list, the days, the folders and the runs of a mailbox, as each database tells them."""

from __future__ import annotations

from typing import Any

from flask_ms365.mailboxes.charts import messages_a_day
from flask_ms365.mailboxes.figures import folder_figures, list_runs
from flask_ms365.mailboxes.listing import STATES, Place, Wanted, list_mailboxes, these_mailboxes
from flask_ms365.mailboxes.status import status_of
from flask_ms365.models import Mailbox
from tests.conftest import Clock
from tests.sync.conftest import Synced


def listed(synced: Synced, clock: Clock, wanted: Wanted, **place: Place) -> list[Any]:
    with synced.host.app.app_context():
        settings = synced.host.ms365.settings.read()
        return list(list_mailboxes(synced.session, wanted, settings=settings, now=clock(), **place).mailboxes)


def test_a_mailbox_is_found_where_it_stands(synced: Synced, clock: Clock) -> None:
    synced.sync()
    (row,) = listed(synced, clock, Wanted(text="ANA@", state="up_to_date"))
    assert (row.address, row.state, STATES[row.rank]) == ("ana@contoso.example", "up_to_date", "up_to_date")
    assert listed(synced, clock, Wanted(), after=Place(row.rank - 1, row.id)) == [row]
    assert listed(synced, clock, Wanted(), before=Place(row.rank, row.id + 1)) == [row]
    assert listed(synced, clock, Wanted(), after=Place(row.rank, row.id)) == []
    with synced.host.app.app_context():
        settings = synced.host.ms365.settings.read()
        assert these_mailboxes(synced.session, [99, row.id], settings=settings, now=clock()) == [row]


def test_its_days_folders_and_runs_are_counted(synced: Synced, clock: Clock) -> None:
    synced.mailbox.deliver(subject="Today")
    synced.mailbox.fail_message(synced.mailbox.deliver(subject="Broken"), in_pages=True)
    synced.sync()
    with synced.host.app.app_context():
        mailbox = synced.session.query(Mailbox).one()
        settings = synced.host.ms365.settings.read()
        status = status_of(synced.session, mailbox, settings=settings, now=clock())
        days = messages_a_day(synced.session, [mailbox.id], days=3, now=clock())[mailbox.id]
        (run,) = list_runs(synced.session, mailbox.id).runs
    figures = {folder.well_known_name: (folder.is_read, folder.stored) for folder in folder_figures(status)}
    assert (figures["inbox"], figures["junkemail"]) == ((True, 1), (False, 0))
    assert (days.total, status.message_count, status.set_aside_count, run.created) == (1, 1, 1, 1)
