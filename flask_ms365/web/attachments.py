"""What lies behind a message: attachments and the message itself as downloads, and the images inside its text.

Bytes of strangers: never shown by this host as anything but a picture in a letter, and never run.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from flask import Response, request
from flask.typing import ResponseReturnValue

from flask_ms365.content.content import Content
from flask_ms365.errors import MS365Error
from flask_ms365.mailboxes.opened import find_attachment, find_message
from flask_ms365.models import Message
from flask_ms365.permissions import Permission
from flask_ms365.state import current_state
from flask_ms365.web.access import guard
from flask_ms365.web.content_problem import content_problem
from flask_ms365.web.csp import FILE_POLICY
from flask_ms365.web.found import visitor_rights
from flask_ms365.web.inline_key import opens
from flask_ms365.web.message import web_link
from flask_ms365.web.problem import not_found

LARGEST_IMAGE = 10 * 1024 * 1024
# what no browser runs, so that a download may say what it is; all else is bytes
_HARMLESS = re.compile(
    r"image/(?:png|jpeg|gif|webp)|(?:audio|video)/[\w.-]+|text/(?:plain|csv|calendar|vcard)|message/rfc822|"
    r"application/(?:pdf|zip|msword|vnd\.(?:ms-|openxmlformats-|oasis\.)[\w.-]+)"
)
_IMAGES = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "image/webp"),
)


def attachment(attachment_id: int) -> ResponseReturnValue:
    """Send an attachment as a download."""
    state = current_state()
    found = find_attachment(state.session, visitor_rights(), attachment_id)
    return _download(lambda: state.contents.attachment(attachment_id), found[1] if found else None)


def message_eml(message_id: int) -> ResponseReturnValue:
    """Send a whole message as a download, as any mail program opens it."""
    state = current_state()
    found = find_message(state.session, visitor_rights(), message_id)
    return _download(lambda: state.contents.mime(message_id), found)


def message_inline(message_id: int, content_id: str) -> ResponseReturnValue:
    """Send an image that came with a message, to its frame or to those who may read it; nothing but images.

    What is wrong with it is told by its status alone: nobody reads a page in the place of an image.
    """
    if not opens(request.args.get("key", ""), message_id):
        refusal = guard((Permission.OWN_MAILBOX, Permission.READ_MAIL))
        if refusal is not None:
            return refusal
        if find_message(current_state().session, visitor_rights(), message_id) is None:
            return not_found()
    current_state().session.commit()  # no transaction is open while Microsoft is asked
    try:
        image = _read(current_state().contents.inline(message_id, content_id))
    except MS365Error as exc:
        return content_problem(exc, None)
    content_type = next((type_ for start, type_ in _IMAGES if start.match(image)), None)
    return not_found() if content_type is None else _file(Response(image, content_type=content_type), "image")


def _download(open_content: Callable[[], Content], message: Message | None) -> ResponseReturnValue:
    if message is None:
        return not_found()
    link = web_link(message)
    current_state().session.commit()  # no transaction is open while Microsoft is asked
    try:
        content = open_content()
    except MS365Error as exc:
        return content_problem(exc, link)
    is_harmless = _HARMLESS.fullmatch(content.content_type)
    response = Response(content, content_type=content.content_type if is_harmless else "application/octet-stream")
    if content.size is not None:
        response.content_length = content.size
    if request.method == "HEAD":
        content.close()  # nobody will iterate over it
    return _file(response, content.name)


def _file(response: Response, name: str) -> Response:
    response.headers.set("Content-Disposition", "attachment", filename=name)
    response.headers["Content-Security-Policy"] = FILE_POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _read(content: Content) -> bytes:
    """Return an image whole; nothing where it is no image, or a larger one than letters have."""
    try:
        image = bytearray()
        for chunk in content:
            image += chunk
            if len(image) > LARGEST_IMAGE or not any(start.match(image) for start, _ in _IMAGES):
                return b""
        return bytes(image)
    finally:
        content.close()
