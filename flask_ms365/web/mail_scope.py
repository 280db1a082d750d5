"""Whose mail a list shows: one mailbox at a time, or all where they are few; one's own unless another is chosen.

A search may go through all, however many they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from flask import request

from flask_ms365.mailboxes.reading import CHOICES, mailbox_choices
from flask_ms365.state import current_state
from flask_ms365.web.found import visitor_rights
from flask_ms365.web.row_id import row_id

ALL = "all"
# more folders than these have cost too much to be listed as one
_FEW = 10
_LONGEST_ADDRESS = 320


@dataclass(frozen=True, kw_only=True)
class MailScope:
    """The mailboxes whose mail is listed, rows of id, address and label, among those that the visitor may read.

    Where ``is_all``, all of them are searched, and none is named in ``chosen``: they are too many.
    """

    chosen: Sequence[Any]
    # what can be chosen; where ``is_typed``, too many to offer, it is what fits ``address``
    choices: Sequence[Any]
    is_typed: bool = False
    address: str = ""
    is_all: bool = False

    @property
    def ids(self) -> list[int]:
        return [mailbox.id for mailbox in self.chosen]

    @property
    def current(self) -> int | str | None:
        """What the address of the list says: an id, :data:`ALL`, or None where nothing is chosen."""
        if self.is_all or len(self.chosen) > 1:
            return ALL
        return self.chosen[0].id if self.chosen else None

    @property
    def has_all(self) -> bool:
        return not self.is_typed and (self.is_all or 1 < len(self.choices) <= _FEW)

    @property
    def is_part(self) -> bool:
        """Tell whether there are mailboxes that are not shown."""
        return self.current != ALL and (self.is_typed or len(self.choices) > 1)


def mail_scope(*, is_search: bool) -> MailScope | None:
    """Return whose mail the request asks for; None where it names a mailbox that the visitor may not read."""
    session, rights = current_state().session, visitor_rights()
    wanted, address = request.args.get("mailbox", type=row_id), request.args.get("address", "").strip()
    found = mailbox_choices(session, rights, wanted=wanted)
    if wanted is not None and wanted not in [mailbox.id for mailbox in found[:1]]:
        return None
    if len(found) > CHOICES and wanted is None and address:
        return _typed(mailbox_choices(session, rights, containing=address[:_LONGEST_ADDRESS]), address)
    scope = _scope(found)
    if request.args.get("mailbox") != ALL:
        return scope
    if scope.has_all:
        return replace(scope, chosen=found)
    return replace(scope, chosen=[], address="", is_all=True) if is_search and len(found) > 1 else scope


def _scope(found: Sequence[Any]) -> MailScope:
    """Return the first mailbox, among all that may be read."""
    if len(found) > CHOICES:
        return MailScope(chosen=found[:1], choices=[], is_typed=True, address=found[0].address)
    return MailScope(chosen=found[:1], choices=sorted(found, key=lambda mailbox: mailbox.address))


def _typed(fitting: Sequence[Any], address: str) -> MailScope:
    """Return the mailbox whose address was typed, or those among which the visitor must choose."""
    exact = [mailbox for mailbox in fitting if mailbox.address.casefold() == address.casefold()]
    chosen = exact or fitting if len(exact or fitting) == 1 else []
    shown = chosen[0].address if chosen else address
    return MailScope(chosen=chosen, choices=fitting[:CHOICES], is_typed=True, address=shown)
