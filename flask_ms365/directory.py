"""Names and roles of the host's users: what a host passes as ``directory``, and how we ask it.

A directory tells who may read the mail of the team, so one that fails or answers nonsense closes: nobody has a role
then, and nobody is found.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar
from uuid import UUID

_log = logging.getLogger(__name__)

MOST_FOUND = 50
# ids of the host's are stored in columns of this length
LONGEST_ID = 128
# a statement asks for all roles of somebody at once, and SQLite of old takes 999 values
_MOST_ROLES = 500

T = TypeVar("T")


@dataclass(frozen=True)
class DirectoryEntry:
    """A user or a role of the host: ``id`` stays the same, ``name`` is what people call it."""

    id: str
    name: str


class Directory(Protocol):
    """What flask-ms365 asks about the host's users. A user's id is what ``current_user_id`` returns.

    Ids are compared as texts, and exactly. An answer may be any iterable; objects of the host's that have ``id`` and
    ``name`` will do for entries.
    """

    def names_of(self, user_ids: Collection[str]) -> Mapping[str, str]:
        """Return the names of these users by id; whoever is not, or no longer, a user is left out."""

    def search(self, text: str) -> Iterable[DirectoryEntry]:
        """Return users whose name or address has ``text`` in it; the first 50 are shown."""

    def roles(self) -> Iterable[DirectoryEntry]:
        """Return all roles that there are."""

    def roles_of(self, user_id: str) -> Collection[str]:
        """Return the ids of the roles that a user has now; it is asked on each page that shows mail of the team."""


@dataclass(kw_only=True)
class HostDirectory:
    """The host's directory, asked with care; without one, names are ids, and nobody has a role."""

    directory: Directory | None
    # what the log has of its failures: once each is enough
    _told: set[str] = field(default_factory=set)

    @property
    def is_there(self) -> bool:
        """Whether the host has passed a directory."""
        return self.directory is not None

    def name_of(self, user_id: str) -> str:
        """Return what people call a user; the id where nobody knows."""
        return self.names_of([user_id]).get(user_id, user_id)

    def names_of(self, user_ids: Iterable[str]) -> dict[str, str]:
        """Return the names of users by id, at one question; whom the directory does not know is left out."""
        wanted = set(user_ids)
        answer = self._ask("names_of", lambda host: _names(host.names_of(wanted))) if wanted else None
        return {user_id: name for user_id, name in (answer or {}).items() if user_id in wanted}

    def search(self, text: str) -> list[DirectoryEntry]:
        """Return users whose name or address has ``text`` in it, at most 50; for an empty text nobody."""
        wanted = text.replace("\0", "").strip()  # PostgreSQL takes no NUL
        found = self._ask("search", lambda host: _entries(host.search(wanted))) if wanted else None
        return (found or [])[:MOST_FOUND]

    def roles(self) -> list[DirectoryEntry]:
        """Return all roles of the host."""
        return self._ask("roles", lambda host: _entries(host.roles())) or []

    def roles_of(self, user_id: str | None) -> frozenset[str]:
        """Return the ids of the roles of a user; none for whoever is not signed in."""
        found = self._ask("roles_of", lambda host: _roles(host.roles_of(user_id))) if user_id is not None else None
        return found or frozenset()

    def _ask(self, name: str, question: Callable[[Any], T]) -> T | None:
        """Return what the host answers, None where it has no answer that can be used."""
        if self.directory is None:
            return None
        try:
            return question(self.directory)
        except Exception:  # the host's code: a broken directory closes the team's mail, it does not open it
            if name not in self._told:
                self._told.add(name)
                _log.exception("directory.failed: %s()", name, extra={"event": "directory.failed"})
            return None


def _names(answer: Mapping[Any, Any]) -> dict[str, str]:
    return {_id(user_id): str(name) for user_id, name in answer.items() if name is not None}


def _entries(answer: Iterable[Any]) -> list[DirectoryEntry]:
    return [DirectoryEntry(_id(entry.id), str(entry.name)) for entry in answer]


def _roles(answer: Iterable[Any]) -> frozenset[str]:
    if isinstance(answer, (str, bytes)):  # its letters are no roles
        raise TypeError(f"roles_of() returned {type(answer).__name__}; it must be a collection of ids.")
    roles = frozenset(map(_id, answer))
    if len(roles) > _MOST_ROLES:
        raise ValueError(f"roles_of() returned {len(roles)} roles; at most {_MOST_ROLES} can be asked for.")
    return roles


def _id(value: Any) -> str:
    """Take a host's numbers and UUIDs too, as ``current_user_id`` does; nothing that could be meant otherwise."""
    if isinstance(value, bool) or not isinstance(value, (str, int, UUID)):
        raise TypeError(f"An id of the directory is of the type {type(value).__name__}.")
    text = str(value)
    if not 0 < len(text) <= LONGEST_ID:
        raise ValueError(f"An id of the directory has {len(text)} characters; it may have {LONGEST_ID}.")
    return text
