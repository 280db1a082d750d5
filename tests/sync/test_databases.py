"""What Graph may send is stored as it is, or refused as that one value, and each database does the same."""

from __future__ import annotations

import json
from random import Random
from string import ascii_letters, digits
from typing import Any

from sqlalchemy import func, select, text

from flask_ms365.graph.decode import decode
from flask_ms365.graph.types import DeltaPage, MessageData
from flask_ms365.models import Folder, Mailbox, Message
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
    return {"mailbox_id": synced.session.scalar(select(Mailbox.id)), "folder_id": folder_id, "seen_round": 1}


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
