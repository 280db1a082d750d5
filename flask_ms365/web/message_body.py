"""The text of a message: a document of its own for a sandboxed frame, sanitised, under a policy of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from flask import make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_ms365.mailboxes.opened import find_message
from flask_ms365.models import Message
from flask_ms365.state import current_state
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
    # how many images are elsewhere and left out
    hidden_images: int = 0
    # whether images from elsewhere are there, because the reader asked for them
    shows_images: bool = False
    # whether only the text of its HTML is shown
    is_plain: bool = False

    @property
    def hidden_words(self) -> Words:
        """How many images are left out."""
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
    if not message.body:
        return None
    url = url_for(".message_body", message_id=message.id, images=1 if shows_images() else None)
    if not _is_html(message):
        return BodyFrame(url=url)
    if is_too_much(message.body):
        return BodyFrame(url=url, is_plain=True)
    hidden = _harmless(message).hidden_images
    return BodyFrame(url=url, hidden_images=hidden, shows_images=shows_images())


def shows_images() -> bool:
    """Tell whether the reader asked for images from elsewhere."""
    return request.args.get("images") == "1"


def _document(message: Message) -> Mapping[str, object]:
    text = message.body or ""
    if not _is_html(message):
        return {"body_text": text}
    return {"body_text": text_of(text)} if is_too_much(text) else {"body_html": _harmless(message).html}


def _is_html(message: Message) -> bool:
    return message.body_content_type == "html"


def _harmless(message: Message) -> MailHtml:
    address_of = partial(inline_url, message.id)
    return harmless(message.body or "", inline_url=address_of, shows_images=shows_images())
