"""The text of a message: a document of its own for a sandboxed frame, sanitised, under a policy of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from flask import make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_ms365.content.content import Body
from flask_ms365.errors import MS365Error
from flask_ms365.mailboxes.opened import find_message
from flask_ms365.models import Message
from flask_ms365.state import current_state
from flask_ms365.web.content_problem import what_is_wrong
from flask_ms365.web.csp import body_policy
from flask_ms365.web.found import visitor_rights
from flask_ms365.web.inline_key import inline_url
from flask_ms365.web.mail_html import MailHtml, harmless, is_too_much, text_of
from flask_ms365.web.problem import not_found
from flask_ms365.words import Words, counted


@dataclass(frozen=True, kw_only=True)
class BodyFrame:
    """The frame that shows the text of a message, and what is not shown in it."""

    url: str
    # how many images are elsewhere and left out; None where the text is still at Microsoft, and nobody knows
    hidden_images: int | None = 0
    # whether images from elsewhere are there, because the reader asked for them
    shows_images: bool = False
    # whether only the text of its HTML is shown
    is_plain: bool = False

    @property
    def hidden_words(self) -> Words:
        """How many images are left out; empty where none are."""
        if self.hidden_images is None:
            return Words("Images from other servers are not shown: they would tell that you are reading.")
        return counted(
            "%(count)s image from another server is not shown: it would tell that you are reading.",
            "%(count)s images from other servers are not shown: they would tell that you are reading.",
            self.hidden_images,
        )


def message_body(message_id: int) -> ResponseReturnValue:
    """Serve the text of a message for the frame; with ``?images=1`` images from elsewhere, too."""
    found = find_message(current_state().session, visitor_rights(), message_id)
    if found is None:
        return not_found()
    response = make_response(render_template("ms365/body.html", **_document(found)))
    response.headers["Content-Security-Policy"] = body_policy(shows_images=shows_images())
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def body_frame(message: Message) -> BodyFrame | None:
    """Return the frame of a message; None where it has no text."""
    url = url_for(".message_body", message_id=message.id, images=1 if shows_images() else None)
    if message.body is None and message.body_content_type is not None:  # bodies are not stored
        return BodyFrame(url=url, hidden_images=0 if shows_images() else None, shows_images=shows_images())
    if not message.body:
        return None
    if message.body_content_type != "html":
        return BodyFrame(url=url)
    if is_too_much(message.body):
        return BodyFrame(url=url, is_plain=True)
    hidden = _harmless(message.id, message.body).hidden_images
    return BodyFrame(url=url, hidden_images=hidden, shows_images=shows_images())


def shows_images() -> bool:
    """Tell whether the reader asked for images from elsewhere."""
    return request.args.get("images") == "1"


def _document(message: Message) -> Mapping[str, object]:
    """Return what the frame's document says: the text, or why it cannot be had."""
    message_id = message.id
    if message.body is not None or message.body_content_type is None:
        return _shown(message_id, Body(message.body_content_type or "text", message.body or ""))
    current_state().session.commit()  # no transaction is open while Microsoft is asked
    try:
        return _shown(message_id, current_state().contents.body(message_id))
    except MS365Error as exc:
        return {"problem": what_is_wrong(exc)}


def _shown(message_id: int, body: Body) -> Mapping[str, object]:
    if body.content_type != "html":
        return {"body_text": body.content}
    if is_too_much(body.content):
        return {"body_text": text_of(body.content)}
    return {"body_html": _harmless(message_id, body.content).html}


def _harmless(message_id: int, text: str) -> MailHtml:
    return harmless(text, inline_url=partial(inline_url, message_id), shows_images=shows_images())
