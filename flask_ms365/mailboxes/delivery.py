"""Call the host's handlers with what people are to be told: each of them once, however often another one fails."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import Flask

from flask_ms365 import signals
from flask_ms365.mailboxes.trouble import Trouble, TroubleHandler
from flask_ms365.models.base import AnySession, hide_parameters
from flask_ms365.told import forget, tell, told_of

_log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Delivery:
    """Brings troubles to what one host has registered. ``handlers`` is read late."""

    app: Flask
    session: AnySession
    handlers: Sequence[TroubleHandler]
    clock: Callable[[], datetime]

    @property
    def hearers(self) -> list[TroubleHandler]:
        """Whoever is told: the handlers, and the signals where any is heard."""
        is_heard = bool(signals.mailbox_failing.receivers or signals.mailbox_healed.receivers)
        return [*self.handlers, *([self._send] if is_heard else [])]

    def deliver(self, trouble: Trouble) -> bool:
        """Call everybody who has not had it yet; return whether all have by now.

        Who had it is written down only while another one fails, until that one has had it too.
        """
        subject = f"notice:{trouble.mailbox_id}:{trouble.cause}:{trouble.is_over}"
        before = {name for _, name in told_of(self.session, [subject])}
        self.session.commit()  # no transaction is open while the host talks to others
        names = {f"handler {number}": handler for number, handler in enumerate(self.hearers)}
        had = {name for name, handler in names.items() if name not in before and self._call(handler, trouble)}
        is_done = names.keys() <= before | had
        for name in before if is_done else had:
            if is_done:
                forget(self.session, subject, user_id=name)
            else:
                tell(self.session, subject, at=self.clock(), user_id=name)
        return is_done

    def _call(self, handler: TroubleHandler, trouble: Trouble) -> bool:
        """Call one handler; what it left in the session is stored if it returns, and dropped if it raises."""
        try:
            handler(trouble)
            self.session.commit()
        except Exception as exc:  # the host's code: it must not keep others from hearing, or mail from being read
            self.session.rollback()
            hide_parameters(exc)
            told = {"event": "notice.failed", "mailbox_id": trouble.mailbox_id, "cause": trouble.cause}
            _log.exception("notice.failed", extra=told)
            return False
        return True

    def _send(self, trouble: Trouble) -> None:
        if trouble.mailbox_id is not None:
            signal = signals.mailbox_healed if trouble.is_over else signals.mailbox_failing
            signal.send(self.app, mailbox_id=trouble.mailbox_id, cause=trouble.cause)
