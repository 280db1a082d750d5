"""What can go wrong while folders are listed, and what then."""

from __future__ import annotations

from flask_ms365.sync.report import Result
from tests.sync.conftest import Synced


def test_a_list_of_folders_that_expires_between_two_pages_is_no_matter_for_people(synced: Synced) -> None:
    synced.mailbox.deliver(subject="Hello")
    body = {"error": {"code": "SyncStateNotFound", "message": "Full sync required."}}
    synced.simulator.fail_next(r"/mailFolders/delta$", 410, body)
    report = synced.run()
    assert (report.result, report.needs_a_person) == (Result.UNAVAILABLE, False)
