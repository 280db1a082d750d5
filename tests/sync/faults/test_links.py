"""Fault 48: links to another host. A socket that listens there hears nothing, least of all a bearer."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from flask_ms365.sync.report import Result
from tests.conftest import Clock
from tests.sync.conftest import Synced
from tests.sync.faults.conftest import TREE, deliver, delta_of, on_sqlite, page

pytestmark = on_sqlite

FOREIGN = [
    pytest.param("http://127.0.0.1:{port}/v1.0/me/messages", id="another port"),
    pytest.param("http://localhost:{port}/v1.0/me/messages", id="another host"),
    pytest.param("http://[::1]:{port}/v1.0/me/messages", id="IPv6"),
    pytest.param("https://{host}/v1.0/me/messages", id="another scheme"),
    pytest.param("http://{host}@127.0.0.1:{port}/v1.0/me/messages", id="our host as user"),
    pytest.param("http://{host}\\@127.0.0.1:{port}/v1.0/me/messages", id="a backslash"),
    pytest.param("/v1.0/me/messages", id="a path alone"),
]


class Listener:
    """Somebody else's server: what it was sent."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.heard: list[bytes] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(1)
                self.heard.append(connection.recv(65536))

    def close(self) -> None:
        """Stop listening; who waits in accept is woken."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    result = Listener()
    yield result
    result.close()


def _link(form: str, synced: Synced, listener: Listener) -> str:
    return form.format(port=listener.port, host=synced.simulator.url.partition("//")[2])


@pytest.mark.parametrize("form", FOREIGN)
def test_a_next_link_to_another_host_is_refused(synced: Synced, listener: Listener, form: str) -> None:
    """Fault 48, next links of messages."""
    deliver(synced, 3)
    synced.simulator.fail_next(delta_of(synced), 200, page(next_link=_link(form, synced, listener)), times=None)

    report = synced.run()
    assert (report.result, report.error_code, listener.heard) == (Result.FAILED, "foreignLink", [])


@pytest.mark.parametrize("form", FOREIGN[:2])
def test_a_delta_link_to_another_host_is_refused(synced: Synced, listener: Listener, clock: Clock, form: str) -> None:
    """Fault 48, delta links of messages: at once, or by the run that would follow it."""
    deliver(synced, 3)
    synced.simulator.fail_next(delta_of(synced), 200, page(delta_link=_link(form, synced, listener)), times=None)
    codes = [synced.run().error_code]
    clock.advance(hours=2)
    codes.append(synced.run().error_code)

    assert "foreignLink" in codes
    assert listener.heard == []


@pytest.mark.parametrize("kind", ["next_link", "delta_link"])
def test_a_link_to_another_host_is_not_kept(synced: Synced, listener: Listener, clock: Clock, kind: str) -> None:
    """Fault 48, once Graph tells its own links again."""
    deliver(synced, 3)
    link = _link("http://127.0.0.1:{port}/", synced, listener)
    synced.simulator.fail_next(delta_of(synced), 200, page(**{kind: link}))
    for _ in range(3):
        synced.run()
        clock.advance(hours=2)
    synced.sync()

    assert synced.differences() == []
    assert listener.heard == []


@pytest.mark.parametrize("kind", ["next_link", "delta_link"])
def test_a_link_of_the_folder_tree_to_another_host_is_refused(
    synced: Synced, listener: Listener, clock: Clock, kind: str
) -> None:
    """Fault 48, links of folders."""
    deliver(synced, 3)
    link = _link("http://127.0.0.1:{port}/", synced, listener)
    synced.simulator.fail_next(TREE, 200, page(**{kind: link}))
    synced.run()
    clock.advance(hours=2)
    synced.run()
    clock.advance(days=1)
    synced.sync()

    assert synced.differences() == []
    assert listener.heard == []


def test_a_redirect_is_not_followed(synced: Synced, listener: Listener) -> None:
    """Fault 48, in another shape."""
    deliver(synced, 3)
    synced.simulator.redirect_next(delta_of(synced), f"http://127.0.0.1:{listener.port}/", 307, times=None)

    assert synced.run().result is not Result.DONE
    assert listener.heard == []
