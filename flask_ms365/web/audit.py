"""The audit log: a page with filters, and the same as CSV."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import date
from io import StringIO
from typing import Any

from flask import Response, render_template, request, stream_with_context, url_for
from flask.typing import ResponseReturnValue

from flask_ms365.audit import Wanted, all_events, list_events
from flask_ms365.state import current_state
from flask_ms365.web.audit_words import AREAS, DOORS, area_of, sentence
from flask_ms365.web.row_id import row_id
from flask_ms365.words import Words, visible

_COLUMNS = ("time", "actor", "door", "ip", "action", "target", "event")
# what spreadsheets take for a formula, also behind space and quotes that they strip
_FORMULA = re.compile(r"[\t\r\n]|[\s\"']*[=+\-@＝＋－＠]")


def audit() -> ResponseReturnValue:
    """Show what happened, newest first."""
    session, wanted = current_state().session, _wanted()
    after = request.args.get("after", type=row_id)
    found = list_events(session, wanted, before=request.args.get("before", type=row_id), after=after)
    if after and not found.events:
        found = list_events(session, wanted)
    chosen = _chosen(wanted)
    ids = [event.id for event in found.events]
    return render_template(
        "ms365/audit.html",
        rows=[_row(event) for event in found.events],
        areas=[("", Words("All")), *((area, label) for area, (label, _) in AREAS.items())],
        chosen=chosen,
        newer_url=url_for(".audit", after=ids[0], **chosen) if ids and found.has_newer else None,
        older_url=url_for(".audit", before=ids[-1], **chosen) if ids and found.has_older else None,
        csv_url=url_for(".audit_csv", **chosen),
    )


def audit_csv() -> ResponseReturnValue:
    """Stream the events that the filters leave, with formulas made harmless."""
    events = all_events(current_state().session, _wanted())
    response = Response(stream_with_context(_lines(events)), content_type="text/csv; charset=utf-8; header=present")
    response.headers["Content-Disposition"] = "attachment; filename=microsoft-365-audit.csv"
    return response


def _wanted() -> Wanted:
    args = request.args
    return Wanted(
        since=args.get("from", type=date.fromisoformat),
        until=args.get("to", type=date.fromisoformat),
        # no database looks for NUL
        who=args.get("who", "").strip().replace("\0", ""),
        areas=AREAS[args["what"]][1] if args.get("what") in AREAS else (),
    )


def _chosen(wanted: Wanted) -> dict[str, Any]:
    """Return the filters that were understood, by their names in the address."""
    given = {
        "from": wanted.since.isoformat() if wanted.since else "",
        "to": wanted.until.isoformat() if wanted.until else "",
        "who": wanted.who,
        "what": request.args.get("what", "") if wanted.areas else "",
    }
    return {name: value for name, value in given.items() if value}


def _row(event: Any) -> dict[str, object]:
    return {
        "at": event.at,
        "who": visible(event.actor),
        "door": DOORS.get(event.door, event.door),
        "ip": event.ip,
        "area": area_of(event.action),
        "sentence": sentence(event),
    }


def _lines(events: Iterator[Any]) -> Iterator[bytes]:
    line = StringIO()
    writer = csv.writer(line)
    writer.writerow(_COLUMNS)
    yield _taken(line)
    for event in events:
        cells = (event.actor, event.door, event.ip, event.action, event.target, sentence(event))
        writer.writerow([event.at.isoformat(timespec="seconds"), *map(_cell, cells)])
        yield _taken(line)


def _taken(line: StringIO) -> bytes:
    """Return what was written, and begin anew."""
    text = line.getvalue()
    line.seek(0)
    line.truncate()
    return text.encode(errors="replace")


def _cell(text: str | None) -> str:
    """Return a cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text and _FORMULA.match(text) else text or ""
