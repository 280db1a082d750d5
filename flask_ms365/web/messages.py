"""Reading mail. The text of a message comes from its own route, sanitised, under a policy of its own."""

from __future__ import annotations

from typing import Any

from flask import make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from flask_ms365.mailboxes import reading
from flask_ms365.mailboxes.status import folder_counts
from flask_ms365.models import Mailbox, Message
from flask_ms365.permissions import Permission
from flask_ms365.state import current_state
from flask_ms365.web.access import is_allowed
from flask_ms365.web.csp import BODY_POLICY
from flask_ms365.web.found import visitor_rights
from flask_ms365.web.language import number
from flask_ms365.web.problem import not_found
from flask_ms365.web.row_id import row_id
from flask_ms365.words import Words, counted

_KINDS = (
    (Words("From"), None),
    (Words("To"), "to"),
    (Words("Cc"), "cc"),
    (Words("Bcc"), "bcc"),
    (Words("Reply to"), "reply_to"),
)


def messages() -> ResponseReturnValue:
    """List messages, newest first."""
    state = current_state()
    mailboxes = _readable()
    mailbox_id, folder_id, before = (request.args.get(name, type=row_id) for name in ("mailbox", "folder", "before"))
    ids = [mailbox.id for mailbox in mailboxes if mailbox_id in (None, mailbox.id)]
    page = reading.list_messages(state.session, ids, folder_id=folder_id, before=before)
    chosen: dict[str, Any] = {"folder": folder_id, "mailbox": mailbox_id}
    return render_template(
        "ms365/messages.html",
        mailboxes=[(mailbox.id, mailbox.address) for mailbox in mailboxes],
        current_mailbox=mailbox_id,
        folders=[(folder.id, folder.name, count) for folder, count in folder_counts(state.session, ids)],
        current_folder=folder_id,
        may_connect=is_allowed(Permission.OWN_MAILBOX),
        q=None,
        messages=[_row(message, page.folders) for message in page.messages],
        total=page.total,
        newer_url=url_for(".messages", **chosen) if before else None,
        older_url=url_for(".messages", before=page.messages[-1].id, **chosen) if page.has_older else None,
    )


def message(message_id: int) -> ResponseReturnValue:
    """Show one message."""
    found = _find(message_id)
    if found is None:
        return not_found()
    return render_template(
        "ms365/message.html",
        message={
            "subject": found.subject or "",
            "headers": _headers(found),
            "received_at": found.received_at,
            "is_read": found.is_read,
            "web_link": _web_link(found.web_link),
        },
        attachments=[
            {
                "name": file.name or "",
                "content_type": file.content_type or "",
                "size_text": _size(file.size),
                "is_inline": file.is_inline,
            }
            for file in reading.attachments_of(current_state().session, found)
        ],
        body_url=url_for(".message_body", message_id=found.id) if found.body else None,
    )


def message_body(message_id: int) -> ResponseReturnValue:
    """Serve the text of a message for the sandboxed frame: no script, no form, nothing loaded from elsewhere."""
    found = _find(message_id)
    if found is None or not found.body:
        return not_found()
    is_html = found.body_content_type == "html"
    response = make_response(
        render_template(
            "ms365/body.html",
            body_html=_sanitised(found.body) if is_html else None,
            body_text=None if is_html else found.body,
        )
    )
    response.headers["Content-Security-Policy"] = BODY_POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _readable() -> list[Mailbox]:
    return reading.readable_mailboxes(current_state().session, visitor_rights())


def _find(message_id: int) -> Message | None:
    ids = [mailbox.id for mailbox in _readable()]
    return reading.find_message(current_state().session, ids, message_id)


def _row(message: Message, folders: dict[int, str]) -> dict[str, Any]:
    return {
        "id": message.id,
        "subject": message.subject or "",
        "from_name": message.from_name or "",
        "from_address": message.from_address or "",
        "received_at": message.received_at,
        "is_read": message.is_read,
        "has_attachments": message.has_attachments,
        "folder_name": folders.get(message.folder_id, ""),
        "preview": message.preview or "",
    }


def _headers(message: Message) -> list[tuple[str, str]]:
    sender = {"kind": None, "name": message.from_name, "address": message.from_address}
    people = [sender, *message.recipients]
    lines = ((label, ", ".join(_person(one) for one in people if one["kind"] == kind)) for label, kind in _KINDS)
    return [(label, text) for label, text in lines if text]


def _person(person: dict[str, str | None]) -> str:
    name, address = person["name"] or "", person["address"] or ""
    return f"{name} <{address}>" if name and address and name != address else name or address


def _size(size: int | None) -> str:
    if size is None:
        return ""
    if size < 1024:
        return counted("%(count)s byte", "%(count)s bytes", size)
    return Words("%(size)s KB", size=number(round(size / 1024)))


def _web_link(url: str | None) -> str | None:
    return url if url and url.startswith("https://") else None


def _sanitised(html: str) -> Markup:
    import nh3  # late: only a message that is open needs it

    # images stay out: a remote one tells the sender who reads, and inline ones have no route yet
    return Markup(
        nh3.clean(
            html,
            tags=nh3.ALLOWED_TAGS - {"img"},
            clean_content_tags={"script", "style", "title"},
            url_schemes={"http", "https", "mailto"},
        )
    )
