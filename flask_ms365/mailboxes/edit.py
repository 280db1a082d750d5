"""What the team calls a mailbox, who answers for it, and who may read it: looked at, and changed by an admin.

None of it touches what was read, or what is to be read next: saving skips no mail.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, select

from flask_ms365 import audit
from flask_ms365.directory import LONGEST_ID, HostDirectory
from flask_ms365.errors import MailboxRefused, MS365Error
from flask_ms365.mailboxes.readers import Readers, readers_of
from flask_ms365.models import Mailbox, Reader, lock_version, write_transaction
from flask_ms365.models.base import AnySession, in_batches, rows_changed
from flask_ms365.words import Words

LONGEST_LABEL = 200
# kind and id of a reader -> the name that people know now
Names = Mapping[tuple[str, str], str]


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What people chose for a mailbox of the team: its name, the user who answers for it, its readers."""

    label: str
    owner_id: str
    readers: Readers

    @property
    def version(self) -> str:
        """A mark that differs whenever any of it does: whoever saves tells what they started from."""
        parts = [self.label, self.owner_id, sorted(self.readers.rows)]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

    @property
    def users(self) -> set[str]:
        """Everybody who is named."""
        return {self.owner_id, *self.readers.users} - {""}


class SavedMeanwhile(MS365Error):
    """Somebody else has changed the mailbox since the page was opened."""

    message = Words("Somebody else has changed this mailbox since you opened the page, so nothing was saved.")


@dataclass(kw_only=True)
class Editing:
    """Changes the mailboxes of one app's team."""

    session: AnySession
    directory: HostDirectory
    clock: Callable[[], datetime]

    def look_at(self, mailbox: Mailbox) -> Chosen:
        """Return what is stored; one statement."""
        readers = readers_of(self.session, mailbox.id)
        return Chosen(label=mailbox.label or "", owner_id=mailbox.owner_id or "", readers=readers)

    def save(self, mailbox_id: int, wanted: Chosen, *, version: str, actor: str | None) -> None:
        """Store what is wanted, and tell the audit log what became of what.

        Raise :exc:`MailboxRefused` for a name that is taken and for readers whom nobody knows, and
        :exc:`SavedMeanwhile` where what is stored is not of this ``version`` any more.
        """
        wanted = replace(wanted, label=clean_label(wanted.label))
        before = self.look_at(self.session.get_one(Mailbox, mailbox_id))
        # the directory is the host's code, and asked before the transaction
        names = self._names(before, wanted)
        self._refuse_unknown(before, wanted, names)
        with write_transaction(self.session):
            lock_version(self.session)  # one admin at a time
            mailbox = self.session.get_one(Mailbox, mailbox_id, with_for_update=True, populate_existing=True)
            stored = self.look_at(mailbox)
            if stored.version != version:
                raise SavedMeanwhile
            refuse_label(self.session, wanted.label, beside=mailbox_id)
            mailbox.label, mailbox.owner_id = wanted.label or None, wanted.owner_id or None
            self._store_readers(mailbox_id, stored.readers, wanted.readers)
            self._record(mailbox, _changes(stored, wanted, names), actor)

    def _names(self, before: Chosen, wanted: Chosen) -> Names:
        users = self.directory.names_of(before.users | wanted.users)
        roles = self.directory.roles() if before.readers.roles | wanted.readers.roles else []
        known = {("user", user_id): name for user_id, name in users.items()}
        return known | {("role", role.id): role.name for role in roles}

    def _refuse_unknown(self, before: Chosen, wanted: Chosen, names: Names) -> None:
        """Let nobody in whom the host does not know; without a directory an id of a user has to be believed."""
        for user_id in sorted(wanted.users - before.users):
            is_known = ("user", user_id) in names or not self.directory.is_there
            if not is_known or len(user_id) > LONGEST_ID:
                field = "owner" if user_id == wanted.owner_id else "readers"
                raise MailboxRefused(field, Words("Nobody here has the user ID %(user_id)s.", user_id=user_id))
        for role in sorted(wanted.readers.roles - before.readers.roles):
            if ("role", role) not in names:
                raise MailboxRefused("readers", Words("There is no role %(role)s.", role=role))

    def _store_readers(self, mailbox_id: int, old: Readers, new: Readers) -> None:
        stored = self.session.execute(select(Reader).where(Reader.mailbox_id == mailbox_id)).scalars()
        for some in in_batches(row.id for row in stored if (row.kind, row.subject) not in new.rows):
            rows_changed(self.session, delete(Reader).where(Reader.id.in_(some)))
        added = [{"kind": kind, "subject": subject} for kind, subject in sorted(new.rows - old.rows)]
        if added:
            self.session.execute(insert(Reader), [{"mailbox_id": mailbox_id, **row} for row in added])

    def _record(self, mailbox: Mailbox, changes: Iterator[tuple[str, dict[str, Any]]], actor: str | None) -> None:
        for action, detail in changes:
            detail["mailbox_id"] = mailbox.id
            audit.record(self.session, action, at=self.clock(), actor=actor, target=mailbox.address, **detail)


def clean_label(text: str) -> str:
    """Return a name as it is stored: without the spaces around it, and without NUL, which PostgreSQL does not take."""
    return text.replace("\0", "").strip()[:LONGEST_LABEL]


def refuse_label(session: AnySession, label: str, *, beside: int = 0) -> None:
    """Refuse a name that another mailbox of the team has; several may have none."""
    same = func.lower(Mailbox.label) == func.lower(label), Mailbox.id != beside, Mailbox.kind == "system"
    taken = select(Mailbox.address).where(*same, Mailbox.state != "deleting").limit(1)
    address = session.scalar(taken) if label else None
    if address is not None:
        raise MailboxRefused("label", Words("%(address)s has this name already.", address=address))


def _changes(old: Chosen, new: Chosen, names: Names) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield an action of the audit log and its detail for each thing that was changed, in the names of today."""
    if old.label != new.label:
        yield "mailbox.renamed", {"old": old.label, "new": new.label}
    if old.owner_id != new.owner_id:
        before, after = (names.get(("user", one), one) for one in (old.owner_id, new.owner_id))
        yield "mailbox.owner_changed", {"old": before, "new": after}
    for action, rows in (
        ("mailbox.reader_added", new.readers.rows - old.readers.rows),
        ("mailbox.reader_removed", old.readers.rows - new.readers.rows),
    ):
        for kind, subject in sorted(rows):
            yield action, {"kind": kind, "subject": subject, "name": names.get((kind, subject), subject)}
