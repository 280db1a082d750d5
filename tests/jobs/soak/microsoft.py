"""A Microsoft 365 in a process of its own, and the people who use its mailboxes: no worker that dies can hurt them."""

from __future__ import annotations

import multiprocessing
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import NamedTuple

from flask_ms365.simulator import Mailbox, Simulator
from tests.conftest import CALLBACK
from tests.sync.conftest import READ_FOLDERS

FOLDERS = ("inbox", "archive", "Projects")
_ENOUGH = 120  # messages of a mailbox; with more of them people rather delete

processes = multiprocessing.get_context("forkserver")


class Letter(NamedTuple):
    """A message in a folder that is read."""

    graph_id: str
    folder_id: str
    subject: str | None
    is_read: bool | None


@dataclass(frozen=True, kw_only=True)
class Organisation:
    """What a host must know of it, and the mailboxes there are."""

    url: str
    tenant_id: str
    client_id: str
    client_secret: str
    addresses: list[str]


@dataclass(frozen=True, kw_only=True)
class Microsoft:
    """The organisation, seen from another process."""

    organisation: Organisation
    _pipe: Connection

    def letters(self) -> Counter[Letter]:
        """Let people stop, and return what is in the folders that are read."""
        self._pipe.send("stop")
        letters: Counter[Letter] = self._pipe.recv()
        return letters


@contextmanager
def microsoft(*, mailboxes: int, messages: int, page_size: int, pause: float | None, seed: int) -> Iterator[Microsoft]:
    """Run one with so many messages in each mailbox; people do something every ``pause`` seconds, or nothing."""
    ours, theirs = processes.Pipe()
    given = (theirs, mailboxes, messages, page_size, pause, seed)
    process = processes.Process(target=_serve, args=given, daemon=True)
    process.start()
    theirs.close()
    try:
        yield Microsoft(organisation=ours.recv(), _pipe=ours)
    finally:
        process.kill()
        process.join()


def _serve(pipe: Connection, mailboxes: int, messages: int, page_size: int, pause: float | None, seed: int) -> None:
    with Simulator() as simulator:
        app = simulator.register_app(redirect_uris=[CALLBACK])
        users = [simulator.add_user(f"box{number}@contoso.example") for number in range(mailboxes)]
        boxes = [user.mailbox for user in users]
        for box in boxes:
            box.max_page_size = page_size
            box.create_folder("Projects")
            box.deliver_many(messages, body_size=200, folders=FOLDERS)
        pipe.send(
            Organisation(
                url=simulator.url,
                tenant_id=simulator.tenant_id,
                client_id=app.client_id,
                client_secret=app.client_secret or "",
                addresses=[box.address for box in boxes],
            )
        )
        people = People(boxes, random.Random(seed))
        while not pipe.poll(pause):
            people.do_something()
        pipe.recv()
        pipe.send(Counter(letter for box in boxes for letter in _letters(box)))
        pipe.poll(None)


def _letters(box: Mailbox) -> Iterator[Letter]:
    for one in box.messages():
        if one.folder_name in READ_FOLDERS:
            yield Letter(one.id, one.folder, one.subject, one.is_read)


class People:
    """They get, read, file, edit and delete mail; Microsoft forgets a cursor now and then."""

    def __init__(self, boxes: list[Mailbox], chance: random.Random) -> None:
        self._boxes = boxes
        self._chance = chance
        self._delivered = 0

    def do_something(self) -> None:
        """Change one mailbox."""
        box = self._chance.choice(self._boxes)
        messages = box.messages()
        folder = self._chance.choice(FOLDERS)
        if self._chance.random() < 0.002:
            box.expire_cursors(folder)
        elif not messages or self._chance.random() < (0.45 if len(messages) < _ENOUGH else 0.1):
            self._delivered += 1
            box.deliver(subject=f"Letter {self._delivered}", text="Text", folder=folder)
        else:
            self._change(box, self._chance.choice(messages).id, folder)

    def _change(self, box: Mailbox, one: str, folder: str) -> None:
        verb = self._chance.choice(("move", "move", "read", "edit", "delete", "delete softly"))
        if verb == "move":
            box.move(one, folder)
        elif verb == "read":
            box.mark_read(one, self._chance.random() < 0.5)
        elif verb == "edit":
            box.update(one, subject=f"Another subject {self._chance.random()}")
        else:
            box.delete(one, permanently=verb == "delete")
