"""What goes wrong with a mailbox on request: refusals, limits, and items that cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from .delta import SYNC_STATE_NOT_FOUND
from .errors import GraphError
from .store import Store, locked
from .traffic import Traffic, throttled


class Troubles(Store):
    """A mailbox with bad days."""

    @locked
    def expire_cursors(self, folder: str | None = None, status: int = 410, code: str = "SyncStateNotFound") -> None:
        """Let the delta and next links given out so far die; without a folder those of the whole mailbox."""
        feeds = {self.folders.find(folder).id} if folder else None
        self._cursors.expire(feeds, GraphError(status, code, SYNC_STATE_NOT_FOUND))

    def throttle(
        self,
        times: int | None = 1,
        retry_after: float | str | None = 1,
        status: int = 429,
        code: str | None = "ApplicationThrottled",
    ) -> None:
        """Refuse the next calls. `retry_after` goes out as it is: a number, a date, nonsense, or None for no header."""
        self.traffic.fail(throttled(None if retry_after is None else str(retry_after), status, code), times)

    def fail(self, status: int, code: str | None = None, message: str = "", times: int | None = 1) -> None:
        """Answer the next calls with an error; `times` None means until `stop_failing`."""
        self.traffic.fail(GraphError(status, code, message), times)

    def fail_every(self, nth: int, status: int, code: str | None = None) -> None:
        """Answer every third (fourth, …) call with an error, until `stop_failing`."""
        self.traffic.fail_every(nth, GraphError(status, code))

    def drop_connection(self, times: int | None = 1) -> None:
        """Hang up on the next calls."""
        self.traffic.fail(None, times)

    def stop_failing(self) -> None:
        """Forget the scripted faults of the mailbox, its messages, attachments and folders."""
        self.traffic.clear()
        self._failures.clear()
        self._not_in_pages.clear()

    @locked
    def fail_message(
        self, message_id: str, status: int = 500, code: str | None = "ErrorCorruptData", *, in_pages: bool = False
    ) -> None:
        """Let every read of one message fail; lists and deltas still name it.

        With `in_pages` a list or delta page that holds it fails as well, unless its `$select` leaves out the body.
        """
        key = self.message(message_id).id
        self._failures[key] = GraphError(status, code, "The data of the item is corrupt.")
        if in_pages:
            self._not_in_pages.add(key)

    @locked
    def heal_message(self, message_id: str) -> None:
        """Let a message be read again."""
        key = self.message(message_id).id
        self._failures.pop(key, None)
        self._not_in_pages.discard(key)

    @locked
    def fail_attachment(
        self, message_id: str, name: str, status: int = 500, code: str = "ErrorCannotOpenFileAttachment"
    ) -> None:
        """Let every read of the attachments of that name fail; the list of attachments still names them."""
        key = f"{self.message(message_id).id}/{name}"
        self._failures[key] = GraphError(status, code, "The attachment could not be opened.")

    @locked
    def fail_folder(self, folder: str, status: int = 403, code: str = "ErrorAccessDenied") -> None:
        """Let lists and deltas of a folder's messages fail; the folder itself is still listed."""
        error = GraphError(status, code, "Access is denied. Check credentials and try again.")
        self._failures[self.folders.find(folder).id] = error

    @locked
    def heal_folder(self, folder: str) -> None:
        """Let a folder's messages be read again."""
        self._failures.pop(self.folders.find(folder).id, None)

    @contextmanager
    def lagging(self) -> Iterator[None]:
        """What happens in the block is not in deltas until the block ends; reading by id tells it at once."""
        self._lagging = []
        try:
            yield
        finally:
            self._catch_up()

    @locked
    def _catch_up(self) -> None:
        lagging, self._lagging = self._lagging or [], None
        for feed, change in lagging:
            self._feed(feed).changes.append(change)

    def hold(self) -> AbstractContextManager[Traffic]:
        """Keep calls waiting inside the mailbox while the block runs."""
        return self.traffic.hold()

    @property
    def max_concurrency(self) -> int | None:
        """How many calls of one app are let in at a time; None is no limit."""
        return self.traffic.max_concurrency

    @max_concurrency.setter
    def max_concurrency(self, calls: int | None) -> None:
        self.traffic.max_concurrency = calls

    @property
    def quota(self) -> int | None:
        """How many calls of one app are let in within ten minutes (Microsoft: 10,000); None is no limit."""
        return self.traffic.quota

    @quota.setter
    def quota(self, calls: int | None) -> None:
        self.traffic.quota = calls
