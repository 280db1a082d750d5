"""Seal everything with the first key of the ring: row by row, beside a running sync, and on after a kill."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Table, func, select, update

from flask_ms365 import audit
from flask_ms365.crypto import Keyring, Sealed, is_key_id, key_id_in
from flask_ms365.errors import EncryptionError
from flask_ms365.keys.canary import keep_canary
from flask_ms365.models import Base, lock_version, write_transaction
from flask_ms365.models.base import AnySession

_AT_ONCE = 100  # rows a transaction


@dataclass(frozen=True)
class SealedColumn:
    """A column of secrets, with the key of its rows."""

    table: Table
    column: Column[Any]

    @property
    def key(self) -> Column[Any]:
        """What tells the rows apart."""
        (key,) = self.table.primary_key.columns
        return key


@dataclass(kw_only=True)
class Rotated:
    """What a rotation came to: secrets sealed anew, and where those are that could not be opened."""

    resealed: int = 0
    unopened: list[str] = field(default_factory=list)


def sealed_columns() -> list[SealedColumn]:
    """Return every column of secrets that there is; none can be forgotten."""
    return [
        SealedColumn(table, column)
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, Sealed)
    ]


def count_by_key(session: AnySession) -> Counter[str]:
    """Return how many secrets lie sealed under each key; under an empty name those that nobody sealed."""
    counts: Counter[str] = Counter()
    for each in sealed_columns():
        key_id = key_id_in(each.column)
        grouped = select(key_id, func.count()).where(each.column.is_not(None)).group_by(key_id)
        for found, count in session.execute(grouped):
            counts[found if is_key_id(found) else ""] += count  # what is in the clear must not be shown
    session.commit()
    return counts


@dataclass(kw_only=True)
class Rotation:
    """Moves the secrets of one app to the first key."""

    session: AnySession
    keyring: Keyring
    clock: Callable[[], datetime]

    def run(self, *, actor: str | None, moved: Callable[[int], None]) -> Rotated:
        """Seal everything anew and tell ``moved`` of each batch; raise :exc:`~flask_ms365.errors.Locked`.

        A secret that somebody writes meanwhile is left as they wrote it.
        """
        rotated = Rotated()
        with write_transaction(self.session):
            keep_canary(self.session, self.keyring)
        for column in sealed_columns():
            for rows in self._batches(column):
                rotated.resealed += self._reseal(column, rows, rotated.unopened)
                moved(len(rows))
        self._end(actor, rotated)
        return rotated

    def _batches(self, each: SealedColumn) -> Iterator[Sequence[Any]]:
        old = each.column.is_not(None), key_id_in(each.column) != self.keyring.first
        wanted = select(each.key, each.column).where(*old).order_by(each.key).limit(_AT_ONCE)
        last: Any = None
        while rows := self._read(wanted if last is None else wanted.where(each.key > last)):
            last = rows[-1][0]
            yield rows

    def _read(self, wanted: Any) -> Sequence[Any]:
        rows = self.session.execute(wanted).all()
        self.session.commit()
        return rows

    def _reseal(self, each: SealedColumn, rows: Sequence[Any], unopened: list[str]) -> int:
        """Seal some rows anew and return how many were still as they had been read."""
        statements = []  # made before the transaction, which keeps others waiting for no longer than it must
        for key, sealed in rows:
            try:
                anew = {each.column.name: self.keyring.reseal(sealed)}
            except EncryptionError:
                unopened.append(f"{each.table.name}.{each.column.name} of {key}")
                continue
            statements.append(update(each.table).where(each.key == key, each.column == sealed).values(anew))
        with write_transaction(self.session):
            results: list[Any] = [self.session.execute(statement) for statement in statements]
        return sum(result.rowcount for result in results)

    def _end(self, actor: str | None, rotated: Rotated) -> None:
        """Forget the canaries of keys that nothing needs any more, and note what was done."""
        in_use = set(count_by_key(self.session)) | {self.keyring.first}
        with write_transaction(self.session):
            version = lock_version(self.session)
            version.key_canaries = {kid: kept for kid, kept in version.key_canaries.items() if kid in in_use}
            if rotated.resealed:
                audit.record(
                    self.session,
                    "keys.rotated",
                    at=self.clock(),
                    actor=actor,
                    target=self.keyring.first,
                    resealed=rotated.resealed,
                )
