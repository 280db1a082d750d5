"""A message that Graph cannot read, when it is asked for alone."""

from __future__ import annotations

from tests.sync.conftest import Synced


def test_a_corrupt_message_that_moved_keeps_no_other_from_being_read(synced: Synced) -> None:
    corrupt = synced.mailbox.deliver(subject="Corrupt", folder="archive")
    synced.sync()
    synced.mailbox.move(corrupt, "inbox")
    synced.mailbox.fail_message(corrupt)
    synced.mailbox.deliver(subject="Good", folder="sentitems")
    synced.sync()
    assert synced.subjects()["Good"] == "Sent Items"
