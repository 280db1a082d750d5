"""Contents stored by policy: which, when, once, and on after whatever stops it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, text, update

from flask_ms365.content import missing
from flask_ms365.errors import LeaseLost, SyncSwitchedOff, Throttled
from flask_ms365.models import Attachment, Mailbox, Message
from flask_ms365.sync.lease import take_away
from tests.conftest import Clock
from tests.content.conftest import File, Kept

MB = 1024 * 1024
SMALL = File(name="small.txt", content_type="text/plain", content=b"small")
LARGE = File(name="large.bin", content=bytes(2 * MB))
CONTENTS = "/$value"


@pytest.fixture
def storing(kept: Kept) -> Kept:
    """Return a mailbox whose attachments are stored up to one megabyte."""
    kept.policy(1)
    return kept


def test_nothing_is_stored_by_default(kept: Kept) -> None:
    kept.file(SMALL)
    assert (kept.fetch(), kept.stored(), kept.requests(CONTENTS)) == (False, {}, 0)


def test_files_and_items_are_stored_and_links_are_not(kept_anywhere: Kept) -> None:
    kept_anywhere.policy(1)
    item = File(name="Inside", content=b"Subject: Inside\r\n\r\n", kind="item")
    link = File(name="Plan.docx", kind="reference")
    small, inside, _ = kept_anywhere.ids(kept_anywhere.deliver(SMALL, item, link))
    assert not kept_anywhere.fetch()
    assert kept_anywhere.stored() == {small: SMALL.content, inside: item.content}


def test_what_is_larger_than_a_small_column_is_stored_whole(kept_anywhere: Kept) -> None:
    """MySQL's BLOB ends at 64 KB, and a packet of it may end at 16 MB."""
    kept_anywhere.policy(4)
    content = bytes(range(256)) * 12_000
    attachment = kept_anywhere.file(File(name="a.bin", content=content))
    kept_anywhere.fetch()
    assert kept_anywhere.stored() == {attachment: content}


def test_what_is_larger_than_the_policy_stays_with_microsoft(storing: Kept) -> None:
    small, _ = storing.ids(storing.deliver(SMALL, LARGE))
    storing.fetch()
    assert (set(storing.stored()), storing.requests(CONTENTS)) == ({small}, 1)


def test_what_turns_out_larger_is_asked_for_once(storing: Kept) -> None:
    """Microsoft's size of an item is not that of its MIME."""
    item = storing.file(File(name="Inside", content=bytes(MB + 1), kind="item"))
    with storing.host.app.app_context():
        storing.session.execute(update(Attachment).values(size=1000))
        storing.session.commit()
    for _ in range(2):
        storing.fetch()
    assert (storing.stored(), storing.row(item).content_error, storing.requests(CONTENTS)) == ({}, "tooLarge", 1)


def test_what_is_stored_is_not_fetched_again(storing: Kept) -> None:
    storing.file(SMALL)
    for _ in range(3):
        storing.fetch()
    assert storing.requests(CONTENTS) == 1


def test_what_is_stored_is_given_without_asking_microsoft(storing: Kept) -> None:
    attachment = storing.file(File(name="b.bin", content_type="image/png", content=bytes(200_000)))
    storing.fetch()
    storing.simulator.requests.clear()
    content = storing.contents.attachment(attachment)
    chunks = list(content)
    assert (content.name, content.content_type, content.size) == ("b.bin", "image/png", 200_000)
    assert (b"".join(chunks), max(map(len, chunks)), len(storing.simulator.requests)) == (bytes(200_000), 65536, 0)


def test_a_stored_item_is_known_for_what_it_is(storing: Kept) -> None:
    attachment = storing.file(File(name="Ana", content=b"BEGIN:VCARD\r\n", kind="item"))
    storing.fetch()
    content = storing.contents.attachment(attachment)
    assert (content.name, content.content_type) == ("Ana.vcf", "text/vcard")


def test_a_larger_policy_fetches_what_is_missing(storing: Kept) -> None:
    small, large = storing.ids(storing.deliver(SMALL, LARGE))
    storing.fetch()
    storing.policy(3)
    storing.fetch()
    assert set(storing.stored()) == {small, large}


def test_off_again_keeps_what_is_stored(storing: Kept) -> None:
    first = storing.file(SMALL)
    storing.fetch()
    storing.policy(0)
    storing.file(SMALL)
    storing.fetch()
    assert set(storing.stored()) == {first}


def test_mail_that_was_removed_is_left_out(storing: Kept, clock: Clock) -> None:
    message = storing.deliver(SMALL)
    with storing.host.app.app_context():
        storing.session.get(Message, message).removed_at = clock()
        storing.session.commit()
    storing.fetch()
    assert storing.requests(CONTENTS) == 0


def test_a_run_stores_some_and_says_that_there_are_more(storing: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(missing, "_AT_ONCE", 2)
    ids = storing.ids(storing.deliver(*[SMALL] * 5))
    more = [storing.fetch() for _ in range(3)]
    assert (more, list(storing.stored())) == ([True, True, False], ids)


def test_a_worker_that_stops_leaves_the_rest(storing: Kept) -> None:
    storing.deliver(*[SMALL] * 3)
    answers = iter([False, True])
    with storing.run() as lease:
        graph = storing.state.runner.clients.of(lease.mailbox_id)
        found = storing.state.missing_contents.fetch(lease.mailbox_id, graph, lease, is_stopping=lambda: next(answers))
    assert (found, len(storing.stored())) == (True, 1)


@pytest.mark.parametrize("code", ["ErrorCannotOpenFileAttachment", "ErrorCorruptData"])
def test_a_damaged_one_is_noted_once_and_the_others_are_stored(storing: Kept, code: str) -> None:
    bad, good = storing.ids(storing.deliver(File(name="bad", content=b"x"), SMALL))
    storing.mailbox.fail_attachment(storing.mailbox.messages()[0].id, "bad", code=code)
    for _ in range(3):
        storing.fetch()
    assert (storing.row(bad).content_error, set(storing.stored())) == (code, {good})
    assert storing.requests(CONTENTS) == 2


def test_one_that_fails_is_tried_again_later_and_not_for_ever(storing: Kept, clock: Clock) -> None:
    attachment = storing.file(SMALL)
    storing.simulator.fail_next(r"/\$value", 403, {"error": {"code": "ErrorAccessDenied"}}, times=None)
    for _ in range(missing.ATTEMPTS + 3):
        storing.fetch()
        storing.fetch()
        clock.advance(days=1)
    row = storing.row(attachment)
    assert (row.content_error, row.content_attempts) == ("ErrorAccessDenied", missing.ATTEMPTS)
    assert storing.requests(CONTENTS) == missing.ATTEMPTS


def test_one_that_failed_is_stored_once_it_can_be(storing: Kept, clock: Clock) -> None:
    attachment = storing.file(SMALL)
    storing.simulator.fail_next(r"/\$value", 403)
    storing.fetch()
    clock.advance(hours=1)
    storing.fetch()
    assert (storing.row(attachment).content_error, set(storing.stored())) == (None, {attachment})


def test_a_microsoft_that_is_out_of_order_is_not_asked_for_each(storing: Kept) -> None:
    storing.deliver(*[SMALL] * 10)
    storing.simulator.fail_next(r"/\$value", 404, times=None)
    storing.fetch()
    assert storing.requests(CONTENTS) == 3


def test_throttled_the_run_ends_and_nothing_counts_against_the_attachment(storing: Kept) -> None:
    first, second = storing.ids(storing.deliver(SMALL, SMALL))
    storing.simulator.fail_next(r"/\$value", 429, headers={"Retry-After": "600"})
    with pytest.raises(Throttled):
        storing.fetch()
    assert (storing.row(first).content_attempts, storing.stored()) == (0, {})
    storing.fetch()
    assert set(storing.stored()) == {first, second}


def test_a_connection_that_is_cut_stores_nothing_by_halves(storing: Kept, clock: Clock) -> None:
    attachment = storing.file(SMALL)
    storing.simulator.drop_connection(r"/\$value", times=3)
    storing.fetch()
    assert (storing.stored(), storing.row(attachment).content_attempts) == ({}, 1)
    clock.advance(hours=1)
    storing.fetch()
    assert storing.stored() == {attachment: SMALL.content}


def test_a_worker_that_lost_its_lease_stores_nothing(kept_anywhere: Kept) -> None:
    """fault 33: it slept while it downloaded, and somebody else took over."""
    kept_anywhere.policy(1)
    kept_anywhere.file(SMALL)
    with kept_anywhere.run() as lease:
        graph = kept_anywhere.state.runner.clients.of(lease.mailbox_id)
        take_away(kept_anywhere.session, lease.mailbox_id)
        kept_anywhere.session.commit()
        with pytest.raises(LeaseLost):
            kept_anywhere.state.missing_contents.fetch(lease.mailbox_id, graph, lease)
    assert kept_anywhere.stored() == {}


def test_switched_off_meanwhile_nothing_more_is_stored(storing: Kept) -> None:
    """fault 35: no commit after the toggle went off."""
    storing.file(SMALL)
    with storing.run() as lease:
        graph = storing.state.runner.clients.of(lease.mailbox_id)
        storing.host.ms365.settings.save({"email_sync": "0"})
        with pytest.raises(SyncSwitchedOff):
            storing.state.missing_contents.fetch(lease.mailbox_id, graph, lease)
    assert storing.stored() == {}


def test_no_transaction_is_open_while_microsoft_is_asked(storing: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    storing.deliver(SMALL, SMALL)
    open_then: list[bool] = []
    with storing.run() as lease:
        graph = storing.state.runner.clients.of(lease.mailbox_id)
        stream = graph.content.attachment

        def watched(*arguments: Any, **named: Any) -> Any:
            open_then.append(storing.session().in_transaction())
            return stream(*arguments, **named)

        monkeypatch.setattr(graph.content, "attachment", watched)
        storing.state.missing_contents.fetch(lease.mailbox_id, graph, lease)
    assert open_then == [False, False]


_REFUSE = """CREATE TRIGGER refuse BEFORE INSERT ON ms365_attachment_content WHEN NEW.content = CAST('refused' AS BLOB)
BEGIN SELECT RAISE(ABORT, 'packet too large'); END"""


def test_a_database_that_does_not_take_one_gets_the_others(storing: Kept) -> None:
    """MySQL refuses what is larger than its max_allowed_packet."""
    bad, good = storing.ids(storing.deliver(File(name="bad", content=b"refused"), SMALL))
    with storing.host.app.app_context():
        storing.session.execute(text(_REFUSE))
        storing.session.commit()

    storing.fetch()
    assert (storing.row(bad).content_error, set(storing.stored())) == ("notStored", {good})


def test_a_mailbox_stores_its_own_only(storing: Kept) -> None:
    storing.deliver(SMALL)
    with storing.host.app.app_context():
        counts = [
            len(storing.session.execute(missing.select_missing(mailbox_id, MB, storing.now())).all())
            for mailbox_id in (storing.mailbox_id(), storing.mailbox_id() + 1)
        ]
    assert counts == [1, 0]


def test_it_can_be_asked_which_mailboxes_lack_contents(kept_anywhere: Kept) -> None:
    kept_anywhere.deliver(SMALL, LARGE)

    def lacking() -> list[int]:
        with kept_anywhere.host.app.app_context():
            condition = kept_anywhere.state.missing_contents.lacking(kept_anywhere.state.settings.read())
            return list(kept_anywhere.session.scalars(select(Mailbox.id).where(condition)))

    found = [lacking()]
    kept_anywhere.policy(1)
    found.append(lacking())
    kept_anywhere.fetch()
    found.append(lacking())
    assert [len(each) for each in found] == [0, 1, 0]
