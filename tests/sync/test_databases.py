"""What Graph may send is stored as it is, or refused as that one value, and each database does the same."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from random import Random
from string import ascii_letters, digits
from typing import Any

import pytest
from sqlalchemy import MetaData, Table, func, select, text, update

from flask_ms365.graph.decode import decode
from flask_ms365.graph.types import AttachmentData, DeltaPage, FolderData, MessageData
from flask_ms365.models import Attachment, Folder, Mailbox, Message, SetAside, join_metadata
from flask_ms365.models.insert import insert_rows
from flask_ms365.sync.rows import is_storable_id, message_values
from tests.sync.conftest import Synced


def sent(**properties: Any) -> MessageData:
    """Return a message as Graph sends it; what is not named is null."""
    return decode(json.dumps({"value": [{"id": "m", **properties}]}).encode(), DeltaPage).value[0]


def store(synced: Synced, *items: MessageData) -> None:
    with synced.host.app.app_context():
        rows = [{**place(synced), **message_values(item), "graph_id": item.id} for item in items]
        insert_rows(synced.session, Message.__table__, rows)
        synced.session.commit()


def place(synced: Synced) -> dict[str, Any]:
    """Return mailbox and folder of every message here."""
    folder_id = synced.session.scalar(select(Folder.id)) or _new_folder(synced)
    return {"mailbox_id": synced.session.scalar(select(Mailbox.id)), "folder_id": folder_id}


def _new_folder(synced: Synced) -> int:
    folder = Folder(mailbox_id=synced.session.scalar(select(Mailbox.id)), graph_id="inbox", name="Inbox")
    synced.session.add(folder)
    synced.session.flush()
    return folder.id


def test_ids_that_differ_in_letter_case_alone_are_two_messages(synced: Synced) -> None:
    store(synced, sent(id="AAMk="), sent(id="aamk="))

    with synced.host.app.app_context():
        assert synced.session.scalars(select(Message.graph_id).where(Message.graph_id == "aamk=")).all() == ["aamk="]


def test_an_id_of_2000_characters_is_stored_and_found(synced: Synced) -> None:
    """Fault 50."""
    long = "".join(f"{number:x}" for number in range(600))[:2000].ljust(2000, "=")
    store(synced, sent(id=long), sent(id=long[:-1] + "A"))

    with synced.host.app.app_context():
        assert synced.session.scalar(select(func.count()).where(Message.graph_id == long)) == 1


def test_the_longest_id_that_may_be_stored_fits_the_key_however_random(synced: Synced) -> None:
    longest = "".join(Random(1).choices(ascii_letters + digits, k=2048))

    assert is_storable_id(longest)
    store(synced, sent(id=longest))


def test_postgresql_compresses_bodies_with_lz4(synced: Synced) -> None:
    with synced.host.app.app_context():
        if synced.session.get_bind().dialect.name != "postgresql":
            return
        methods = "SELECT attname, attcompression FROM pg_attribute WHERE attrelid = 'ms365_message'::regclass"
        assert dict(synced.session.execute(text(methods)).all())["body"] == "l"


def _stored(synced: Synced, *columns: Any) -> Any:
    """Return these columns of the only message."""
    with synced.host.app.app_context():
        return synced.session.execute(select(*columns)).one()


def _person(name: str) -> dict[str, Any]:
    return {"emailAddress": {"name": name, "address": f"{name}@contoso.example"}}


@pytest.mark.parametrize(
    ("odd", "kept"),
    [("a\0b", "ab"), ("a\ud83db", "a\ufffdb"), ("a\ude00", "a\ufffd"), ("😀𝒳", "😀𝒳"), ("\u202eא\r\n'\"\\%:x", None)],
    ids=["NUL", "lone high surrogate", "lone low surrogate", "four bytes each", "bidi, breaks and quotes"],
)
def test_odd_text_is_the_same_everywhere(synced: Synced, odd: str, kept: str | None) -> None:
    """Fault 51."""
    text_of = odd if kept is None else kept
    body = {"contentType": "html", "content": odd}
    store(
        synced,
        sent(
            subject=odd,
            bodyPreview=odd,
            body=body,
            categories=[odd],
            sender=_person(odd),
            toRecipients=[_person(odd)],
        ),
    )

    address = f"{text_of}@contoso.example"
    assert _stored(synced, Message.subject, Message.preview, Message.body) == (text_of, text_of, text_of)
    assert _stored(synced, Message.sender_name, Message.sender_address) == (text_of, address)
    kept_person = {"kind": "to", "name": text_of, "address": address}
    assert _stored(synced, Message.categories, Message.recipients) == ([text_of], [kept_person])


def test_odd_names_of_folders_and_attachments_are_kept(synced: Synced) -> None:
    store(synced, sent(id="m"))
    folder = decode(b'{"id":"f","displayName":"a\\u0000/\\ud83d \xf0\x9f\x98\x80"}', FolderData)
    file = decode(b'{"id":"a","name":"..\\u0000/\\ud83d\\ude00","contentType":"\\udc00"}', AttachmentData)

    with synced.host.app.app_context():
        mailbox_id = synced.session.scalar(select(Mailbox.id))
        where = {"mailbox_id": mailbox_id, "message_id": synced.session.scalar(select(Message.id)), "kind": file.kind}
        synced.session.add(Attachment(**where, graph_id=file.id, name=file.name, content_type=file.content_type))
        synced.session.add(Folder(mailbox_id=mailbox_id, graph_id="f", name=folder.display_name))
        synced.session.commit()
        assert synced.session.scalar(select(Folder.name).where(Folder.graph_id == "f")) == "a/\ufffd 😀"
        assert synced.session.execute(select(Attachment.name, Attachment.content_type)).one() == ("../😀", "\ufffd")


@pytest.mark.parametrize(
    ("date", "year"),
    [
        ("0001-01-01T00:00:00Z", 1),
        ("0999-12-31T23:59:59Z", 999),
        ("9999-12-31T23:59:59.9999999Z", 9999),
        ("0001-01-01T00:00:00+14:00", 1),
        ("9999-12-31T23:59:59-12:00", 9999),
    ],
)
def test_dates_at_the_ends_of_the_calendar_can_be_read_in_every_time_zone(synced: Synced, date: str, year: int) -> None:
    """Fault 51. PostgreSQL answers in its session's zone, where that moment may lie outside of Python's years."""
    store(synced, sent(id="m", receivedDateTime=date))

    for zone in ("UTC", "America/New_York", "Pacific/Kiritimati"):
        with synced.host.app.app_context():
            if synced.session.get_bind().dialect.name == "postgresql":
                synced.session.execute(text(f"SET LOCAL TIME ZONE '{zone}'"))
            received = synced.session.scalar(select(Message.received_at))
        assert (received.year, received.utcoffset()) == (year, timedelta())


def test_a_date_keeps_its_microseconds_and_is_found_by_them(synced: Synced) -> None:
    store(synced, sent(id="m", receivedDateTime="2026-09-01T13:45:30.9356913+05:30"))

    moment = datetime(2026, 9, 1, 8, 15, 30, 935691, tzinfo=timezone.utc)
    with synced.host.app.app_context():
        assert synced.session.scalars(select(Message.received_at).filter_by(received_at=moment)).all() == [moment]


def test_10000_recipients_are_kept_in_their_order(synced: Synced) -> None:
    """Fault 51."""
    store(synced, sent(id="m", ccRecipients=[_person(f"Ana Ruiz é {number}") for number in range(10_000)]))

    (recipients,) = _stored(synced, Message.recipients)
    assert [one["name"] for one in recipients] == [f"Ana Ruiz é {number}" for number in range(10_000)]


def test_values_longer_than_microsoft_documents_are_kept(synced: Synced) -> None:
    long = {"changeKey": "C" * 300, "importance": "i" * 100, "webLink": "https://x/" + "w" * 5000}
    store(synced, sent(**long, flag={"flagStatus": "f" * 100}, body={"contentType": "t" * 100, "content": ""}))

    assert _stored(synced, Message.change_key, Message.importance, Message.web_link) == tuple(long.values())
    assert _stored(synced, Message.flag_status, Message.body_content_type) == ("f" * 100, "t" * 100)


def test_a_message_of_nulls_is_kept(synced: Synced) -> None:
    """Fault 51."""
    nulls = ["subject", "from", "sender", "toRecipients", "receivedDateTime", "flag", "categories", "body", "isRead"]
    store(synced, sent(**dict.fromkeys(nulls)))

    assert _stored(synced, Message.subject, Message.from_name, Message.received_at) == (None, None, None)
    assert _stored(synced, Message.recipients, Message.categories, Message.is_read) == ([], [], None)


def test_a_host_asks_for_what_is_inside_the_json(synced: Synced) -> None:
    store(synced, sent(id="m", toRecipients=[_person("Bob é")]))

    with synced.host.app.app_context():
        found = select(Message.graph_id).where(Message.recipients[0]["name"].as_string() == "Bob é")
        assert synced.session.scalars(found).all() == ["m"]


@pytest.fixture
def copy() -> Table:
    """Return the table as a host has it in its own metadata, with plain column types."""
    metadata = MetaData()
    join_metadata(metadata)
    return metadata.tables["ms365_message"]


def test_a_hosts_own_copy_of_the_table_reads_the_same(synced: Synced, copy: Table) -> None:
    store(synced, sent(id="m", toRecipients=[_person("Bob")], receivedDateTime="2026-09-01T08:15:30Z"))

    recipients, received = _stored(synced, copy.c.recipients, copy.c.received_at)
    assert (recipients[0]["name"], received.replace(tzinfo=None)) == ("Bob", datetime(2026, 9, 1, 8, 15, 30))


def test_what_sqlalchemys_own_types_wrote_is_read_as_it_is(synced: Synced, copy: Table) -> None:
    moment = datetime(2026, 9, 1, 8, 15, 30, tzinfo=timezone.utc)
    store(synced, sent(id="m"))
    with synced.host.app.app_context():
        synced.session.execute(update(copy).values(categories=["é", 1.5, None], received_at=moment))
        synced.session.commit()

    assert _stored(synced, Message.categories, Message.received_at) == (["é", 1.5, None], moment)


@pytest.mark.parametrize("odd", ["é", "x" * 2049, "m ", "m\t"])
def test_a_message_whose_id_may_not_be_stored_is_set_aside_between_its_neighbours(synced: Synced, odd: str) -> None:
    """Fault 50."""
    synced.mailbox.deliver(subject="Before")
    synced.mailbox.deliver(subject="Odd", message_id=odd)
    synced.mailbox.deliver(subject="After")
    synced.sync()

    assert synced.subjects() == {"Before": "Inbox", "After": "Inbox"}
    with synced.host.app.app_context():
        assert [is_storable_id(listed) for listed in synced.session.scalars(select(SetAside.graph_id))] == [True]
    synced.sync()
    assert synced.subjects() == {"Before": "Inbox", "After": "Inbox"}
