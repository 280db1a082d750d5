"""Fault 52: bodies and attachments that are made to hurt. They are stored as they came; who shows them cleans them."""

from __future__ import annotations

import pytest
from sqlalchemy import select, text

from flask_ms365.models import Attachment, Message
from flask_ms365.simulator import Attachment as Sent
from tests.sync.conftest import Synced
from tests.sync.faults.conftest import deliver, on_sqlite, rows, set_aside


def _body(synced: Synced, subject: str) -> str:
    with synced.host.app.app_context():
        body: str = synced.session.scalars(select(Message.body).where(Message.subject == subject)).one()
        return body


def _largest_value(synced: Synced) -> int:
    """Return how many bytes the database takes at once; of those that we test only MariaDB's server has a limit."""
    with synced.host.app.app_context():
        if synced.session.get_bind().dialect.name not in ("mysql", "mariadb"):
            return 2**30
        return int(synced.session.scalar(text("SELECT @@max_allowed_packet")))


def test_a_body_of_30_mb_is_stored_as_it_came(synced: Synced) -> None:
    """Fault 52, 30 MB of HTML, with neighbours on its page; where no packet may be so large, it is set aside."""
    html = "<p>Grüße 🚲, line after line</p>\r\n" * 850_000
    size = len(html.encode())
    assert size > 30_000_000
    synced.mailbox.deliver(subject="Small", text="x")
    large = synced.mailbox.deliver(subject="Large", html=html)
    synced.mailbox.deliver(subject="Small too", text="x")
    synced.sync()

    assert {"Small", "Small too"} <= set(rows(synced))
    if _largest_value(synced) > 2 * size:
        assert _body(synced, "Large") == html
    else:
        assert set(set_aside(synced)) == {large}


def test_a_hundred_thousand_nested_divs_are_stored_as_they_came(synced: Synced) -> None:
    """Fault 52, nested divs."""
    html = "<div>" * 100_000 + "deep" + "</div>" * 100_000
    synced.mailbox.deliver(subject="Deep", html=html)
    synced.sync()

    assert _body(synced, "Deep") == html


NAMES = [
    "../../x",
    "CON",
    "a.html",
    "..",
    "/etc/passwd",
    "C:\\x\\y.exe",
    "a\r\nX-Header: y",
    "x" * 5_000,
    "",
    "ä\u202e.exe",
]


def test_hostile_file_names_are_stored_as_they_came(synced: Synced) -> None:
    """Fault 52, names of attachments. What is offered for saving is another name, and never a path."""
    files = [(name, "text/html", b"<script>alert(1)</script>") for name in NAMES]
    synced.mailbox.deliver(subject="Files", text="x", attachments=files)
    synced.sync()

    assert synced.differences() == []


@on_sqlite
def test_attachments_of_every_kind_are_listed(synced: Synced) -> None:
    """Fault 52, items and references beside files."""
    synced.mailbox.deliver(
        subject="Files",
        text="x",
        attachments=[
            Sent(name="item", kind="item"),
            Sent(name="reference", kind="reference", content_type="text/html"),
            Sent(name=None, content_type=None, content=b"x", is_inline=True, content_id="<a b>"),
        ],
    )
    synced.sync()

    with synced.host.app.app_context():
        kinds = set(synced.session.scalars(select(Attachment.kind)))
    assert kinds == {"file", "item", "reference"}


@on_sqlite
@pytest.mark.parametrize("status", [500, 504])
def test_a_corrupt_message_is_set_aside_and_its_neighbours_arrive(synced: Synced, status: int) -> None:
    """Fault 52, a message whose body cannot be read breaks every page that tells bodies."""
    ids = [synced.mailbox.deliver(subject=f"{number}", text="x") for number in range(5)]
    code = "ErrorCorruptData" if status == 500 else None
    synced.mailbox.fail_message(ids[2], status, code, in_pages=True)
    synced.sync()

    assert set(synced.subjects()) >= {"0", "1", "3", "4"}
    assert set(set_aside(synced)) == {ids[2]}


@on_sqlite
def test_a_message_whose_attachments_cannot_be_listed_is_not_in_the_way(synced: Synced) -> None:
    """Fault 52, ``ErrorCorruptData`` for one message's attachments."""
    files = [("a.txt", "text/plain", b"x")]
    ids = [synced.mailbox.deliver(subject=f"{number}", text="x", attachments=files) for number in range(3)]
    synced.mailbox.fail_message(ids[1])
    synced.sync()
    deliver(synced, 2)
    synced.sync()

    assert {"0", "2", "inbox 0", "inbox 1"} <= set(synced.subjects())
