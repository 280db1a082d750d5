"""A page that most likely tells nothing new: decoded no further than it takes to see that, in a third of the time."""

from __future__ import annotations

from functools import cached_property

import msgspec

from flask_ms365.graph.decode import decode
from flask_ms365.graph.types import DeltaPage, MessageData, Outline, Page

_decoder = msgspec.json.Decoder(Page[Outline])


class OutlinedPage:
    """A :class:`DeltaPage` whose messages are decoded when somebody wants more of them than their ``outlines``."""

    def __init__(self, page: Page[Outline], body: bytes) -> None:
        self.outlines = page.value
        self.next_link = page.next_link
        self.delta_link = page.delta_link
        self.has_immutable_ids = False
        self._body = body

    @cached_property
    def value(self) -> list[MessageData]:
        return decode(self._body, DeltaPage).value


def outlined(body: bytes) -> OutlinedPage | DeltaPage:
    """Return a page's outlines, or all of it where they cannot be told; raise as :func:`decode` does.

    Nothing is cleaned: what no database can hold is in none, so whoever looks for it wants the message in full.
    """
    try:
        return OutlinedPage(_decoder.decode(body), body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return decode(body, DeltaPage)
