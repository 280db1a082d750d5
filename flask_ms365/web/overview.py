"""The overview: how it is in one line, what needs a person, and numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flask import render_template, url_for
from flask.typing import ResponseReturnValue

from flask_ms365.errors import EncryptionError, NoEncryptionKey
from flask_ms365.heartbeat import PASS, WORKER, Pulse
from flask_ms365.identity.circuit import in_words
from flask_ms365.mailboxes.proofs import last_check
from flask_ms365.mailboxes.status import WORDS
from flask_ms365.mailboxes.summary import MOST_COUNTED, Summary, count_held_tenants, count_messages
from flask_ms365.settings import spec_of
from flask_ms365.settings.snapshot import Snapshot
from flask_ms365.state import State, current_state
from flask_ms365.web.expiry import current_expiry, replace_url
from flask_ms365.web.held import kind_of, what_holds
from flask_ms365.web.redirect_uri import redirect_uri
from flask_ms365.web.setup_steps import present_check
from flask_ms365.web.snapshot import current_pulse, current_snapshot, current_summary
from flask_ms365.words import Words, counted

# who ticks -> as people know it; a host's own hook goes by its own name
_ENGINES = {
    "apscheduler": Words("This app itself"),
    "celery": "Celery",
    WORKER: "flask ms365 worker",
    PASS: "flask ms365 sync",
    "external": Words("Code of this app"),
}


@dataclass(frozen=True, kw_only=True)
class Need:
    """Something that waits for a person, and the page where it is mended."""

    kind: str
    text: str
    link: Words
    url: str


def overview() -> ResponseReturnValue:
    """Show how everything is; eight statements at most, whatever number of mailboxes there are."""
    state, snapshot, summary, pulse = current_state(), current_snapshot(), current_summary(), current_pulse()
    messages = count_messages(state.session)
    return render_template(
        "ms365/overview.html",
        is_on=snapshot.is_sync_on,
        line=_line(snapshot.is_sync_on, summary),
        needs=[
            *_setup_needs(state, snapshot),
            *_mailbox_needs(summary),
            *_engine_needs(state, snapshot, summary, pulse),
        ],
        counts=[(WORDS[name], summary.counts[name]) for name in WORDS if name in summary.counts],
        total=summary.total,
        last_success_at=summary.last_success_at,
        next_due_at=summary.next_due_at if snapshot.is_sync_on else None,
        last_tick_at=pulse.last_at,
        engine=_ENGINES.get(pulse.engine, pulse.engine) if pulse.last_at else "",
        next_tick_at=pulse.next_at if snapshot.is_sync_on and not pulse.is_late else None,
        messages=min(messages, MOST_COUNTED),
        has_more_messages=messages > MOST_COUNTED,
    )


def _line(is_on: bool, summary: Summary) -> Words:
    """Say how it is in one line."""
    if not is_on:
        return Words("Emails sync is off")
    if not summary.connected:
        return Words("Emails sync is on, and no mailbox is connected yet")
    fresh = summary.counts.get("up_to_date", 0)
    up_to_date = counted("%(count)s mailbox up to date", "%(count)s mailboxes up to date", fresh)
    if not summary.need_a_person:
        return Words("Emails sync is on, %(up_to_date)s", up_to_date=up_to_date)
    need = counted("%(count)s needs you", "%(count)s need you", summary.need_a_person)
    return Words("Emails sync is on, %(up_to_date)s, %(need)s", up_to_date=up_to_date, need=need)


def _setup_needs(state: State, snapshot: Snapshot) -> Iterator[Need]:
    """Yield what is wrong with settings and deployment."""
    settings = url_for(".settings")
    if not state.keyring:
        yield Need(kind="bad", text=NoEncryptionKey().words, link=Words("Settings"), url=settings)
    for key in snapshot.missing_credentials:
        text = Words("%(label)s is missing", label=spec_of(key).label)
        yield Need(kind="bad", text=text, link=Words("Enter it"), url=f"{settings}#{key}-value")
    try:
        snapshot.refuse_if_locked()
        snapshot.effective(snapshot.credential_key)
    except EncryptionError as exc:
        yield Need(kind="bad", text=exc.words, link=Words("Settings"), url=settings)
    if redirect_uri(snapshot).needs_confirmation:
        text = Words("The redirect URI is a guess until an admin confirms the address")
        yield Need(kind="warn", text=text, link=Words("Confirm it"), url=f"{settings}#ms365-redirect-uri")
    expiry = current_expiry()
    if expiry is not None and expiry.threshold is not None:
        kind = "bad" if expiry.has_ended else "warn"
        link = Words("Look at it") if expiry.kind == "federated" else Words("Replace it now")
        yield Need(kind=kind, text=expiry.words, link=link, url=replace_url(expiry))


def _mailbox_needs(summary: Summary) -> Iterator[Need]:
    """Yield what the mailboxes wait for."""
    names = ("sign_in_needed", "failed", "delete_failed")
    signed_out, failed, not_deleted = (summary.counts.get(name, 0) for name in names)
    if signed_out:
        text = counted(
            "%(count)s mailbox waits for its owner to sign in again",
            "%(count)s mailboxes wait for their owners to sign in again",
            signed_out,
        )
        yield Need(kind="bad", text=text, link=Words("My email"), url=url_for(".my_email"))
    if failed:
        text = counted("%(count)s mailbox could not be read", "%(count)s mailboxes could not be read", failed)
        yield Need(kind="bad", text=text, link=Words("Connection check"), url=url_for(".check"))
    if not_deleted:
        text = counted(
            "The database refuses to delete the mail of %(count)s mailbox: records of this app still refer to it",
            "The database refuses to delete the mail of %(count)s mailboxes: records of this app still refer to it",
            not_deleted,
        )
        yield Need(kind="bad", text=text, link=Words("Audit log"), url=url_for(".audit", what="mailboxes"))


def _engine_needs(state: State, snapshot: Snapshot, summary: Summary, pulse: Pulse) -> Iterator[Need]:
    """Yield what stands in the way of all mailboxes."""
    check, link = present_check(snapshot, last_check(state.session)), Words("Connection check")
    if check is not None and "failed" in check.states.values():
        yield Need(kind="bad", text=Words("The last connection check failed"), link=link, url=url_for(".check"))
    held = what_holds(state)
    if held is not None:
        yield Need(kind=kind_of(held), text=in_words(held), link=link, url=url_for(".check"))
    resting = count_held_tenants(state.session, now=pulse.now) if summary.counts.get("waiting") else 0
    if resting:
        text = counted(
            "Microsoft asked all mailboxes of %(count)s organisation to wait; they go on by themselves",
            "Microsoft asked all mailboxes of %(count)s organisations to wait; they go on by themselves",
            resting,
        )
        yield Need(kind="warn", text=text, link=link, url=url_for(".check"))
    if state.hook_problem:
        yield Need(kind="warn", text=state.hook_problem, link=link, url=url_for(".check"))
    if snapshot.is_sync_on and pulse.is_silent:
        yield Need(kind="bad", text=_silence(pulse), link=link, url=url_for(".check"))
    elif summary.stalled:  # where nobody looks, none of them is to blame
        text = counted(
            "%(count)s mailbox has had no success for long",
            "%(count)s mailboxes have had no success for long",
            summary.stalled,
        )
        yield Need(kind="bad", text=text, link=link, url=url_for(".check"))


def _silence(pulse: Pulse) -> Words:
    """Say for how long nobody has looked for mail."""
    if pulse.last_at is None:
        return Words("Nothing has looked for mail yet: no scheduler or worker is running")
    minutes = int((pulse.now - pulse.last_at).total_seconds() // 60)
    return counted(
        "Nothing has looked for mail for %(count)s minute",
        "Nothing has looked for mail for %(count)s minutes",
        minutes,
    )
