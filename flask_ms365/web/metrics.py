"""Numbers for Prometheus. Nobody outside is asked, and no mailbox is named."""

from __future__ import annotations

from flask import Response, request
from flask.typing import ResponseReturnValue

from flask_ms365.state import current_state


def metrics() -> ResponseReturnValue:
    """Answer in Prometheus' text format, or in OpenMetrics where that is asked for."""
    # imported late: few processes are scraped, and what writes the format takes a while to load
    from flask_ms365.metrics import exposition

    state = current_state()
    text, content_type = exposition(
        state.session,
        state.settings.read(),
        is_held=state.circuits.what_holds(state.registration) is not None,
        now=state.clock(),
        accept=request.headers.get("Accept"),
    )
    return Response(text, content_type=content_type)
