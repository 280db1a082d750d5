"""What pages ask for again and again while somebody looks: how mailboxes are, and nothing where nothing changed."""

from __future__ import annotations

from flask import render_template, request
from flask.typing import ResponseReturnValue

from flask_ms365.mailboxes.listing import these_mailboxes
from flask_ms365.mailboxes.status import status_of
from flask_ms365.state import current_state
from flask_ms365.web.found import is_theirs, seen
from flask_ms365.web.mailbox_figures import figures_view, mailbox_version
from flask_ms365.web.mailboxes import list_version, list_view
from flask_ms365.web.problem import not_found
from flask_ms365.web.row_id import row_id
from flask_ms365.web.snapshot import current_snapshot
from flask_ms365.web.version import only_if_changed


def mailboxes_live() -> ResponseReturnValue:
    """Show the mailboxes that a list shows, in its order: rows that jump about are no help. Three statements."""
    state = current_state()
    rows = these_mailboxes(state.session, _ids(), settings=current_snapshot(), now=state.clock())
    return only_if_changed(
        list_version(rows), lambda: render_template("ms365/parts/mailbox_list.html", **list_view(rows))
    )


def mailbox_live(mailbox_id: int) -> ResponseReturnValue:
    """Show how a mailbox is; two statements where nothing changed."""
    found = seen(mailbox_id)
    if found is None:
        return not_found()

    def render() -> str:
        state = current_state()
        status = status_of(state.session, found, settings=current_snapshot(), now=state.clock())
        return render_template(
            "ms365/parts/mailbox_figures.html", **figures_view(found, status, is_private=not is_theirs(found))
        )

    return only_if_changed(mailbox_version(found), render)


def _ids() -> list[int]:
    found = []
    for text in request.args.get("ids", "").split(","):
        try:
            found.append(row_id(text))
        except ValueError:
            continue
    return found
