"""Texts that are not stored: a sync brings everything else, and whoever is told of a message can read its text."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from sqlalchemy import select

from flask_ms365 import Change
from flask_ms365.models import Attachment, Message
from flask_ms365.models.base import Base
from flask_ms365.simulator import Attachment as File
from tests.sync.conftest import Synced, synced

__all__ = ["synced"]

INLINE = File(name="logo.png", content_type="image/png", content=b"png", is_inline=True, content_id="logo@1")


@pytest.fixture
def bodiless(synced: Synced) -> Synced:
    store_bodies(synced, "0")
    return synced


def store_bodies(synced: Synced, value: str) -> None:
    with synced.host.app.app_context():
        synced.host.ms365.settings.save({"store_bodies": value})


def rows(synced: Synced, *columns: Any) -> list[Any]:
    with synced.host.app.app_context():
        return [tuple(row) for row in synced.session.execute(select(*columns).order_by(columns[0]))]


def texts(synced: Synced) -> list[Any]:
    return rows(synced, Message.subject, Message.body_content_type, Message.body)


def test_a_message_is_stored_without_its_text(bodiless: Synced) -> None:
    bodiless.mailbox.deliver(subject="One", html="<p>Secret</p>")
    bodiless.sync()
    assert texts(bodiless) == [("One", "html", None)]


def test_a_change_of_a_message_takes_its_stored_text_away(synced: Synced) -> None:
    one = synced.mailbox.deliver(subject="One", text="Secret")
    synced.sync()
    store_bodies(synced, "0")
    synced.mailbox.update(one, subject="Two")
    synced.sync()
    assert texts(synced) == [("Two", "text", None)]


def test_switched_on_again_new_mail_is_stored_with_its_text(bodiless: Synced) -> None:
    bodiless.mailbox.deliver(subject="One", text="first")
    bodiless.sync()
    store_bodies(bodiless, "1")
    bodiless.mailbox.deliver(subject="Two", text="second")
    bodiless.sync()
    assert texts(bodiless) == [("One", "text", None), ("Two", "text", "second")]


def test_a_text_that_is_not_stored_is_given_when_it_is_opened(bodiless: Synced) -> None:
    bodiless.mailbox.deliver(subject="One", html="<p>Secret</p>")
    bodiless.sync()
    with bodiless.host.app.app_context():
        message_id = bodiless.session.scalars(select(Message.id)).one()
        assert bodiless.host.ms365.content.body(message_id) == ("html", "<p>Secret</p>")


def test_a_handler_reads_the_text_that_is_not_stored(bodiless: Synced) -> None:
    seen: list[Any] = []
    bodiless.host.ms365.on_message(lambda message, change: seen.append((change, message.body)))
    one = bodiless.mailbox.deliver(subject="One", text="Secret")
    bodiless.sync()
    bodiless.mailbox.update(one, subject="Two")
    bodiless.sync()
    assert seen == [(Change.CREATED, "Secret"), (Change.UPDATED, "Secret")]
    assert texts(bodiless) == [("Two", "text", None)]


def test_a_handler_is_told_of_a_removal_without_a_text(bodiless: Synced) -> None:
    one = bodiless.mailbox.deliver(subject="One", text="Secret")
    bodiless.sync()
    seen: list[Any] = []
    bodiless.host.ms365.on_message(lambda message, change: seen.append((change, message.body)))
    bodiless.mailbox.delete(one)
    bodiless.sync()
    assert seen == [(Change.REMOVED, None)]


def test_what_a_handler_changes_of_a_message_stores_no_text(bodiless: Synced) -> None:
    bodiless.host.ms365.on_message(lambda message, change: setattr(message, "preview", "changed"))
    bodiless.mailbox.deliver(subject="One", text="Secret")
    bodiless.sync()
    assert rows(bodiless, Message.preview, Message.body) == [("changed", None)]


def test_inline_images_are_found_by_the_text_that_is_not_stored(bodiless: Synced) -> None:
    bodiless.mailbox.deliver(subject="One", html='<img src="cid:logo@1">', attachments=[INLINE])
    bodiless.sync()
    assert rows(bodiless, Attachment.content_id) == [("logo@1",)]


@pytest.mark.parametrize("stored_first", ["0", "1"])
def test_a_message_under_a_new_id_keeps_its_row(synced: Synced, stored_first: str) -> None:
    store_bodies(synced, stored_first)
    same: dict[str, Any] = {"subject": "One", "text": "Secret", "internet_message_id": "<1@contoso.example>"}
    same["received_at"] = datetime(2026, 3, 1, 9, tzinfo=timezone.utc)
    one = synced.mailbox.deliver(**same)
    synced.sync()
    before = ids(synced, Message)
    store_bodies(synced, "0")
    synced.mailbox.delete(one)
    synced.mailbox.deliver(**same)
    synced.sync()
    assert ids(synced, Message) == before


def ids(synced: Synced, model: type[Base]) -> list[Any]:
    return rows(synced, model.__table__.c.id)
