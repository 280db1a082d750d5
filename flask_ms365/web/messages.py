"""The list of messages: of one mailbox or a few, newest first, page by page, or those that a search finds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_ms365.mailboxes import reading
from flask_ms365.mailboxes.readers import readable
from flask_ms365.mailboxes.reading import COUNTED, PAGE, MailCount, MessageList, Place
from flask_ms365.mailboxes.search import search
from flask_ms365.models import Message
from flask_ms365.permissions import Permission
from flask_ms365.state import current_state
from flask_ms365.web.access import is_allowed
from flask_ms365.web.conversation import conversation
from flask_ms365.web.found import visitor_rights
from flask_ms365.web.language import number
from flask_ms365.web.mail_scope import MailScope, mail_scope
from flask_ms365.web.problem import not_found
from flask_ms365.web.row_id import row_id
from flask_ms365.words import Words

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)
_LONGEST_SEARCH = 200


def messages() -> ResponseReturnValue:
    """List messages, newest first; with ``?conversation=`` those of one conversation, to be read there."""
    if (message_id := request.args.get("conversation", type=row_id)) is not None:
        return conversation(message_id)
    text = request.args.get("q", "").strip()[:_LONGEST_SEARCH]
    scope = mail_scope(is_search=bool(text))
    if scope is None:
        return not_found()
    folders = reading.folders_with_mail(current_state().session, scope.ids) if scope.ids else []
    wanted = request.args.get("folder", type=row_id)
    # that of another mailbox stays behind in the form when the mailbox is changed
    folder_id = next((folder.id for folder in folders if folder.id == wanted), None)
    chosen: dict[str, Any] = {"mailbox": scope.current, "folder": folder_id, "q": text or None}
    if text and scope.current:
        shown = _found(scope, folder_id, text, chosen)
    else:
        page = _page([folder.id for folder in folders if folder_id in (None, folder.id)])
        if "after" in request.args and not page.has_newer and len(page.messages) < PAGE:
            return redirect(url_for(".messages", **chosen), 303)  # the first page is a whole one
        shown = _listed(page, folders, folder_id, chosen)
    return render_template(
        "ms365/messages.html",
        scope=scope,
        folders=folders,
        current_folder=folder_id,
        may_connect=is_allowed(Permission.OWN_MAILBOX),
        q=text,
        chosen=chosen,
        messages=_rows(shown.pop("messages"), folders, scope),
        **shown,
    )


def _page(folder_ids: Sequence[int]) -> MessageList:
    if not folder_ids:
        return MessageList(messages=[], has_newer=False, has_older=False)
    before, after = (request.args.get(name, type=_place) for name in ("before", "after"))
    return reading.list_messages(current_state().session, folder_ids, before=before, after=after)


def _listed(page: MessageList, folders: Sequence[Any], folder_id: int | None, chosen: dict[str, Any]) -> dict[str, Any]:
    """Return a page of the list with its neighbours, and how many messages there are."""
    ids = [folder.id for folder in folders if folder_id in (None, folder.id)]
    count = reading.count_messages(current_state().session, ids)
    first, last = page.messages[:1], page.messages[-1:]
    return {
        "messages": page.messages,
        "folder_counts": count.by_folder if count.is_complete else {},
        "total": _total(count),
        "newer_url": url_for(".messages", after=_text(first), **chosen) if page.has_newer and first else None,
        "older_url": url_for(".messages", before=_text(last), **chosen) if page.has_older and last else None,
    }


def _found(scope: MailScope, folder_id: int | None, text: str, chosen: dict[str, Any]) -> dict[str, Any]:
    """Return a page of what a search finds, where that is not counted."""
    session, before = current_state().session, request.args.get("before", type=row_id)
    mailbox_id = scope.ids[0] if len(scope.ids) == 1 else None
    found = search(
        session, text, readable=readable(visitor_rights()), mailbox_id=mailbox_id, folder_id=folder_id, before=before
    )
    return {
        "messages": found.messages,
        "is_behind": found.is_behind,
        "newer_url": url_for(".messages", **chosen) if before else None,
        "older_url": url_for(".messages", before=found.older, **chosen) if found.older else None,
        "looked_back_to": found.looked_back_to,
    }


def _total(count: MailCount) -> Words:
    if not count.is_complete:
        return Words("Messages: more than %(count)s", count=number(COUNTED))
    return Words("Messages: %(count)s", count=number(count.total))


def _rows(messages: Sequence[Message], folders: Sequence[Any], scope: MailScope) -> list[dict[str, Any]]:
    addresses = {mailbox.id: mailbox.address for mailbox in scope.chosen} if len(scope.chosen) > 1 else {}
    if scope.is_all:
        folders = reading.folders_of(current_state().session, [message.folder_id for message in messages])
        addresses = {folder.mailbox_id: folder.address for folder in folders}
    names = {folder.id: folder.name for folder in folders}
    return [
        {
            "id": message.id,
            "subject": message.subject or "",
            "from_name": message.from_name or message.from_address or "",
            "received_at": message.received_at,
            "is_read": message.is_read,
            "is_draft": message.is_draft,
            "has_attachments": message.has_attachments,
            "folder_name": names.get(message.folder_id, ""),
            "address": addresses.get(message.mailbox_id, ""),
            "preview": message.preview or "",
        }
        for message in messages
    ]


def _text(message: Sequence[Message]) -> str:
    """Return the place of a message as an address names it: microseconds and id, or the id alone without a date."""
    at = message[0].received_at
    return f"{'' if at is None else (at - _EPOCH) // _MICROSECOND}.{message[0].id}"


def _place(text: str) -> Place:
    """Return the place that an address names; ValueError makes Flask ignore the argument."""
    at, _, number_ = text.partition(".")
    try:
        return Place(_EPOCH + int(at) * _MICROSECOND if at else None, row_id(number_))
    except OverflowError:
        raise ValueError from None
