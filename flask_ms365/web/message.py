"""The page of one message: who, when, what was done with it, its text in a frame, its files and its conversation."""

from __future__ import annotations

from typing import Any

from flask import render_template, url_for
from flask.typing import ResponseReturnValue

from flask_ms365.mailboxes import opened
from flask_ms365.models import Attachment, Message
from flask_ms365.state import current_state
from flask_ms365.web.conversation import turns_of
from flask_ms365.web.found import visitor_rights
from flask_ms365.web.language import number
from flask_ms365.web.message_body import body_frame
from flask_ms365.web.people import people_of
from flask_ms365.web.problem import not_found
from flask_ms365.words import Words, counted


def message(message_id: int) -> ResponseReturnValue:
    """Show one message."""
    session = current_state().session
    found = opened.find_message(session, visitor_rights(), message_id)
    if found is None:
        return not_found()
    return render_template(
        "ms365/message.html",
        message=found,
        people=list(people_of(found)),
        place=opened.place_of(session, found),
        web_link=web_link(found),
        attachments=[_file(each) for each in opened.attachments_of(session, found)],
        frame=body_frame(found),
        turns=turns_of(found),
    )


def web_link(message: Message) -> str | None:
    """Return where a message is in Outlook on the web, if that is a web address."""
    url = message.web_link
    return url if url and url.startswith("https://") else None


def _file(attachment: Attachment) -> dict[str, Any]:
    is_link = attachment.kind == "reference"
    return {
        "name": attachment.name or "",
        "content_type": attachment.content_type or "",
        "size_text": _size(attachment.size),
        "is_inline": attachment.is_inline,
        "is_link": is_link,
        "url": None if is_link else url_for(".attachment", attachment_id=attachment.id),
    }


def _size(size: int | None) -> str:
    if size is None:
        return ""
    if size < 1024:
        return counted("%(count)s byte", "%(count)s bytes", size)
    return Words("%(size)s KB", size=number(round(size / 1024)))
