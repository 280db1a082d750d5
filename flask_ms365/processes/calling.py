"""Call the process of a mailbox while its mail is stored: in the page's transaction, once a conversation, ever."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import exists, func, select
from sqlalchemy.orm import object_session

from flask_ms365.models import Mailbox, Message, Processed
from flask_ms365.models.base import AnySession, in_batches
from flask_ms365.processes.first import first_messages, own_addresses
from flask_ms365.processes.process import Process, ProcessFailed, kept_open
from flask_ms365.sync.changes import Change, Handler

if TYPE_CHECKING:
    from flask_ms365.sync.plan import Write

# the clocks of those who choose a process and those who read mail may differ by less than this
_SKEW = timedelta(hours=1)
_CHOSEN = select(Mailbox.process, Mailbox.process_options, Mailbox.process_since, Mailbox.address, Mailbox.upn)


class Calling:
    """The calls of one run over one mailbox.

    A page without new mail costs no statement, and where no process is chosen, or where all of the mail is older, the
    pages of a run cost one between them.
    """

    def __init__(
        self,
        *,
        session: AnySession,
        processes: Mapping[str, Process],
        mailbox_id: int,
        clock: Callable[[], datetime],
    ) -> None:
        self._session = session
        self._processes = processes
        self._mailbox_id = mailbox_id
        self._clock = clock
        # mail that was received before then is for no process, also not for one that is chosen by now
        self._from: datetime | None = None

    def handlers(self, told: Sequence[Write]) -> list[Handler]:
        """Return what is to be told of a page that has just been written: nothing, or the mailbox's process.

        It is looked up in the transaction that stores the page: whoever switches it off waits for the end of that.
        """
        new = {write.graph_id for write in told if self._processes and self._is_new(write)}
        if not new:
            return []
        chosen = self._session.execute(_CHOSEN.where(Mailbox.id == self._mailbox_id)).one()
        self._from = chosen.process_since or self._clock() - _SKEW
        process = self._processes.get(chosen.process or "")
        if process is None:  # none was chosen, or the host has it no more
            return []
        due = self._due(chosen, new)
        return [self._handler(process, chosen.process_options, due)] if due else []

    def _is_new(self, write: Write) -> bool:
        received_at = write.values.get("received_at")
        if write.change is not Change.CREATED or not isinstance(received_at, datetime):
            return False
        return self._from is None or received_at >= self._from

    def _due(self, chosen: Any, graph_ids: Collection[str]) -> dict[int, str]:
        """Return message id -> conversation, of those that are not processed yet."""
        key = func.coalesce(Message.conversation_id, Message.graph_id)
        is_done = exists().where(Processed.mailbox_id == self._mailbox_id, Processed.conversation_id == key)
        firsts = first_messages(self._mailbox_id, own_addresses(chosen)).where(
            Message.received_at >= chosen.process_since, ~is_done
        )
        found: dict[int, str] = {}
        for ids in in_batches(graph_ids):
            rows = self._session.execute(firsts.where(Message.graph_id.in_(ids)))
            found |= {row.id: row.conversation for row in rows}
        return found

    def _handler(self, process: Process, options: Any, due: Mapping[int, str]) -> Handler:
        def call_process(message: Message, change: Change) -> None:
            if message.id in due:
                self._call(process, options, message, due[message.id])

        return call_process

    def _call(self, process: Process, options: Any, message: Message, conversation: str) -> None:
        row = Processed(
            mailbox_id=self._mailbox_id,
            conversation_id=conversation,
            process=process.name,
            message_id=message.id,
            at=self._clock(),
        )
        self._session.add(row)
        try:
            call(process, options, message)
        except Exception as exc:
            raise ProcessFailed(process.name) from exc


def call(process: Process, options: Any, message: Message) -> object:
    """Call a process within the transaction under way, write what it left with the session, and return its answer."""
    session = object_session(message)
    assert session is not None
    with kept_open(session):
        answer = process.call(message, process.options(options))
        session.flush()
    return answer
