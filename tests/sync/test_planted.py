"""The histories find the mistakes that are made in engines like ours.

This is the one place where tests change our own code: each plants a mistake at the smallest seam there is, and sees the
histories fail. They are the same in every run, but for the turns that threads take.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis.errors import Flaky

from flask_ms365.graph import GraphClient, MessageData, Reads
from flask_ms365.simulator import Simulator
from flask_ms365.sync.page import Page
from flask_ms365.sync.store import Store
from flask_ms365.sync.sweep import Sweep
from tests.sync.histories import Histories, try_histories
from tests.sync.world import World

Plant = Callable[[pytest.MonkeyPatch], None]

_WITHIN = 300  # histories, as many as the default run tries


def _insert_for_upsert(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Store, "known", lambda self, ids: {})


def _expiry_without_sweep(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Sweep, "unseen", lambda self, folder: None)


def _cursor_before_page(patch: pytest.MonkeyPatch) -> None:
    write = Store.write

    def write_cursor_first(self: Store, page: Page) -> Any:
        if page.cursor is not None:
            write(self, Page(cursor=page.cursor))
        return write(self, replace(page, cursor=None))

    patch.setattr(Store, "write", write_cursor_first)


def _removal_believed(patch: pytest.MonkeyPatch) -> None:
    def believe(self: GraphClient, ids: Sequence[str]) -> Reads[MessageData]:
        return Reads(gone=set(ids))

    patch.setattr(GraphClient, "message_folders", believe)


def _page_and_cursor_in_two_transactions(patch: pytest.MonkeyPatch) -> None:
    """The second knows of no lease: with one, replaying a page would be harmless in an engine that compares."""
    write = Store.write

    def write_cursor_last(self: Store, page: Page) -> Any:
        written = write(self, replace(page, cursor=None))
        if page.cursor is not None:
            self._set_folder(page.cursor.folder_id, page.cursor.values)
            self._session.commit()
        return written

    patch.setattr(Store, "write", write_cursor_last)


# with the history in which each was found when this was written
PLANTS: dict[str, Plant] = {
    "insert for upsert": _insert_for_upsert,  # 4
    "expiry without sweep": _expiry_without_sweep,  # 14
    "cursor before page": _cursor_before_page,  # 4
    "removal believed": _removal_believed,  # 14
    "page and cursor in two transactions": _page_and_cursor_in_two_transactions,  # 76
}


@pytest.fixture(autouse=True)
def _no_secret_comes_out() -> None:
    """See test_histories.py."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with Simulator() as simulator:
        world = World(tmp_path_factory.mktemp("planted") / "host", simulator)
        yield world
        world.end()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("plant", PLANTS.values(), ids=PLANTS)
def test_a_planted_mistake_is_found(world: World, monkeypatch: pytest.MonkeyPatch, plant: Plant) -> None:
    plant(monkeypatch)
    tried = 0

    class Counted(Histories):
        def __init__(self) -> None:
            nonlocal tried
            tried += 1
            super().__init__()

    Counted.world = world
    # where threads take turns otherwise the second time, Hypothesis calls the failure flaky
    with pytest.raises((AssertionError, Flaky)):
        try_histories(Counted, _WITHIN, is_random=False)
    print(f"Found in history {tried}.")
