"""The policy as people meet it: a sync stores what is attached, in its own time."""

from __future__ import annotations

import pytest

from flask_ms365.content import missing
from flask_ms365.errors import NotFound
from flask_ms365.sync.report import Result, RunReport
from tests.conftest import Clock
from tests.content.conftest import File, Kept

SMALL = File(name="small.txt", content_type="text/plain", content=b"small")


def tick(kept: Kept) -> list[RunReport]:
    with kept.host.app.app_context():
        return list(kept.host.ms365.tick().runs)


def deliver(kept: Kept, *files: File) -> None:
    kept.mailbox.deliver(attachments=files or (SMALL,))


def test_a_sync_stores_what_its_mail_brings(kept_anywhere: Kept) -> None:
    kept_anywhere.policy(1)
    deliver(kept_anywhere)
    tick(kept_anywhere)
    assert list(kept_anywhere.stored().values()) == [b"small"]


def test_a_mailbox_without_new_mail_gets_what_a_new_policy_asks_for(kept: Kept, clock: Clock) -> None:
    deliver(kept)
    tick(kept)
    kept.policy(1)
    clock.advance(minutes=6)
    tick(kept)
    assert list(kept.stored().values()) == [b"small"]


def test_a_long_backlog_takes_several_turns(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(missing, "_AT_ONCE", 2)
    kept.policy(1)
    deliver(kept, *[SMALL] * 5)
    assert [report.has_more for report in tick(kept)] == [True, True, False]
    assert len(kept.stored()) == 5


def test_throttled_contents_let_the_run_say_so_and_lose_no_mail(kept: Kept) -> None:
    kept.policy(1)
    deliver(kept)
    kept.simulator.fail_next(r"/\$value", 429, headers={"Retry-After": "600"})
    assert [report.result for report in tick(kept)] == [Result.THROTTLED]
    assert len(kept.ids(1)) == 1


def test_links_to_attachments_last_when_their_message_changes(kept: Kept, clock: Clock) -> None:
    deliver(kept)
    tick(kept)
    before = kept.ids(1)
    kept.mailbox.update(kept.mailbox.messages()[0].id, subject="Changed")
    clock.advance(minutes=6)
    tick(kept)
    assert kept.ids(1) == before
    assert b"".join(kept.contents.attachment(before[0])) == b"small"


def test_an_attachment_of_a_deleted_message_is_given_while_it_is_stored(kept: Kept, clock: Clock) -> None:
    deliver(kept, SMALL, File(name="large.bin", content=bytes(2 * 1024 * 1024)))
    kept.policy(1)
    tick(kept)
    kept.mailbox.delete(kept.mailbox.messages()[0].id)
    clock.advance(minutes=6)
    tick(kept)
    small, large = kept.ids(1)
    assert b"".join(kept.contents.attachment(small)) == b"small"
    with pytest.raises(NotFound):
        kept.contents.attachment(large)
