"""Whatever happens at Microsoft, in whatever order, the database ends equal to the mailbox, and nothing is told twice.

Hypothesis invents histories of a mailbox with several folders and pages of two messages, with syncs in between that may
fail at any message, and dead cursors, repeated items and the loss of moves there and back thrown in. Admins change
their minds about how far back mail is read, and want all of it in the end.
"""

from __future__ import annotations

import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from sqlalchemy import select, text

from flask_ms365 import Change
from flask_ms365.models import Message
from flask_ms365.simulator import Simulator
from flask_ms365.sync.report import Result
from tests.conftest import CALLBACK, Clock, configure, new_host
from tests.sync.conftest import Synced

# a failing history is shown as it was found: each one is a whole host, and making it shorter would take minutes
HISTORIES = settings(
    max_examples=10,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
FOLDERS = ("inbox", "sentitems", "archive", "Projects", "deleteditems")
a_folder = st.sampled_from(FOLDERS)
a_number = st.integers(0, 30)


class Crash(Exception):
    """The host's handler fails, or the process dies there: either way the page is not stored."""


class Histories(RuleBasedStateMachine):
    """One mailbox and its host, whose handler keeps a row of its own for every new message."""

    simulator: Simulator

    def __init__(self) -> None:
        super().__init__()
        self.simulator.reset()
        self.clock = Clock()
        self.folder = tempfile.mkdtemp()
        host = new_host(Path(self.folder), self.simulator, self.clock)
        registration = self.simulator.register_app(redirect_uris=[CALLBACK])
        user = self.simulator.add_user("ana@contoso.example", password="ana")
        self.box = user.mailbox
        self.box.max_page_size, self.box.duplicates, self.box.lose_round_trips = 2, True, True
        self.box.create_folder("Projects")
        self.synced = Synced(host, self.box, self.simulator)
        self.crash_at = 0
        configure(host, self.simulator, registration)
        host.visitor().connect(user)
        host.ms365.on_message(self.handle)
        with host.app.app_context():
            self.synced.session.execute(text("CREATE TABLE effect (graph_id TEXT)"))
            self.synced.session.commit()

    def handle(self, message: Message, change: Change) -> None:
        self.crash_at -= 1
        if self.crash_at == 0:
            raise Crash
        if change is Change.CREATED:
            insert = text("INSERT INTO effect (graph_id) VALUES (:id)")
            self.synced.session.execute(insert, {"id": message.graph_id})

    def one(self, number: int) -> str:
        """Return one of the messages."""
        messages = self.box.messages()
        return messages[number % len(messages)].id

    @rule(folder=a_folder, number=a_number, days_ago=st.sampled_from([0, 5, 50]))
    def deliver(self, folder: str, number: int, days_ago: int) -> None:
        received_at = self.clock() - timedelta(days=days_ago)
        self.box.deliver(subject=f"Message {number}", text="x", folder=folder, received_at=received_at)

    @rule(days=st.sampled_from([0, 1, 30]))
    def read_last(self, days: int) -> None:
        with self.synced.host.app.app_context():
            self.synced.host.ms365.settings.save({"sync_since": str(days)})

    @precondition(lambda self: self.box.messages())
    @rule(number=a_number, folder=a_folder)
    def move(self, number: int, folder: str) -> None:
        self.box.move(self.one(number), folder)

    @precondition(lambda self: self.box.messages())
    @rule(number=a_number, first=a_folder, second=a_folder)
    def move_and_move_on(self, number: int, first: str, second: str) -> None:
        one = self.one(number)
        self.box.move(one, first)
        self.box.move(one, second)

    @precondition(lambda self: self.box.messages())
    @rule(number=a_number, permanently=st.booleans())
    def delete(self, number: int, permanently: bool) -> None:
        self.box.delete(self.one(number), permanently=permanently)

    @precondition(lambda self: self.box.messages())
    @rule(number=a_number, is_read=st.booleans())
    def mark_read(self, number: int, is_read: bool) -> None:
        self.box.mark_read(self.one(number), is_read)

    @precondition(lambda self: self.box.messages())
    @rule(number=a_number, subject=st.sampled_from(["Offer", "Invoice", "Bell"]))
    def edit(self, number: int, subject: str) -> None:
        self.box.update(self.one(number), subject=subject)

    @rule(folder=st.sampled_from([None, "inbox", "archive"]))
    def expire_cursors(self, folder: str | None) -> None:
        self.box.expire_cursors(folder)

    @rule(pages=st.integers(0, 2))
    def send_empty_pages(self, pages: int) -> None:
        self.box.empty_pages = pages

    @rule(crash_at=st.integers(0, 6))
    def sync(self, crash_at: int) -> None:
        self.crash_at = crash_at
        report = self.synced.run()
        assert report.result in (Result.DONE, Result.FAILED), report
        self.clock.advance(hours=2)  # past lease and back-off

    def teardown(self) -> None:
        self.read_last(0)
        # a round that was resumed ends with the past; what came since is told by the next one
        self.sync(crash_at=0)
        self.sync(crash_at=0)
        differences = self.synced.differences()
        with self.synced.host.app.app_context():
            stored = self.synced.session.scalars(select(Message.graph_id)).all()
            effects = self.synced.session.scalars(text("SELECT graph_id FROM effect")).all()
            self.synced.session.get_bind().dispose()
        shutil.rmtree(self.folder)
        assert differences == [], "\n".join(differences)
        assert sorted(effects) == sorted(stored)


@pytest.mark.slow
def test_every_history_ends_with_the_database_equal_to_the_mailbox(simulator: Simulator) -> None:
    Histories.simulator = simulator
    run_state_machine_as_test(Histories, settings=HISTORIES)
