"""The connection check as a page: run it, watch it, link to what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_ms365.check.report import report
from flask_ms365.check.runs import Run
from flask_ms365.check.subject import Address
from flask_ms365.identity.clouds import CLOUDS
from flask_ms365.identity.portal import PAGES, portal_url
from flask_ms365.permissions import Permission
from flask_ms365.state import State, current_state
from flask_ms365.web.access import is_allowed
from flask_ms365.web.forms import CsrfForm
from flask_ms365.web.language import translated
from flask_ms365.web.redirect_uri import redirect_uri
from flask_ms365.web.row_id import row_id
from flask_ms365.web.snapshot import current_snapshot
from flask_ms365.web.words import Notice
from flask_ms365.words import Words, counted

# our pages that a step may send to, and what the link says
_MENDED_ON = {
    "settings": Words("Open the settings"),
    "setup": Words("Open the setup guide"),
    "my_email": Words("Test sign-in"),
    "mailboxes": Words("Open the mailboxes"),
}
_COUNTED: dict[str, Callable[[int], Words]] = {
    "passed": lambda count: counted("%(count)s passed", "%(count)s passed", count),
    "warning": lambda count: counted("%(count)s warning", "%(count)s warnings", count),
    "failed": lambda count: counted("%(count)s failed", "%(count)s failed", count),
    "not_checked": lambda count: counted("%(count)s not checked", "%(count)s not checked", count),
}
_JUST_NOW = Notice(
    kind="info",
    title=Words("Not run again"),
    text=Words("The check ran a moment ago. This is what it found."),
)
_TOO_LATE = Notice(
    kind="warn",
    title=Words("Not run"),
    text=Words("This page was open too long. Run the check again."),
)


def check() -> ResponseReturnValue:
    """Show a run of the check; run it and come back. With JavaScript it runs step by step, row by row."""
    state, form = current_state(), CsrfForm()
    if request.method != "POST":
        notices = [_JUST_NOW] if "again" in request.args else []
        return _page(form, state.check.find(request.args.get("run", type=row_id)), notices)
    if not form.validate():
        return _page(form, state.check.find(), [_TOO_LATE]), 400
    if "step" in request.form:
        return _next_step(state)
    recent = state.check.recent()
    if recent is not None:
        state.check.finish(recent, present_address(), forbidden=_forbidden())
        return redirect(url_for(".check", run=recent, again=1), 303)
    run = _run_all(state)
    return _page(form, run) if run.id is None else redirect(url_for(".check", run=run.id), 303)


def present_address() -> Address:
    """Return the redirect URI as the check looks at it, compared with this request."""
    uri = redirect_uri(current_snapshot())
    return Address(redirect_uri=uri.value, warnings=tuple(uri.warnings), is_guess=uri.needs_confirmation)


def _run_all(state: State) -> Run:
    return state.check.run_all(actor=state.current_user_id(), address=present_address(), forbidden=_forbidden())


def _forbidden() -> str:
    """Return the address that the visitor says this app must not read by itself."""
    return request.form.get("forbidden", "").strip()


def _next_step(state: State) -> str:
    """Run one step of a run, or begin one; answer with the rows alone."""
    run_id, is_repeated = request.form.get("run", type=row_id), False
    if run_id is None:
        run_id = state.check.recent()
        is_repeated = run_id is not None
        run_id = run_id or state.check.begin(actor=state.current_user_id())
    else:
        state.check.advance(run_id, present_address(), forbidden=_forbidden())
    run = state.check.find(run_id) if run_id is not None else _run_all(state)
    return render_template("ms365/check_rows.html", just_now=_JUST_NOW if is_repeated else None, **_shown(run))


def _page(form: CsrfForm, run: Run | None, notices: Sequence[Notice] = ()) -> str:
    has_own_permission = bool(current_state().mailboxes.application_addresses())
    return render_template(
        "ms365/check.html", form=form, notices=notices, asks_forbidden=has_own_permission, **_shown(run)
    )


def _shown(run: Run | None) -> dict[str, object]:
    return {
        "run": run,
        "summary": [translated(words) for words in _summary(run)] if run else [],
        "report": report(run) if run and not run.is_running else "",
        **links(),
    }


def links() -> dict[str, object]:
    """Return what an outcome may send to: Microsoft's pages and ours, by the names that outcomes use, and a form."""
    snapshot = current_snapshot()
    cloud, client_id = CLOUDS[snapshot.text("cloud")], snapshot.text("client_id")
    return {
        "entra": {key: (page.label, portal_url(key, cloud, client_id)) for key, page in PAGES.items()},
        "ours": {endpoint: (label, url_for(f".{endpoint}")) for endpoint, label in _MENDED_ON.items()},
        "consent_form": CsrfForm() if is_allowed(Permission.MANAGE_SETTINGS) else None,
    }


def _summary(run: Run) -> list[Words]:
    return [words(run.counts[state]) for state, words in _COUNTED.items() if run.counts[state]]
