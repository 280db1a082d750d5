"""Do several things at once, on threads that no process waits for when it has to end."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def side_by_side(call: Callable[[T], R], items: Sequence[T], *, at_once: int, name: str) -> list[R]:
    """Return what ``call`` returns for each of ``items``, in their order; alone, one runs in the thread that asks.

    An error ends it: nothing more is begun, and it is raised once all that had begun has ended.
    """
    count = min(at_once, len(items))
    if count < 2:
        return [call(item) for item in items]
    waiting: deque[tuple[int, T] | None] = deque([*enumerate(items), *[None] * count])
    results, errors = dict[int, R](), list[BaseException]()

    def work() -> None:
        try:
            while not errors and (following := waiting.popleft()):
                number, item = following
                results[number] = call(item)
        except BaseException as exc:  # raised where somebody can handle it
            errors.append(exc)

    threads = [threading.Thread(target=work, name=name, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return [results[number] for number in range(len(items))]
