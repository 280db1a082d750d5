"""Ids of the shapes and lengths that Exchange gives: case-sensitive, long, opaque."""

from __future__ import annotations

import hashlib
import itertools
from base64 import urlsafe_b64encode


class Ids:
    """The ids of one mailbox. Two of them may differ in letter case alone, as they do in Exchange."""

    def __init__(self, seed: str) -> None:
        digest = hashlib.sha512(seed.encode()).digest()
        self._filler = urlsafe_b64encode(digest * 2).decode().rstrip("=")
        self._counter = itertools.count(1)
        self._others: set[str] = set()

    def message(self) -> str:
        """An id that stays when the message moves (IdType="ImmutableId")."""
        return f"AAkALgAAAAAA{self._filler[:64]}{self._next()}AAA="

    def movable(self) -> str:
        """A message id of the default kind, which a move changes."""
        return f"AAMkAD{self._filler[:130]}{self._next()}AAA="

    def folder(self) -> str:
        """A folder id; folders have one kind only."""
        return f"AAMkAD{self._filler[:90]}AAA{self._next()}AuAAAAAA="

    def conversation(self, thread: str) -> str:
        """The conversation id of a thread; the same thread has the same id in one mailbox."""
        digest = hashlib.sha256((self._filler + thread).encode("utf-8", "surrogatepass")).digest()
        return f"AAQkAD{self._filler[:60]}AQA{urlsafe_b64encode(digest[:15]).decode()}="

    def change_key(self) -> str:
        """A new version of an item."""
        return f"CQAAABYAAAA{self._filler[:21]}{self._next()[4:]}"

    def adopt(self, item_id: str) -> str:
        """Take an id of a test's own for one of this mailbox."""
        self._others.add(item_id)
        return item_id

    def is_ours(self, item_id: str) -> bool:
        """Whether this mailbox could have given out the id: anything else is malformed to Exchange."""
        return item_id in self._others or item_id.startswith(
            (f"AAkALgAAAAAA{self._filler[:64]}", f"AAMkAD{self._filler[:90]}")
        )

    def _next(self) -> str:
        return urlsafe_b64encode(next(self._counter).to_bytes(9, "big")).decode()


def attachment_suffix(index: int) -> str:
    """What an attachment adds to the id of its message."""
    return f"BEgAQA{urlsafe_b64encode(hashlib.sha256(bytes([index % 256, index // 256 % 256])).digest()[:18]).decode()}"
