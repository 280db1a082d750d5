"""A conversation: beside a message as a list, and as a page of its own where each message unfolds."""

from __future__ import annotations

from typing import Any

from flask import render_template, url_for
from flask.typing import ResponseReturnValue

from flask_ms365.mailboxes.opened import SHOWN, conversation_of, find_message
from flask_ms365.models import Message
from flask_ms365.state import current_state
from flask_ms365.web.found import visitor_rights
from flask_ms365.web.problem import not_found


def conversation(message_id: int) -> ResponseReturnValue:
    """Show the conversation of a message, the oldest first; the newest is unfolded."""
    found = find_message(current_state().session, visitor_rights(), message_id)
    if found is None:
        return not_found()
    turns = turns_of(found) or [_turn(found, "", found)]
    return render_template(
        "ms365/conversation.html",
        subject=found.subject or "",
        message_id=found.id,
        turns=turns[-SHOWN:],
        has_more=len(turns) > SHOWN,
    )


def turns_of(message: Message) -> list[dict[str, Any]]:
    """Return the messages of a conversation, ``message`` among them; none where it is alone."""
    found = conversation_of(current_state().session, message)
    return [_turn(each, folder, message) for each, folder in found] if len(found) > 1 else []


def _turn(message: Message, folder: str, current: Message) -> dict[str, Any]:
    return {
        "id": message.id,
        "from_name": message.from_name or message.from_address or "",
        "received_at": message.received_at,
        "folder_name": folder,
        "is_read": message.is_read,
        "is_draft": message.is_draft,
        "has_attachments": message.has_attachments,
        "preview": message.preview or "",
        "is_current": message.id == current.id,
        # whether it is stored or still at Microsoft
        "has_text": message.body_content_type is not None,
        "body_url": url_for(".message_body", message_id=message.id),
    }
