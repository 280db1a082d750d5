"""One process of the host: its name, its function, and the form of its options."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from flask_ms365.errors import ConfigurationError

if TYPE_CHECKING:
    from wtforms import Form

    from flask_ms365.models import Message

# with what stands before it, it is the code of a message that was set aside
LONGEST_NAME = 50
_FAILED = "process:"

ProcessFunction = Callable[["Message", dict[str, Any]], object]
# what a form was filled in with, as a browser sends it: field name -> its texts
Texts = Mapping[str, Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class Process:
    """A function ``(message, options)`` that admins may choose for a mailbox."""

    name: str
    call: ProcessFunction
    form: type[Form] | None = None

    def options_form(self, texts: Texts | None = None, *, prefix: str = "") -> Form | None:
        """Return the form, filled in with ``texts`` or with its defaults; None where the process has no options.

        In the page, the names of its fields begin with ``prefix``.
        """
        if self.form is None:
            return None
        # whoever shows it has a token of their own; and where mail is read there is no request
        filled_in = None if texts is None else MultiDict({f"{prefix}{name}": sent for name, sent in texts.items()})
        return self.form(formdata=filled_in, prefix=prefix, meta={"csrf": False})

    def options(self, texts: Texts | None) -> dict[str, Any]:
        """Return the form's data: numbers, dates and choices as its fields make them."""
        form = self.options_form(texts)
        return {} if form is None else dict(form.data)


class ProcessFailed(Exception):
    """A process of the host raised over a message."""

    def __init__(self, process: str) -> None:
        super().__init__(f"The process {process} failed.")
        self.process = process


def failed_code(process: str) -> str:
    """Return the code by which a message is set aside that ``process`` failed over."""
    return f"{_FAILED}{process}"


def process_of(code: str) -> str:
    """Return the process that a message was set aside for; empty where it was none."""
    return code.removeprefix(_FAILED) if code.startswith(_FAILED) else ""


def add_process(known: MutableMapping[str, Process], process: Process) -> None:
    """Add a process to those of an app; raise :exc:`ConfigurationError` where its name will not do."""
    if not 0 < len(process.name) <= LONGEST_NAME:
        raise ConfigurationError(f"The name of a process has 1 to {LONGEST_NAME} characters.")
    if process.name in known:
        raise ConfigurationError(f"There are two processes with the name {process.name!r}. Give one another name.")
    known[process.name] = process


@contextmanager
def kept_open(session: Session) -> Iterator[None]:
    """Raise where the transaction under way is ended within: what it stores must stand or fall as one.

    Savepoints that are begun within may be ended within.
    """
    before = session.get_transaction(), session.get_nested_transaction()

    def refuse(_session: Session) -> None:
        if (session.get_transaction(), session.get_nested_transaction()) == before:
            raise RuntimeError("A process must not commit.")

    event.listen(session, "before_commit", refuse)
    try:
        yield
    finally:
        event.remove(session, "before_commit", refuse)
    if (session.get_transaction(), session.get_nested_transaction()) != before:
        raise RuntimeError("A process must not roll back, and must end the savepoints that it begins.")
