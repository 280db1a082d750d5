"""Whoever follows the deltas knows the mailbox, whatever happens in it and whenever he looks."""

from __future__ import annotations

import random

import pytest

from flask_ms365.simulator import Mailbox
from flask_ms365.simulator.delta import DeltaQuery

FOLDERS = ("inbox", "archive", "junkemail")


class Follower:
    """A client that keeps a copy by delta queries, two entries a page."""

    def __init__(self, box: Mailbox, *, immutable: bool) -> None:
        self._box = box
        self._immutable = immutable
        self._tokens: dict[str, str] = {}
        self.copy: dict[str, set[str]] = {box.folders.get(name).id: set() for name in FOLDERS}

    def look(self, rng: random.Random) -> None:
        """Ask for pages of one folder, and perhaps stop in the middle of a round."""
        folder_id = rng.choice(list(self.copy))
        for _ in range(rng.randint(1, 5)):
            self._page(folder_id)

    def finish(self) -> None:
        """Follow every folder to the end, twice: the first time may be the rest of an old round."""
        for folder_id in self.copy:
            for _ in range(2):
                while not self._page(folder_id):
                    pass

    def _page(self, folder_id: str) -> bool:
        token = self._tokens.get(folder_id)
        if token:
            cursor = self._box.resume(token, folder_id, immutable=self._immutable)
        else:
            cursor = self._box.start_round(folder_id, DeltaQuery(), immutable=self._immutable)
        entries, following, self._tokens[folder_id] = self._box.page(cursor, 2, token)
        for entry in entries:
            message = self._box.current(entry, folder_id)
            if message is None:
                self.copy[folder_id].discard(entry.shown_id)
            else:
                self.copy[folder_id].add(self._box.shown_id(message, immutable=self._immutable))
        return following.is_delta


def act(box: Mailbox, rng: random.Random) -> None:
    """Do something to the mailbox."""
    known = [record.id for record in box.messages()]
    if not known or rng.random() < 0.4:
        box.deliver(subject="New", folder=rng.choice(FOLDERS))
        return
    message_id = rng.choice(known)
    rng.choice(
        (
            lambda: box.move(message_id, rng.choice(FOLDERS)),
            lambda: box.delete(message_id),
            lambda: box.mark_read(message_id, rng.random() < 0.5),
            lambda: box.update(message_id, flag="flagged"),
        )
    )()


@pytest.mark.parametrize("immutable", [True, False])
@pytest.mark.parametrize("seed", range(20))
def test_a_follower_ends_with_a_true_copy(box: Mailbox, seed: int, immutable: bool) -> None:
    rng = random.Random(seed)
    box.duplicates = seed % 3 == 0
    box.empty_pages = seed % 2
    box.immutable_ids = immutable
    follower = Follower(box, immutable=immutable)
    for _ in range(80):
        (act if rng.random() < 0.6 else lambda box, rng: follower.look(rng))(box, rng)
    follower.finish()
    expected: dict[str, set[str]] = {folder_id: set() for folder_id in follower.copy}
    for record in box.messages():
        expected[record.folder].add(record.id)
    assert follower.copy == expected
