"""What the macros of ``ms365/host.html`` show on a host's own pages: of mail, only what the visitor may read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import g, url_for

from flask_ms365.assets import fingerprint
from flask_ms365.mailboxes.connect import own_mailbox
from flask_ms365.mailboxes.correspondence import correspondence
from flask_ms365.mailboxes.listing import NEEDS_YOU
from flask_ms365.mailboxes.overdue import is_overdue, overdue_before
from flask_ms365.mailboxes.readers import readable
from flask_ms365.mailboxes.status import WORDS, Kind, state_of
from flask_ms365.models import Message
from flask_ms365.permissions import Permission
from flask_ms365.state import current_state
from flask_ms365.web.access import is_allowed
from flask_ms365.web.found import visitor_rights
from flask_ms365.web.mailbox_state import NO_SUCCESS
from flask_ms365.web.snapshot import current_snapshot, current_summary
from flask_ms365.web.words import mount
from flask_ms365.words import Words, counted

_READING = (Permission.OWN_MAILBOX, Permission.READ_MAIL)


@dataclass(frozen=True, kw_only=True)
class Letter:
    """A message as a line: who wrote it, when, how it begins, and its page."""

    url: str
    sender: str
    received_at: datetime | None
    preview: str
    is_read: bool | None
    has_attachments: bool | None


@dataclass(frozen=True, kw_only=True)
class Talk:
    """A conversation: its subject, its page, and its letters, newest first."""

    subject: str
    url: str
    letters: Sequence[Letter]


@dataclass(frozen=True, kw_only=True)
class Thread:
    """The mail with somebody. ``more_url`` is the page that has the rest, empty where this is all."""

    talks: Sequence[Talk]
    more_url: str
    is_behind: bool


@dataclass(frozen=True, kw_only=True)
class Line:
    """A chip, with the address of a mailbox where it is about one, and a link."""

    kind: Kind
    text: str
    link: Words
    url: str
    address: str = ""


def style_url() -> str:
    """Return the address of our style sheet, once a page; empty where the page has it."""
    if "ms365_styled" in g:
        return ""
    g.ms365_styled = True
    return _url("static", filename="ms365.css", v=fingerprint("ms365.css"))


def thread(contact_email: str, limit: int) -> Thread | None:
    """Return the newest mail with an address that the visitor may read; None for those who may read none."""
    if not any(is_allowed(permission) for permission in _READING):
        return None
    found = correspondence(current_state().session, contact_email, readable=readable(visitor_rights()), limit=limit)
    return Thread(
        talks=[_talk(messages) for messages in found.conversations],
        more_url=_url("messages", mailbox="all", q=contact_email) if found.has_more else "",
        is_behind=found.is_behind,
    )


def status_lines() -> list[Line]:
    """Return how the visitor's own mailbox is, and for admins how many need them; a statement each."""
    own = _own_line()
    return [*own, *_team_line(told=sum(line.kind == "bad" for line in own))]


def _own_line() -> list[Line]:
    state, user_id = current_state(), current_state().current_user_id()
    if user_id is None or not is_allowed(Permission.OWN_MAILBOX):
        return []
    mailbox, now, snapshot = own_mailbox(state.session, user_id), state.clock(), current_snapshot()
    url = _url("my_email")
    if mailbox is None:
        return [Line(kind="info", text=Words("Your email is not connected"), link=Words("Connect it"), url=url)]
    words, kind = WORDS[state_of(mailbox, is_on=snapshot.is_sync_on, now=now)]
    if kind != "bad" and is_overdue(mailbox, overdue_before(snapshot, now)):
        words, kind = NO_SUCCESS, "bad"
    return [Line(kind=kind, text=words, link=Words("My email"), url=url, address=mailbox.address)]


def _team_line(*, told: int) -> list[Line]:
    """Count the others that need somebody."""
    need = current_summary().need_a_person - told if is_allowed(Permission.MANAGE_MAILBOXES) else 0
    if need <= 0:
        return []
    text = counted("%(count)s mailbox needs you", "%(count)s mailboxes need you", need)
    return [Line(kind="bad", text=text, link=Words("Open the list"), url=_url("mailboxes", state=NEEDS_YOU))]


def _talk(messages: Sequence[Message]) -> Talk:
    newest, name = messages[0], "messages" if len(messages) > 1 else "message"
    page = {"conversation": newest.id} if len(messages) > 1 else {"message_id": newest.id}
    return Talk(subject=newest.subject or "", url=_url(name, **page), letters=[_letter(each) for each in messages])


def _letter(message: Message) -> Letter:
    return Letter(
        url=_url("message", message_id=message.id),
        sender=message.from_name or message.from_address or "",
        received_at=message.received_at,
        preview=message.preview or "",
        is_read=message.is_read,
        has_attachments=message.has_attachments,
    )


def _url(endpoint: str, **values: object) -> str:
    """Return the address of a page of ours, from a page of the host."""
    return url_for(f"{mount()}.{endpoint}", **values)  # type: ignore[arg-type]
