"""Which folders of a mailbox are read, and from when on; deleting what is stored of one that is not read any more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_ms365.errors import MS365Error
from flask_ms365.mailboxes.choices import Choice, Count, NothingRead, ShownFolder
from flask_ms365.models import Mailbox
from flask_ms365.state import current_state
from flask_ms365.sync.lease import DISCONNECTED
from flask_ms365.sync.since import since_for, since_of
from flask_ms365.web.forms import CsrfForm
from flask_ms365.web.found import page_of, theirs
from flask_ms365.web.problem import not_found
from flask_ms365.web.row_id import row_id
from flask_ms365.web.since import ShownSince, posted_since, stored_since
from flask_ms365.web.snapshot import current_snapshot
from flask_ms365.web.words import Notice
from flask_ms365.words import Words

# what the page is told by its address once something was done
_DONE = {
    "saved": Notice(kind="ok", title=Words("Saved"), text=Words("It applies from the next sync on.")),
    "unchanged": Notice(kind="info", title=Words("Nothing has changed")),
    "deleted": Notice(
        kind="ok",
        title=Words("What was stored of the folder is being deleted"),
        text=Words("What takes longer goes on in the background. Messages that records of this app refer to are kept."),
    ),
}
_LISTED = Notice(kind="ok", title=Words("These are the folders, as Microsoft lists them now"))
_BUSY = Notice(
    kind="info",
    title=Words("The folders could not be listed now"),
    text=Words("The mailbox is being read, or waits after a failure. They appear here with the next sync."),
)
_TOO_LONG = Notice(
    kind="bad",
    title=Words("Nothing happened"),
    text=Words("This page was open too long. Look at it again, and press the button."),
)


@dataclass(frozen=True, kw_only=True)
class _Posted:
    """What the form said: a choice, and how its day was put."""

    choice: Choice
    since: ShownSince


def mailbox_folders(mailbox_id: int) -> ResponseReturnValue:
    """Show and save which folders are read, and from when on; list and count them at Microsoft's where asked to."""
    mailbox = theirs(mailbox_id)
    if mailbox is None or mailbox.state in DISCONNECTED:
        return not_found()
    if request.method == "GET":
        return _page(mailbox, notices=[notice for name, notice in _DONE.items() if name in request.args])
    if not CsrfForm().validate():
        return _page(mailbox, notices=[_TOO_LONG])
    posted, wanted = _posted(mailbox), request.form.get("do")
    if wanted == "list":
        return _list(mailbox, posted)
    if posted.since.error:
        return _page(mailbox, posted)
    return _count(mailbox, posted) if wanted == "count" else _save(mailbox, posted)


def folder_delete(mailbox_id: int, folder_id: int) -> ResponseReturnValue:
    """Delete what is stored of a folder that is read no more, once it was said what is lost."""
    state, mailbox = current_state(), theirs(mailbox_id)
    folder = state.folder_mail.look_at(mailbox_id, folder_id) if mailbox and mailbox.state not in DISCONNECTED else None
    if mailbox is None or folder is None:
        return not_found()
    notices = []
    if request.method == "POST":
        if CsrfForm().validate():
            state.folder_mail.delete(mailbox_id, folder_id, actor=state.current_user_id())
            return _back(mailbox_id, "deleted")
        notices = [_TOO_LONG]
    return render_template("ms365/folder_delete.html", form=CsrfForm(), mailbox=mailbox, folder=folder, notices=notices)


def _save(mailbox: Mailbox, posted: _Posted) -> ResponseReturnValue:
    state, mailbox_id = current_state(), mailbox.id
    try:
        has_changed = state.choices.save(mailbox_id, posted.choice, actor=state.current_user_id())
    except NothingRead as exc:
        return _page(mailbox, posted, refusal=exc.words)
    if has_changed:
        state.wake(mailbox_id)
    return _back(mailbox_id, "saved" if has_changed else "unchanged")


def _list(mailbox: Mailbox, posted: _Posted) -> ResponseReturnValue:
    """Show the form as it was sent, with the folders that Microsoft lists now."""
    try:
        notice = _LISTED if current_state().choices.list_folders(mailbox.id) else _BUSY
    except MS365Error as exc:
        notice = _refused(Words("The folders could not be listed"), exc)
    return _page(mailbox, posted, notices=[notice])


def _count(mailbox: Mailbox, posted: _Posted) -> ResponseReturnValue:
    """Show the form as it was sent, with how much mail that would be."""
    state, since = current_state(), since_for(posted.choice.sync_from, _by_settings())
    try:
        if not state.choices.folders(mailbox.id):
            state.choices.list_folders(mailbox.id)
        count = state.choices.count(mailbox.id, posted.choice, since)
    except MS365Error as exc:
        return _page(mailbox, posted, notices=[_refused(Words("The messages could not be counted"), exc)])
    return _page(mailbox, posted, count=count)


def _refused(title: Words, error: MS365Error) -> Notice:
    code = getattr(error, "code", "")
    return Notice(kind="bad", title=title, text=error.words, details=[(Words("Code"), code)] if code else [])


def _back(mailbox_id: int, done: str) -> ResponseReturnValue:
    return redirect(f"{url_for('.mailbox_folders', mailbox_id=mailbox_id)}?{done}=1", 303)


def _page(
    mailbox: Mailbox,
    posted: _Posted | None = None,
    *,
    refusal: str = "",
    count: Count | None = None,
    notices: Sequence[Notice] = (),
) -> str:
    folders, shown = current_state().choices.folders(mailbox.id), posted or _as_stored(mailbox)
    errors = {"folders": refusal, "day": shown.since.error}
    fields = {"folders": "ms365-folders", "day": "ms365-since-day"}
    return render_template(
        "ms365/folders.html",
        form=CsrfForm(),
        mailbox=mailbox,
        back=page_of(mailbox),
        folders=folders,
        ticked={folder.id for folder in _all(folders) if _is_ticked(folder, shown.choice)},
        kept_count=sum(folder.stored for folder in _all(folders) if not folder.is_read),
        reads_new=shown.choice.reads_new,
        since=shown.since,
        days=current_snapshot().number("sync_since"),
        count=count,
        errors=errors,
        summary=[(fields[name], words) for name, words in errors.items() if words],
        notices=notices,
    )


def _is_ticked(folder: ShownFolder, choice: Choice) -> bool:
    return folder.id in choice.ticked if folder.id in choice.shown else folder.is_read


def _as_stored(mailbox: Mailbox) -> _Posted:
    choice = Choice(reads_new=mailbox.reads_new_folders, shown=(), ticked=(), sync_from=mailbox.sync_from)
    return _Posted(choice=choice, since=stored_since(mailbox.sync_from))


def _posted(mailbox: Mailbox) -> _Posted:
    """Return what the form says; what it leaves out stays as it is."""
    since = posted_since(stored_since(mailbox.sync_from))
    choice = Choice(
        reads_new=request.form.get("new", "all" if mailbox.reads_new_folders else "only") != "only",
        shown=_ids("shown"),
        ticked=_ids("read"),
        sync_from=since.moment,
    )
    return _Posted(choice=choice, since=since)


def _ids(name: str) -> set[int]:
    return set(request.form.getlist(name, type=row_id))


def _all(folders: Sequence[ShownFolder]) -> Iterator[ShownFolder]:
    for folder in folders:
        yield folder
        yield from _all(folder.below)


def _by_settings() -> datetime | None:
    return since_of(current_snapshot().number("sync_since"), current_state().clock())
