"""What people and Microsoft do to a mailbox, as far as it can be done when it is their turn."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from tests.sync.world import World

_NAMES = ("Projects", "2026", "projekte", "A/B")
_EXPIRIES = ((410, "SyncStateNotFound"), (410, "resyncRequired"), (400, "syncStateInvalid"), (404, "SyncStateNotFound"))
CHANGES = ("move", "move_on", "move_and_return", "delete", "delete_softly", "mark_read", "edit", "copy")
FOLDER_CHANGES = ("create_folder", "rename_folder", "move_folder", "delete_folder")
FAULTS = ("expire_all", "expire_one", "throttle", "send_empty_pages", "fail_message")


class Turn(NamedTuple):
    """Something that people or Microsoft do to a mailbox."""

    verb: str
    number: int
    folder: str
    other: str


class Mail:
    """A mailbox that is used: each verb does what it can."""

    def __init__(self, world: World) -> None:
        self.box = world.begin()
        self._clock = world.clock
        self.box.max_page_size = 2
        for name in ("drafts", "junkemail", "outbox", "sentitems"):
            self.box.delete_folder(name)
        self.box.create_folder("Own")
        self._delivered = 0

    def take(self, turn: Turn) -> None:
        """Do what a verb says, unless it needs a message and there is none."""
        messages = self.box.messages()
        if turn.verb in CHANGES and not messages:
            return
        one = messages[turn.number % len(messages)].id if messages else ""
        getattr(self, f"_{turn.verb}")(one, turn)

    def deliver(self, folder: str, number: int, days_ago: int = 0) -> None:
        """Deliver a letter; every fourth has a file."""
        self._delivered += 1
        self.box.deliver(
            subject=f"Message {self._delivered}",
            text=f"Text {self._delivered}",
            folder=self._place(folder, number),
            received_at=self._clock() - timedelta(days=days_ago, minutes=self._delivered),
            attachments=[("a.txt", "text/plain", b"a")] if self._delivered % 4 == 0 else [],
        )

    def _own(self, number: int) -> str | None:
        """Return one of the folders that people made."""
        own = [one.id for one in self.box.folders if one.well_known_name is None]
        return own[number % len(own)] if own else None

    def _place(self, folder: str, number: int) -> str:
        return (self._own(number) or "inbox") if folder == "own" else folder

    def _move(self, one: str, turn: Turn) -> None:
        self.box.move(one, self._place(turn.folder, turn.number))

    def _move_on(self, one: str, turn: Turn) -> None:
        self.box.move(self.box.move(one, self._place(turn.folder, turn.number)), self._place(turn.other, turn.number))

    def _move_and_return(self, one: str, turn: Turn) -> None:
        home = self.box.message(one).folder_id
        self.box.move(self.box.move(one, self._place(turn.folder, turn.number)), home)

    def _delete(self, one: str, _turn: Turn) -> None:
        self.box.delete(one)

    def _delete_softly(self, one: str, _turn: Turn) -> None:
        self.box.delete(one, permanently=False)

    def _mark_read(self, one: str, turn: Turn) -> None:
        self.box.mark_read(one, bool(turn.number % 2))

    def _edit(self, one: str, turn: Turn) -> None:
        self.box.update(one, subject=f"Another subject {turn.number}")

    def _copy(self, one: str, turn: Turn) -> None:
        """Put another message there that looks the same in all that stays when ids change."""
        told = next(record for record in self.box.messages() if record.id == one)
        self.box.deliver(
            subject=told.subject,
            text=told.body,
            folder=self._place(turn.folder, turn.number),
            received_at=told.received_at,
            sent_at=told.sent_at,
            internet_message_id=told.internet_message_id,
        )

    def _create_folder(self, _one: str, turn: Turn) -> None:
        name = self._free_name(turn.number)
        if name:
            self.box.create_folder(name, self._own(turn.number) if turn.folder == "own" else None)

    def _rename_folder(self, _one: str, turn: Turn) -> None:
        folder, name = self._own(turn.number), self._free_name(turn.number)
        if folder and name:
            self.box.rename_folder(folder, name)

    def _move_folder(self, _one: str, turn: Turn) -> None:
        folder = self._own(turn.number)
        if folder:
            self.box.move_folder(folder, "archive" if turn.number % 2 else None)

    def _delete_folder(self, _one: str, turn: Turn) -> None:
        folder = self._own(turn.number)
        if folder:
            self.box.delete_folder(folder)

    def _free_name(self, number: int) -> str | None:
        name = _NAMES[number % len(_NAMES)]
        return None if any(one.name == name for one in self.box.folders) else name

    def _expire_all(self, _one: str, turn: Turn) -> None:
        self.box.expire_cursors(None, *_EXPIRIES[turn.number % len(_EXPIRIES)])

    def _expire_one(self, _one: str, turn: Turn) -> None:
        self.box.expire_cursors(self._place(turn.folder, turn.number), *_EXPIRIES[turn.number % len(_EXPIRIES)])

    def _throttle(self, _one: str, turn: Turn) -> None:
        # so long that nobody waits for it
        self.box.throttle(1 + turn.number % 2, retry_after=60, status=(429, 503, 504)[turn.number % 3])

    def _fail_message(self, one: str, _turn: Turn) -> None:
        if one:
            self.box.fail_message(one)

    def _send_empty_pages(self, _one: str, turn: Turn) -> None:
        self.box.empty_pages = turn.number % 3
