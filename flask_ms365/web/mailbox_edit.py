"""What the team calls a mailbox, who answers for it, and who may read it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_ms365.directory import MOST_FOUND, DirectoryEntry
from flask_ms365.errors import MailboxRefused
from flask_ms365.mailboxes.access import WAYS
from flask_ms365.mailboxes.edit import LONGEST_LABEL, Chosen, SavedMeanwhile
from flask_ms365.mailboxes.readers import Readers, readers_in_words
from flask_ms365.models import Mailbox
from flask_ms365.state import State, current_state
from flask_ms365.web.forms import CsrfForm
from flask_ms365.web.problem import not_found
from flask_ms365.web.words import Notice
from flask_ms365.words import Words

_SAVED = Notice(kind="ok", title=Words("Saved"), text=Words("What is read of this mailbox stays as it was."))
_TOO_LATE = Notice(
    kind="warn",
    title=Words("Nothing was saved"),
    text=Words("This page was open too long. Look at it again, and press the button."),
)
# what of the form a refusal leads to
_CONTROLS = {"label": "ms365-label", "owner": "ms365-owner", "readers": "ms365-readers"}


def mailbox_edit(mailbox_id: int) -> ResponseReturnValue:
    """Show and change what people chose; ``who`` looks for people by name."""
    state = current_state()
    found = state.mailboxes.find(mailbox_id)
    if found is None or found.state == "deleting":
        return not_found()
    if request.method != "POST":
        return _page(found, state.editing.look_at(found), [_SAVED] if "saved" in request.args else [])
    wanted, version = _posted(), request.form.get("version", "")
    if not CsrfForm().validate():
        return _page(found, wanted, [_TOO_LATE], version=version)
    try:
        state.editing.save(mailbox_id, wanted, version=version, actor=state.current_user_id())
    except MailboxRefused as exc:
        return _page(found, wanted, version=version, refusal=exc)
    except SavedMeanwhile as exc:
        return _page(found, wanted, [_meanwhile(state, found, exc)])
    return redirect(url_for(".mailbox_edit", mailbox_id=mailbox_id, saved=1), 303)


def _posted() -> Chosen:
    form = request.form
    users, roles = (frozenset(map(_id, form.getlist(name))) - {""} for name in ("person", "role"))
    return Chosen(
        label=form.get("label", ""),
        owner_id=_id(form.get("owner", "")),
        readers=Readers(users=users, roles=roles, is_everyone="everyone" in form),
    )


def _id(text: str) -> str:
    return text.replace("\0", "").strip()


def _page(
    found: Mailbox,
    chosen: Chosen,
    notices: Sequence[Notice] = (),
    *,
    version: str | None = None,
    refusal: MailboxRefused | None = None,
) -> str:
    """Show the form as it was filled in; without a ``version`` what is stored now is what it starts from."""
    state, who = current_state(), request.args.get("who", "").strip()
    stored = state.editing.look_at(found)
    results = state.directory.search(who)
    return render_template(
        "ms365/mailbox_edit.html",
        form=CsrfForm(),
        mailbox=found,
        way=WAYS[found.access],
        chosen=chosen,
        version=stored.version if version is None else version,
        longest_label=LONGEST_LABEL,
        has_directory=state.directory.is_there,
        who=who,
        results=results,
        has_more=len(results) == MOST_FOUND,
        **_people(state, stored, chosen, results),
        roles=_roles(state, stored, chosen),
        errors={refusal.field: refusal.words} if refusal else {},
        summary=[(_CONTROLS[refusal.field], refusal.words)] if refusal else [],
        notices=notices,
    )


def _people(state: State, stored: Chosen, chosen: Chosen, results: Sequence[DirectoryEntry]) -> dict[str, Any]:
    """Return who can be ticked as a reader, and who can be chosen to answer for the mailbox."""
    you = state.current_user_id()
    known = {entry.id: entry.name for entry in results}
    others = stored.users | chosen.users | ({you} if you else set())
    names = {one: one for one in others} | state.directory.names_of(others - set(known)) | known
    may_read = stored.readers.users | chosen.readers.users | set(known)
    return {"people": _entries(names, may_read), "owners": _entries(names, names)}


def _roles(state: State, stored: Chosen, chosen: Chosen) -> list[DirectoryEntry]:
    """Return all roles; one that was let in and is no more, or cannot be asked for now, can still be unticked."""
    names = {role.id: role.name for role in state.directory.roles()}
    let_in = stored.readers.roles | chosen.readers.roles
    return _entries({one: one for one in let_in} | names, let_in | set(names))


def _entries(names: dict[str, str], ids: Iterable[str]) -> list[DirectoryEntry]:
    return sorted((DirectoryEntry(one, names[one]) for one in ids), key=lambda entry: (entry.name.lower(), entry.id))


def _meanwhile(state: State, found: Mailbox, error: SavedMeanwhile) -> Notice:
    """Tell what is stored now, beside what the visitor typed."""
    stored = state.editing.look_at(found)
    owner = state.directory.name_of(stored.owner_id) if stored.owner_id else Words("Nobody")
    readers = readers_in_words(state.session, state.directory, found, user_id=state.current_user_id())
    return Notice(
        kind="warn",
        title=Words("Nothing was saved"),
        text=error.words,
        next_step=Words("Below is what you entered. Save again to have it replace what is stored now."),
        details=[
            (Words("Name"), stored.label or Words("empty")),
            (Words("Owner"), owner),
            *((Words("Who may read it"), one) for one in readers),
        ],
        is_open=True,
    )
