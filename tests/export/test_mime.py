"""``--mime``: messages as Microsoft has them, byte for byte, each asked for once."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from sqlalchemy import select

from flask_ms365.export import microsoft
from flask_ms365.models import Mailbox
from flask_ms365.simulator import Attachment as File
from tests.conftest import Host
from tests.export.conftest import ADDRESS, deliver, export, read_mbox
from tests.jobs.worker_process import start
from tests.mailboxes.conftest import disconnect
from tests.sync.conftest import Synced


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the seconds that were waited, in no time."""
    waited: list[float] = []
    originals = microsoft.Originals

    def impatient(**given: Any) -> microsoft.Originals:
        return originals(**given, sleep=waited.append)

    monkeypatch.setattr("flask_ms365.export.command.Originals", impatient)
    return waited


def _error(code: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": ""}}


def asked(synced: Synced) -> int:
    return sum(record.path.endswith("/$value") for record in synced.simulator.requests)


def mime_of(synced: Synced, graph_id: str) -> bytes:
    """Return what Microsoft says a message is."""
    with synced.host.app.app_context():
        state = synced.host.app.extensions["ms365.state"]
        mailbox_id = state.session.scalars(select(Mailbox.id)).one()
        return b"".join(state.runner.clients.of(mailbox_id).content.mime(graph_id, limit=10**8))


def to_file(host: Host, path: Path, *options: str) -> Result:
    return export(host, "--format", "mbox", "--mime", "--output", str(path), *options)


def test_each_message_is_what_microsoft_has_byte_for_byte(synced: Synced, tmp_path: Path) -> None:
    ids = deliver(synced, "One", "Two")
    expected = [mime_of(synced, each) for each in ids]
    before = asked(synced)
    assert to_file(synced.host, tmp_path / "mail.mbox").exit_code == 0
    assert asked(synced) - before == 2
    assert [mime.as_bytes() for mime in read_mbox(tmp_path / "mail.mbox")] == [
        each.replace(b"\r\n", b"\n") for each in expected
    ]
    whole = (tmp_path / "mail.mbox").read_bytes()
    assert all(each in whole for each in expected)


def test_lines_that_begin_with_from_are_quoted(synced: Synced, tmp_path: Path) -> None:
    (one,) = deliver(synced, "One", text="Hello\nFrom here on\n")
    to_file(synced.host, tmp_path / "mail.mbox")
    whole = (tmp_path / "mail.mbox").read_bytes()
    content = whole.partition(b"\n")[2]
    assert re.sub(rb"^>(?=>*From )", b"", content, flags=re.MULTILINE).rstrip() == mime_of(synced, one).rstrip()
    assert len(read_mbox(tmp_path / "mail.mbox")) == 1


def test_throttling_is_waited_for_as_long_as_microsoft_asks(synced: Synced, tmp_path: Path, waits: list[float]) -> None:
    deliver(synced, "One", "Two")
    synced.simulator.fail_next(r"/\$value", 429, headers={"Retry-After": "60"})
    result = to_file(synced.host, tmp_path / "mail.mbox")
    assert (result.exit_code, waits) == (0, [60.0])
    assert "slow down" in result.stderr
    assert "Going on in 60 seconds." in result.stderr
    assert [mime["Subject"] for mime in read_mbox(tmp_path / "mail.mbox")] == ["One", "Two"]


def test_what_stays_out_of_reach_ends_it_and_it_goes_on_later(
    synced: Synced, tmp_path: Path, waits: list[float]
) -> None:
    deliver(synced, "One", "Two")
    synced.simulator.fail_next(r"/\$value", 503, times=1000, headers={"Retry-After": "7"})
    result = to_file(synced.host, tmp_path / "mail.mbox")
    assert (result.exit_code, "Go on with --resume." in result.stderr, waits) == (1, True, [7.0] * 5)
    synced.simulator.stop_failing()
    assert to_file(synced.host, tmp_path / "mail.mbox", "--resume").exit_code == 0
    assert [mime["Subject"] for mime in read_mbox(tmp_path / "mail.mbox")] == ["One", "Two"]


def test_a_connection_that_breaks_in_a_message_leaves_no_half_of_it(
    synced: Synced, tmp_path: Path, waits: list[float]
) -> None:
    deliver(synced, "One", "Two")
    synced.simulator.drop_connection(r"/\$value", times=4)
    assert to_file(synced.host, tmp_path / "mail.mbox").exit_code == 0
    assert [mime["Subject"] for mime in read_mbox(tmp_path / "mail.mbox")] == ["One", "Two"]
    assert len(waits) == 1


def test_what_microsoft_has_no_more_is_put_together_listed_and_ends_with_1(synced: Synced, tmp_path: Path) -> None:
    one, _ = deliver(synced, "One", "Two")
    synced.mailbox.delete(one)
    result = to_file(synced.host, tmp_path / "mail.mbox")
    assert (result.exit_code, "did not give 1 of them" in result.stderr) == (1, True)
    first, second = read_mbox(tmp_path / "mail.mbox")
    assert (first["Subject"], second["Subject"]) == ("One", "Two")
    assert (first["X-MS365-Rebuilt"], second["X-MS365-Rebuilt"]) == ("Microsoft did not give this message", None)


def test_what_microsoft_cannot_write_is_put_together(synced: Synced, tmp_path: Path) -> None:
    deliver(synced, "One")
    synced.simulator.fail_next(r"/\$value", 500, body=_error("ErrorCorruptData"))
    assert to_file(synced.host, tmp_path / "mail.mbox").exit_code == 1
    (mime,) = read_mbox(tmp_path / "mail.mbox")
    assert mime["X-MS365-Rebuilt"]


@pytest.mark.parametrize(("status", "code"), [(403, "ErrorAccessDenied"), (404, "MailboxNotEnabledForRESTAPI")])
def test_what_is_wrong_with_the_mailbox_ends_it_at_once(synced: Synced, tmp_path: Path, status: int, code: str) -> None:
    deliver(synced, "One", "Two")
    synced.simulator.fail_next(r"/\$value", status, times=1000, body=_error(code))
    result = to_file(synced.host, tmp_path / "mail.mbox")
    assert (result.exit_code, asked(synced)) == (1, 1)
    assert "0 message(s) exported" in result.stderr


def test_a_mailbox_whose_sign_in_has_ended_says_so(synced: Synced, tmp_path: Path) -> None:
    deliver(synced, "One")
    disconnect(synced.host, keep_mail=True)
    result = to_file(synced.host, tmp_path / "mail.mbox")
    assert (result.exit_code, "sign" in result.stderr.lower()) == (1, True)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells what a process takes")
def test_a_large_message_is_not_in_memory(synced: Synced, tmp_path: Path) -> None:
    if synced.host.db is not None:
        pytest.skip("the database has no part in it")
    deliver(synced, "Small")
    small = memory_of_export(synced, tmp_path / "small")
    deliver(synced, "Large", attachments=[File(name="large.bin", content=bytes(60 * 1024 * 1024))])
    large = memory_of_export(synced, tmp_path / "large")
    assert (tmp_path / "large").stat().st_size > 80 * 1024 * 1024
    assert large - small < 40 * 1024, large - small


def memory_of_export(synced: Synced, path: Path) -> int:
    """Return the KB that a process takes at most to export to ``path``."""
    most = 0
    with start(synced.host, "export", ADDRESS, "--format", "mbox", "--mime", "--output", str(path)) as process:
        while process.poll() is None:
            status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
            most = max([most, *map(int, re.findall(r"VmHWM:\s+(\d+)", status))])
            time.sleep(0.005)
    assert process.returncode == 0
    return most
