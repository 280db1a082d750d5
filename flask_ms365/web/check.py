"""The connection check as a page: run it, watch it, link to what came of it."""

from __future__ import annotations

from collections.abc import Callable

from flask import make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_ms365.check.report import report
from flask_ms365.check.runs import Run
from flask_ms365.check.subject import Address
from flask_ms365.identity.clouds import CLOUDS
from flask_ms365.identity.portal import PAGES, portal_url
from flask_ms365.state import State, current_state
from flask_ms365.web.forms import CsrfForm
from flask_ms365.web.language import translated
from flask_ms365.web.redirect_uri import redirect_uri
from flask_ms365.web.snapshot import current_snapshot
from flask_ms365.web.words import Notice
from flask_ms365.words import Words, counted

# our pages that a step may send to, and what the link says
_MENDED_ON = {
    "settings": Words("Open the settings"),
    "setup": Words("Open the setup guide"),
    "my_email": Words("Test sign-in"),
}
_COUNTED: dict[str, Callable[[int], Words]] = {
    "passed": lambda count: counted("%(count)s passed", "%(count)s passed", count),
    "warning": lambda count: counted("%(count)s warning", "%(count)s warnings", count),
    "failed": lambda count: counted("%(count)s failed", "%(count)s failed", count),
    "not_checked": lambda count: counted("%(count)s not checked", "%(count)s not checked", count),
}


def check() -> ResponseReturnValue:
    """Show a run of the check; run it and come back. With JavaScript it runs step by step, row by row."""
    state, form = current_state(), CsrfForm()
    if request.method != "POST" or not form.validate():
        run = state.check.find(request.args.get("run", type=int))
        return render_template("ms365/check.html", form=form, notices=_notices(), **_shown(run))
    if "step" in request.form:
        return _next_step(state)
    recent = state.check.recent()
    if recent is not None:
        return redirect(url_for(".check", run=recent, again=1), 303)
    run_id = state.check.run_all(actor=state.current_user_id(), address=present_address())
    return redirect(url_for(".check", run=run_id), 303)


def present_address() -> Address:
    """Return the redirect URI as the check looks at it, compared with this request."""
    uri = redirect_uri(current_snapshot())
    return Address(redirect_uri=uri.value, warnings=tuple(uri.warnings), is_guess=uri.needs_confirmation)


def _next_step(state: State) -> ResponseReturnValue:
    """Run one step of a run, or begin one; answer with the rows alone."""
    run_id = request.form.get("run", type=int)
    if run_id is None:
        run_id = state.check.recent() or state.check.begin(actor=state.current_user_id())
    else:
        state.check.advance(run_id, present_address())
    return make_response(render_template("ms365/check_rows.html", **_shown(state.check.find(run_id))))


def _notices() -> list[Notice]:
    if "again" not in request.args:
        return []
    text = Words("The check ran a moment ago. This is what it found.")
    return [Notice(kind="info", title=Words("Not run again"), text=text)]


def _shown(run: Run | None) -> dict[str, object]:
    snapshot = current_snapshot()
    cloud, client_id = CLOUDS[str(snapshot.effective("cloud").value)], str(snapshot.effective("client_id").value or "")
    return {
        "run": run,
        "summary": [translated(words) for words in _summary(run)] if run else [],
        "report": report(run) if run and not run.is_running else "",
        "entra": {key: (page.label, portal_url(key, cloud, client_id)) for key, page in PAGES.items()},
        "ours": {endpoint: (label, url_for(f".{endpoint}")) for endpoint, label in _MENDED_ON.items()},
    }


def _summary(run: Run) -> list[Words]:
    return [words(run.counts[state]) for state, words in _COUNTED.items() if run.counts[state]]
