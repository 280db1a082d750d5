"""Choose what is done with the new mail of a mailbox."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from flask_ms365.audit import record
from flask_ms365.models import Mailbox, Processed, write_transaction
from flask_ms365.models.base import AnySession
from flask_ms365.processes.dry_run import Trial, try_on
from flask_ms365.processes.process import Process, Texts


@dataclass(frozen=True, kw_only=True)
class Processes:
    """The processes of one app, and which mailbox has which."""

    session: AnySession
    # by name; the host may go on adding
    known: Mapping[str, Process]
    clock: Callable[[], datetime]

    def choose(self, mailbox_id: int, name: str, options: Texts | None, *, actor: str | None) -> None:
        """Let a process be called for the mail of a mailbox that is received from now on; without a name, none.

        Where it is the same as before, only its options change: mail of a time that nobody read is not skipped.
        """
        with write_transaction(self.session):
            mailbox = self.session.get_one(Mailbox, mailbox_id, with_for_update=True, populate_existing=True)
            before, old_options = mailbox.process or "", mailbox.process_options
            mailbox.process = name or None
            mailbox.process_options = None if options is None else {key: list(texts) for key, texts in options.items()}
            if name != before:
                # to the second, as Microsoft tells when mail was received
                mailbox.process_since = self.clock().replace(microsecond=0) if name else None
                self._record("mailbox.process_chosen" if name else "mailbox.process_off", mailbox, before, actor)
            elif mailbox.process_options != old_options:
                self._record("mailbox.process_options_changed", mailbox, before, actor)

    def is_gone(self, mailbox: Mailbox) -> bool:
        """Tell whether a mailbox names a process that the host has no more: nothing is done with its mail."""
        return bool(mailbox.process) and mailbox.process not in self.known

    def count(self, mailbox: Mailbox) -> int:
        """Return for how many conversations of a mailbox its process was called."""
        called = Processed.mailbox_id == mailbox.id, Processed.process == mailbox.process
        return self.session.scalar(select(func.count()).where(*called)) or 0

    def try_on(self, mailbox: Mailbox, process: Process, options: Texts | None) -> list[Trial]:
        """Tell what a process would do with the newest mail of a mailbox; nothing of it stays."""
        return try_on(self.session, mailbox, process, options)

    def _record(self, action: str, mailbox: Mailbox, before: str, actor: str | None) -> None:
        told: dict[str, Any] = {"process": mailbox.process or before}
        if mailbox.process and before and before != mailbox.process:
            told["before"] = before
        record(self.session, action, at=self.clock(), actor=actor, target=mailbox.address, **told)
