"""Attachments of a message that changed: the same rows for the same attachments."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from flask_ms365.graph.types import AttachmentData
from flask_ms365.models import write_transaction
from flask_ms365.sync.attachments import replace_attachments
from tests.content.conftest import File, Kept, attachments_of

A = File(name="a.txt", content_type="text/plain", content=b"a")
B = File(name="b.txt", content_type="text/plain", content=b"bb")


def data(graph_id: str, **changes: Any) -> AttachmentData:
    given = {"name": "a.txt", "content_type": "text/plain", "size": 1, "is_inline": False, "content_id": None}
    return AttachmentData(id=graph_id, odata_type="#microsoft.graph.fileAttachment", **{**given, **changes})


def listed(kept: Kept) -> list[AttachmentData]:
    """Return what Graph lists of the only message's attachments."""
    return attachments_of(kept.mailbox.messages()[0])


@contextmanager
def statements(kept: Kept) -> Iterator[list[str]]:
    """Yield what the database is told meanwhile."""
    made: list[str] = []
    with kept.host.app.app_context():
        engine = kept.session.get_bind()

    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        made.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield made
    event.remove(engine, "before_cursor_execute", note)


def replace(kept: Kept, attachments: dict[int, list[AttachmentData]]) -> None:
    with kept.host.app.app_context(), write_transaction(kept.session):
        replace_attachments(kept.session, attachments)


def test_the_same_attachments_stay_the_same_rows(kept_anywhere: Kept) -> None:
    message = kept_anywhere.deliver(A, B)
    before = kept_anywhere.ids(message)
    replace(kept_anywhere, {message: listed(kept_anywhere)[::-1]})
    assert kept_anywhere.ids(message) == before


def test_what_changed_is_written_what_is_new_is_added_and_what_is_gone_goes(kept_anywhere: Kept) -> None:
    message = kept_anywhere.deliver(A, B)
    first, gone = kept_anywhere.ids(message)
    renamed = data(listed(kept_anywhere)[0].id, name="new.txt", content_id="cid")
    replace(kept_anywhere, {message: [renamed, data("added")]})
    kept_id, added = kept_anywhere.ids(message)
    row = kept_anywhere.row(first)
    assert (kept_id, row.name, row.content_id) == (first, "new.txt", "cid")
    assert (added != gone, kept_anywhere.row(added).graph_id) == (True, "added")


def test_stored_contents_stay_with_the_attachments_that_stay(kept_anywhere: Kept) -> None:
    kept_anywhere.policy(1)
    message = kept_anywhere.deliver(A, B)
    first, _ = kept_anywhere.ids(message)
    kept_anywhere.fetch()
    replace(kept_anywhere, {message: listed(kept_anywhere)[:1]})
    assert kept_anywhere.stored() == {first: b"a"}


def test_another_size_is_another_content(kept: Kept) -> None:
    kept.policy(1)
    message = kept.deliver(A, B)
    first, second = kept.ids(message)
    kept.fetch()
    changed, same = listed(kept)
    changed.size = 12345
    replace(kept, {message: [changed, same]})
    assert kept.stored() == {second: b"bb"}
    kept.fetch()
    assert set(kept.stored()) == {first, second}


def test_other_messages_are_left_alone(kept: Kept) -> None:
    others, message = kept.deliver(A), kept.deliver(A)
    replace(kept, {message: []})
    assert (kept.ids(message), len(kept.ids(others))) == ([], 1)


def test_ids_that_differ_in_case_are_two_attachments(kept_anywhere: Kept) -> None:
    message = kept_anywhere.deliver()
    for _ in range(2):
        replace(kept_anywhere, {message: [data("AAMk"), data("aamk")]})
    assert len(kept_anywhere.ids(message)) == 2


def test_two_messages_may_have_attachments_of_one_id(kept: Kept) -> None:
    messages = [kept.deliver(), kept.deliver()]
    replace(kept, {message: [data("same")] for message in messages})
    assert [len(kept.ids(message)) for message in messages] == [1, 1]


def test_the_statements_do_not_grow_with_the_attachments(kept: Kept) -> None:
    messages = [kept.deliver() for _ in range(4)]
    replace(kept, {message: [data(f"{n}") for n in range(100)] for message in messages})
    with statements(kept) as made:
        replace(kept, {message: [data(f"{n}", size=n) for n in range(50, 150)] for message in messages})
    assert len(made) <= 9


def test_a_message_that_is_read_again_unchanged_writes_nothing(kept: Kept) -> None:
    message = kept.deliver(A, B)
    with statements(kept) as made:
        replace(kept, {message: listed(kept)})
    assert [each for each in made if not each.startswith(("SELECT", "BEGIN"))] == []
