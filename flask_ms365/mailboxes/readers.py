"""Who may read which mailbox. Nobody but its owner reads a person's; a mailbox of the team has readers.

Nobody may read the mail of the team but those who manage it, until somebody lets them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, false, or_, select

from flask_ms365.directory import HostDirectory
from flask_ms365.models import Mailbox, Reader
from flask_ms365.models.base import AnySession
from flask_ms365.words import Words


@dataclass(frozen=True, kw_only=True)
class Rights:
    """What somebody may read, as the host says.

    ``has_own``: their own mailbox. ``reads_team``: of the team's mailboxes those whose reader they are, and all where
    they manage them (``manages_team``). ``roles`` are ids.
    """

    user_id: str | None
    has_own: bool
    reads_team: bool
    manages_team: bool
    roles: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Readers:
    """Who may read a mailbox of the team beside those who manage it and its owner: ids of users and of roles."""

    users: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    is_everyone: bool = False

    @property
    def rows(self) -> set[tuple[str, str]]:
        """Each reader as it is stored: kind and subject."""
        everyone = {("everyone", "")} if self.is_everyone else set()
        return {*(("user", one) for one in self.users), *(("role", one) for one in self.roles), *everyone}


def readable(rights: Rights) -> ColumnElement[bool]:
    """Return the condition on :class:`Mailbox` that it may be read with these rights. Every page of mail asks by it.

    One that is being deleted may be read by nobody.
    """
    return and_(Mailbox.state != "deleting", or_(_is_own(rights), _is_of_team(rights)))


def _is_own(rights: Rights) -> ColumnElement[bool]:
    if not rights.has_own or rights.user_id is None:
        return false()
    return and_(Mailbox.kind == "user", Mailbox.owner_id == rights.user_id)


def _is_of_team(rights: Rights) -> ColumnElement[bool]:
    if not rights.reads_team:
        return false()
    is_of_team = Mailbox.kind == "system"
    return is_of_team if rights.manages_team else and_(is_of_team, or_(*_let_in(rights)))


def _let_in(rights: Rights) -> list[ColumnElement[bool]]:
    """Return what opens a mailbox of the team to somebody who does not manage it."""
    is_reader = [Reader.kind == "everyone"]
    if rights.roles:
        is_reader.append(and_(Reader.kind == "role", Reader.subject.in_(sorted(rights.roles))))
    if rights.user_id is not None:
        is_reader.append(and_(Reader.kind == "user", Reader.subject == rights.user_id))
    is_let_in = exists().where(Reader.mailbox_id == Mailbox.id, or_(*is_reader))
    return [is_let_in] if rights.user_id is None else [Mailbox.owner_id == rights.user_id, is_let_in]


def readers_of(session: AnySession, mailbox_id: int) -> Readers:
    """Return who was let in to a mailbox of the team; one statement."""
    return readers_in(session.execute(select(Reader.kind, Reader.subject).where(Reader.mailbox_id == mailbox_id)).all())


def readers_in(rows: Sequence[Any]) -> Readers:
    """Return who is named by rows with kind and subject; both may be None."""
    return Readers(
        users=frozenset(row.subject for row in rows if row.kind == "user"),
        roles=frozenset(row.subject for row in rows if row.kind == "role"),
        is_everyone=any(row.kind == "everyone" for row in rows),
    )


def readers_in_words(
    session: AnySession,
    directory: HostDirectory,
    mailbox: Mailbox,
    *,
    user_id: str | None = None,
    readers: Readers | None = None,
) -> list[str]:
    """Return who can read a mailbox, a phrase for each, to be told to ``user_id``.

    One statement for the team's, unless its ``readers`` are known.
    """
    if mailbox.kind != "system":
        return [Words("Only you") if mailbox.owner_id == user_id else Words("Only the owner")]
    readers = readers or readers_of(session, mailbox.id)
    managers = Words("Those who manage mailboxes")
    if readers.is_everyone:
        return [managers, Words("Everyone who may read mail here")]
    people = readers.users | ({mailbox.owner_id} if mailbox.owner_id else set())
    return [managers, *_people(directory, people, user_id), *_roles(directory, readers.roles)]


def _people(directory: HostDirectory, people: Collection[str], user_id: str | None) -> list[str]:
    you: list[str] = [Words("You")] if user_id in people else []
    names = directory.names_of(people)
    return you + sorted(names.get(one, one) for one in people if one != user_id)


def _roles(directory: HostDirectory, roles: Collection[str]) -> list[str]:
    names = {role.id: role.name for role in directory.roles()} if roles else {}
    return [Words("Whoever has the role %(role)s", role=name) for name in sorted(names.get(one, one) for one in roles)]
