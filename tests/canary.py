"""Whatever is sealed must not come out: an eye on every page, header, log record, error and audit row of the tests."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from sqlalchemy import event
from werkzeug.test import Client

from flask_ms365.crypto import Keyring
from flask_ms365.errors import MS365Error
from flask_ms365.models import AuditEvent

_SHOWN = 3  # characters that a page may show of a secret
_ORDINARY = set(vars(logging.makeLogRecord({})))  # what every log record has
_LOGGERS = ("flask_ms365", "authlib", "requests", "urllib3")


class Canary(logging.Handler):
    """Remembers what was sealed and what was said; :meth:`leaks` compares the two."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.secrets: set[str] = set()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        extra = {name: value for name, value in vars(record).items() if name not in _ORDINARY}
        self.said.append(f"log: {self.format(record)} {extra}")

    def leaks(self) -> list[str]:
        """Return where a part of a secret was said."""
        everything = "\n".join(self.said)  # looked through once a piece, not once a piece and text
        pieces = {piece for secret in self.secrets for piece in _pieces(secret) if piece in everything}
        return [text[:200] for text in self.said if any(piece in text for piece in pieces)]


@contextmanager
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Canary]:
    """Watch until the end of the block."""
    canary, stack = Canary(), ExitStack()
    _listen_to_logs(canary, monkeypatch, stack)
    _listen(canary, monkeypatch)
    event.listen(AuditEvent, "after_insert", inserted := _audit_listener(canary))
    with stack:
        yield canary
    event.remove(AuditEvent, "after_insert", inserted)


def _listen_to_logs(canary: Canary, monkeypatch: pytest.MonkeyPatch, stack: ExitStack) -> None:
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        monkeypatch.setattr(logger, "level", logging.DEBUG)
        logger.addHandler(canary)
        stack.callback(logger.removeHandler, canary)
    logging.Logger.manager._clear_cache()  # type: ignore[attr-defined]  # levels are cached


def _listen(canary: Canary, monkeypatch: pytest.MonkeyPatch) -> None:
    """Go on as before, and remember."""
    seal, init, open_ = Keyring.seal, MS365Error.__init__, Client.open

    def sealed(keyring: Keyring, value: str, context: str) -> str:
        canary.secrets.add(value)
        return seal(keyring, value, context)

    def raised(error: MS365Error, *args: Any, **values: Any) -> None:
        init(error, *args, **values)
        canary.said.append(f"error: {error!r} {vars(error)}")

    def opened(client: Client, *args: Any, **values: Any) -> Any:
        response = open_(client, *args, **values)
        body = response.get_data().decode(errors="replace")
        canary.said.append(f"page: {response.status} {response.headers}\n{body}")
        return response

    monkeypatch.setattr(Keyring, "seal", sealed)
    monkeypatch.setattr(MS365Error, "__init__", raised)
    monkeypatch.setattr(Client, "open", opened)


def _audit_listener(canary: Canary) -> Any:
    def inserted(_mapper: Any, _connection: Any, row: AuditEvent) -> None:
        canary.said.append(f"audit: {row.actor} {row.action} {row.target} {row.detail}")

    return inserted


def _pieces(secret: str) -> Iterator[str]:
    """Yield the parts that nobody may say; what is too plain to tell from other text is left out."""
    if len(set(secret)) < 12:
        return
    step, length = (1, 8) if len(secret) <= 64 else (16, 16)
    yield secret[: _SHOWN + 5]
    for start in range(_SHOWN + 1, len(secret) - length + 1, step):
        yield secret[start : start + length]
