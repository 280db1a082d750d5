"""Write pages around what cannot be written: one message must not be in the way of all that follow it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from flask import Flask
from sqlalchemy.exc import DBAPIError

from flask_ms365.graph.types import AttachmentData
from flask_ms365.processes.process import ProcessFailed, failed_code
from flask_ms365.signals import message_synced
from flask_ms365.sync.page import Aside, HandlerFailed, Page
from flask_ms365.sync.plan import Write
from flask_ms365.sync.refused import is_refused_value
from flask_ms365.sync.report import RunReport
from flask_ms365.sync.store import Store

# why a message was set aside that Graph gave us
REFUSED, HANDLER_FAILED = "refusedByDatabase", "handlerFailed"

# where so many messages are all a page has to tell, and a handler fails over each, no message is to blame
_ALL = 10


@dataclass(frozen=True, kw_only=True)
class Writer:
    """Writes the pages of one run, counts them, and tells the host's signals once they are committed."""

    app: Flask
    store: Store
    report: RunReport
    aside: Callable[[Write, str], Aside]

    def write(self, page: Page) -> None:
        """Store a page; set aside what the database refuses, or what a handler failed over time and again."""
        try:
            changes, told = self.store.write(page)
        except HandlerFailed as exc:
            if not self.store.is_careful_with(page) or _is_broken(exc, page):
                raise
            self.write(self._without(page, {key: _code(cause) for key, cause in exc.causes.items()}))
            return
        except DBAPIError as exc:
            if not page.writes or not is_refused_value(exc):
                raise
            self._write_halves(page)
            return
        self.report.pages += 1
        self.report.changes += changes
        self.report.set_aside += len(page.set_aside)
        for message_id, change in told:
            message_synced.send(self.app, message_id=message_id, change=change)

    def _write_halves(self, page: Page) -> None:
        """Store a page in two parts, the cursor with the last, down to the one message that is refused."""
        if len(page.writes) == 1:
            self.write(self._without(page, {page.writes[0].graph_id: REFUSED}))
            return
        middle = len(page.writes) // 2
        first, second = page.writes[:middle], page.writes[middle:]
        self.write(Page(writes=first, attachments=_of(page, {write.graph_id for write in first})))
        self.write(replace(page, writes=second, attachments=_of(page, {write.graph_id for write in second})))

    def _without(self, page: Page, codes: Mapping[str, str]) -> Page:
        """Return a page without the messages of which ``codes`` says why they are set aside."""
        rest = [write for write in page.writes if write.graph_id not in codes]
        aside = [self.aside(write, codes[write.graph_id]) for write in page.writes if write.graph_id in codes]
        return replace(
            page,
            writes=rest,
            attachments=_of(page, {write.graph_id for write in rest}),
            set_aside=[*page.set_aside, *aside],
            taken_back=[key for key in page.taken_back if key not in codes],
        )


def _is_broken(failure: HandlerFailed, page: Page) -> bool:
    """Tell a handler that works for nothing from messages that it does not work for; those are tried again together.

    A process is one mailbox's own, and no reason to leave its other mail unread.
    """
    told = [write for write in page.writes if write.change is not None]
    is_a_process = any(isinstance(cause, ProcessFailed) for cause in failure.causes.values())
    return not is_a_process and not page.taken_back and len(failure.causes) == len(told) >= _ALL


def _code(cause: Exception) -> str:
    return failed_code(cause.process) if isinstance(cause, ProcessFailed) else HANDLER_FAILED


def _of(page: Page, graph_ids: Collection[str]) -> dict[str, Sequence[AttachmentData]]:
    return {key: items for key, items in page.attachments.items() if key in graph_ids}
