"""The verbs of a mailbox, and what they leave behind."""

from __future__ import annotations

from datetime import datetime, timezone
from email.message import EmailMessage
from pathlib import Path

import pytest

from flask_ms365.simulator import Mailbox, Recipient
from flask_ms365.simulator.errors import GraphError
from flask_ms365.simulator.ids import Ids


def written() -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = "Ada Buyer <ada@fabrikam.example>"
    mail["Subject"] = "Änderung 🚨"
    mail.set_content("Hello")
    return mail


def subjects(box: Mailbox, folder: str | None = None) -> list[str | None]:
    return [message.subject for message in box.messages(folder)]


def test_mail_is_delivered_in_every_form(box: Mailbox, tmp_path: Path) -> None:
    path = tmp_path / "mail.eml"
    path.write_bytes(written().as_bytes())
    for mail in (written(), written().as_bytes(), path, str(path)):
        box.deliver(mail)
    assert subjects(box) == ["Änderung 🚨"] * 4


def test_a_record_says_what_was_delivered(box: Mailbox) -> None:
    received_at = datetime(2026, 8, 31, 9, 0, tzinfo=timezone.utc)
    message_id = box.deliver(
        subject="Order",
        html="<p>One</p>",
        sender=("Kim", "kim@fabrikam.example"),
        to=[("Support", "support@contoso.example")],
        cc=["cc@contoso.example"],
        received_at=received_at,
        is_read=True,
        folder="archive",
    )
    (record,) = box.messages()
    assert (record.id, record.folder_name, record.received_at, record.is_read) == (
        message_id,
        "Archive",
        received_at,
        True,
    )
    assert (record.from_name, record.from_address) == ("Kim", "kim@fabrikam.example")
    assert record.recipients == (
        Recipient("to", "Support", "support@contoso.example"),
        Recipient("cc", "cc@contoso.example", "cc@contoso.example"),
    )
    assert (record.body_content_type, record.body, record.preview) == ("html", "<p>One</p>", "One")


@pytest.mark.parametrize("name", ["inbox", "Inbox", "INBOX"])
def test_a_well_known_folder_has_names(box: Mailbox, name: str) -> None:
    box.deliver(subject="Here", folder=name)
    assert subjects(box, "inbox") == ["Here"]


def test_a_folder_is_found_by_name_path_and_id(box: Mailbox) -> None:
    folder = box.create_folder("2026", parent=box.create_folder("Projects"))
    for name in ("2026", "Projects/2026", folder):
        box.deliver(subject="Here", folder=name)
    assert subjects(box, folder) == ["Here"] * 3


def test_an_unknown_folder_is_named_in_the_error(box: Mailbox) -> None:
    with pytest.raises(KeyError, match="Nowhere"):
        box.deliver(subject="Lost", folder="Nowhere")


def test_a_folder_name_is_taken_once(box: Mailbox) -> None:
    box.create_folder("Projects")
    with pytest.raises(GraphError, match="ErrorFolderExists"):
        box.create_folder("projects")


def test_a_moved_folder_takes_its_mail_along(box: Mailbox) -> None:
    inner = box.create_folder("Inner")
    box.deliver(subject="Here", folder=inner)
    box.create_folder("Outer")
    box.move_folder(inner, "Outer")
    assert subjects(box, "Outer/Inner") == ["Here"]


def test_a_deleted_folder_takes_everything_along(box: Mailbox) -> None:
    outer = box.create_folder("Outer")
    box.deliver(subject="Gone", folder=box.create_folder("Inner", parent=outer))
    box.delete_folder(outer)
    assert box.messages() == []


def test_deleting_may_mean_deleted_items(box: Mailbox) -> None:
    box.delete(box.deliver(subject="Binned"), permanently=False)
    assert subjects(box, "deleteditems") == ["Binned"]


def test_an_update_changes_what_it_names(box: Mailbox) -> None:
    message_id = box.deliver(subject="Before", importance="high")
    box.update(message_id, subject="After", flag="flagged", categories=["Red"])
    (record,) = box.messages()
    assert (record.subject, record.flag_status, record.categories, record.importance) == (
        "After",
        "flagged",
        ("Red",),
        "high",
    )


def test_many_messages_are_distinct_and_spread(box: Mailbox) -> None:
    ids = box.deliver_many(10, body_size=1000, folders=("inbox", "archive"))
    records = box.messages()
    assert len(set(ids)) == len({record.body for record in records}) == 10
    assert len(box.messages("archive")) == 5
    assert all(800 < len(record.body) <= 1000 for record in records)


def test_a_conversation_is_one_id(box: Mailbox) -> None:
    for _ in range(2):
        box.deliver(subject="Re: Order", thread="order 42")
    assert len({record.conversation_id for record in box.messages()}) == 1


def test_two_ids_may_differ_in_letter_case_alone() -> None:
    ids = Ids("ana@contoso.example")
    made = [ids.message() for _ in range(60)]
    assert len({one.lower() for one in made}) < len(set(made)) == 60


@pytest.mark.parametrize(("kind", "length"), [("message", 92), ("movable", 152), ("folder", 120)])
def test_ids_are_as_long_as_those_of_exchange(kind: str, length: int) -> None:
    made: str = getattr(Ids("ana@contoso.example"), kind)()
    assert len(made) == length


def test_an_id_of_another_mailbox_is_malformed(box: Mailbox) -> None:
    stranger = Mailbox("kim@contoso.example").deliver(subject="Hers")
    with pytest.raises(GraphError, match="ErrorInvalidIdMalformed"):
        box.message(stranger)
