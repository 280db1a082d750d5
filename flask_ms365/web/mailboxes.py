"""The list of all mailboxes, of people and the team: worst first, and several of them paused or read at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from flask import render_template, request, url_for

from flask_ms365.mailboxes.charts import messages_a_day
from flask_ms365.mailboxes.listing import NEEDS_YOU, OVERDUE, STATES, MailboxList, Place, Wanted, list_mailboxes
from flask_ms365.mailboxes.progress import progress_of
from flask_ms365.mailboxes.status import WORDS
from flask_ms365.mailboxes.summary import Summary
from flask_ms365.state import current_state
from flask_ms365.web.disconnect import disconnected_notices
from flask_ms365.web.forms import CsrfForm
from flask_ms365.web.mailbox_scope import mailbox_scope
from flask_ms365.web.mailbox_state import NO_SUCCESS, state_view
from flask_ms365.web.mailboxes_selected import selected_notices
from flask_ms365.web.row_id import row_id
from flask_ms365.web.snapshot import current_snapshot, current_summary
from flask_ms365.web.version import version_of
from flask_ms365.words import Words, counted

_DAYS = 14
_CHOICES = (
    ("", Words("All")),
    (NEEDS_YOU, Words("Needs you")),
    *((state, NO_SUCCESS if state == OVERDUE else WORDS[state][0]) for state in STATES),
)


def mailboxes() -> str:
    """List the mailboxes, those first that need a person."""
    state, wanted = current_state(), _wanted()
    found = _found(wanted)
    given = {"state": wanted.state, "q": wanted.text}
    chosen: dict[str, Any] = {name: value for name, value in given.items() if value}
    places = [f"{row.rank}-{row.id}" for row in found.mailboxes]
    return render_template(
        "ms365/mailboxes.html",
        form=CsrfForm(),
        **list_view(found.mailboxes),
        choices=_CHOICES,
        chosen=chosen,
        place={**chosen, **{name: request.args[name] for name in ("before", "after") if name in request.args}},
        newer_url=url_for(".mailboxes", before=places[0], **chosen) if places and found.has_before else None,
        older_url=url_for(".mailboxes", after=places[-1], **chosen) if places and found.has_after else None,
        scope=mailbox_scope(state.mailboxes.application_addresses()),
        notices=[*disconnected_notices(), *selected_notices()],
    )


def list_view(rows: Sequence[Any]) -> dict[str, Any]:
    """Return what the list and its live part show of ``rows``; two statements."""
    state, ids = current_state(), [row.id for row in rows]
    now, progress = state.clock(), progress_of(state.session, ids)
    days = messages_a_day(state.session, ids, days=_DAYS, now=now)
    people = {user_id for row in rows for user_id in (row.owner_id, row.paused_by) if user_id}
    names = state.directory.names_of(people)
    return {
        "line": list(summary_line(current_summary(), is_on=current_snapshot().is_sync_on)),
        "mailboxes": [
            {
                **state_view(row, row.state, is_overdue=bool(row.is_overdue), now=now, names=names),
                "id": row.id,
                "name": row.label or row.address,
                "address": row.address,
                "owner": names.get(row.owner_id, row.owner_id) if row.kind == "user" else None,
                "progress": progress[row.id],
                "last_success_at": row.last_success_at,
                "days": days[row.id],
            }
            for row in rows
        ],
        "live_url": url_for(".mailboxes_live", ids=",".join(map(str, ids))) if ids else None,
        "version": list_version(rows),
    }


def list_version(rows: Sequence[Any]) -> str:
    """Return what changes with anything that the live part shows."""
    return version_of(list(summary_line(current_summary(), is_on=current_snapshot().is_sync_on)), map(tuple, rows))


def summary_line(summary: Summary, *, is_on: bool) -> Iterator[Words]:
    """Yield how all of them are, in a few words each."""
    if not is_on:
        yield Words("Emails sync is off")
    if summary.need_a_person:
        yield counted("%(count)s needs you", "%(count)s need you", summary.need_a_person)
    if is_on:
        yield counted("%(count)s up to date", "%(count)s up to date", summary.counts.get("up_to_date", 0))
        if syncing := summary.counts.get("syncing"):
            yield counted("%(count)s syncing", "%(count)s syncing", syncing)


def _found(wanted: Wanted) -> MailboxList:
    state = current_state()
    given: dict[str, Any] = {"settings": current_snapshot(), "now": state.clock()}
    before, after = (request.args.get(name, type=_place) for name in ("before", "after"))
    found = list_mailboxes(state.session, wanted, before=before, after=after, **given)
    # whoever went back to where nothing is any more begins anew
    return found if found.mailboxes or not before else list_mailboxes(state.session, wanted, **given)


def _wanted() -> Wanted:
    # no database looks for NUL
    text = request.args.get("q", "").strip().replace("\0", "")
    state = request.args.get("state", "")
    owners = [person.id for person in current_state().directory.search(text)]
    return Wanted(state=state if state in dict(_CHOICES) else "", text=text, owners=owners)


def _place(text: str) -> Place:
    rank, _, mailbox_id = text.partition("-")
    if not 0 <= int(rank) <= len(STATES):
        raise ValueError
    return Place(int(rank), row_id(mailbox_id))
