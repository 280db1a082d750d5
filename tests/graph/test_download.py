"""Contents from Graph in chunks: bounded, and their connections given back whatever happens."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
import urllib3

from flask_ms365.errors import GraphError, Unavailable
from flask_ms365.graph import download
from flask_ms365.graph.http import GraphHttp, new_pool
from flask_ms365.simulator import Simulator

KB = 1024
Answer = Callable[[bytes], str]


@pytest.fixture
def pool(simulator: Simulator) -> urllib3.HTTPConnectionPool:
    return new_pool(simulator.url)


@pytest.fixture
def http(simulator: Simulator, pool: urllib3.HTTPConnectionPool) -> GraphHttp:
    return _http(simulator.url, pool)


def _http(origin: str, pool: urllib3.HTTPConnectionPool) -> GraphHttp:
    return GraphHttp(origin=origin, token=lambda rejected, claims: "token", pool=pool, sleep=lambda seconds: None)


@pytest.fixture
def answer() -> Iterator[Answer]:
    """Return a function that lets a server send these bytes to whoever asks, and hang up; it returns its address."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threads: list[threading.Thread] = []

        def serve(content: bytes) -> str:
            threads.append(threading.Thread(target=_serve, args=(server, content)))
            threads[0].start()
            return f"http://127.0.0.1:{server.getsockname()[1]}"

        yield serve
        for thread in threads:
            thread.join()


def _serve(server: socket.socket, content: bytes) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(64 * KB)
        connection.sendall(content)


def test_no_chunk_is_large(http: GraphHttp, simulator: Simulator) -> None:
    simulator.fail_next("/x", 200, body=b"a" * 1000 * KB)
    sizes = [len(chunk) for chunk in http.stream(f"{simulator.url}/x", limit=1000 * KB)]
    assert (sum(sizes), max(sizes) <= 64 * KB) == (1000 * KB, True)


def test_what_says_that_it_is_too_large_is_not_read(http: GraphHttp, simulator: Simulator) -> None:
    simulator.fail_next("/x", 200, body=b"a" * 1001)
    with pytest.raises(GraphError) as caught:
        http.stream(f"{simulator.url}/x", limit=1000)
    assert caught.value.code == "tooLarge"


def test_what_turns_out_too_large_ends_there(answer: Answer) -> None:
    """Without a length, it shows only on the way."""
    origin = answer(b"HTTP/1.1 200 OK\r\n\r\n" + b"a" * 1000 * KB)
    got: list[bytes] = []
    with pytest.raises(GraphError, match="larger than") as caught:
        got.extend(_http(origin, new_pool(origin)).stream(f"{origin}/x", limit=300 * KB))
    assert (caught.value.code, sum(map(len, got)) <= 300 * KB) == ("tooLarge", True)


def test_what_is_cut_in_the_middle_is_not_taken_for_whole(answer: Answer) -> None:
    origin = answer(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"a" * 500)
    with pytest.raises(Unavailable, match="could not be reached"):
        list(_http(origin, new_pool(origin)).stream(f"{origin}/x", limit=1000))


def test_what_drips_for_ever_ends(http: GraphHttp, simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "LONGEST", 0.0)
    simulator.fail_next("/x", 200, body=b"abc")
    with pytest.raises(Unavailable, match="TimeoutError"):
        list(http.stream(f"{simulator.url}/x", limit=1000))


def test_read_to_the_end_its_connection_serves_again(
    http: GraphHttp, simulator: Simulator, pool: urllib3.HTTPConnectionPool
) -> None:
    simulator.fail_next("/x", 200, body=b"abc", times=3)
    assert [b"".join(http.stream(f"{simulator.url}/x", limit=10)) for _ in range(3)] == [b"abc"] * 3
    assert pool.num_connections == 1


def test_left_in_the_middle_nothing_of_it_reaches_the_next(http: GraphHttp, simulator: Simulator) -> None:
    simulator.fail_next("/x", 200, body=b"a" * 3000 * KB)
    simulator.fail_next("/y", 200, body=b"next")
    left = http.stream(f"{simulator.url}/x", limit=3000 * KB)
    next(iter(left))
    left.close()
    assert b"".join(http.stream(f"{simulator.url}/y", limit=10)) == b"next"


def test_closed_before_it_is_read_it_holds_no_connection(
    http: GraphHttp, simulator: Simulator, pool: urllib3.HTTPConnectionPool
) -> None:
    simulator.fail_next("/x", 200, body=b"a" * 1000 * KB, times=None)
    for _ in range(20):
        http.stream(f"{simulator.url}/x", limit=1000 * KB).close()
    assert pool.pool.qsize() == 16  # type: ignore[union-attr]


def test_refusals_hold_no_connection(http: GraphHttp, simulator: Simulator, pool: urllib3.HTTPConnectionPool) -> None:
    simulator.fail_next("/x", 403, body={"error": {"code": "ErrorAccessDenied"}}, times=None)
    for _ in range(20):
        with pytest.raises(GraphError, match="ErrorAccessDenied"):
            http.stream(f"{simulator.url}/x", limit=10)
    assert pool.pool.qsize() == 16  # type: ignore[union-attr]


def test_the_first_chunk_can_be_looked_at_before(http: GraphHttp, simulator: Simulator) -> None:
    simulator.fail_next("/x", 200, body=b"a" * 100 * KB)
    content = http.stream(f"{simulator.url}/x", limit=100 * KB)
    assert content.first.startswith(b"aaa")
    assert b"".join(content) == b"a" * 100 * KB


def test_nothing_is_also_a_content(http: GraphHttp, simulator: Simulator) -> None:
    simulator.fail_next("/x", 200, body=b"", times=2)
    content = http.stream(f"{simulator.url}/x", limit=10)
    assert (content.first, list(content)) == (b"", [])
    assert list(http.stream(f"{simulator.url}/x", limit=10)) == []


def test_a_redirect_is_not_followed(http: GraphHttp, simulator: Simulator) -> None:
    simulator.fail_next("/x", 302, headers={"Location": "http://127.0.0.1:1/"})
    with pytest.raises(GraphError) as caught:
        http.stream(f"{simulator.url}/x", limit=10)
    assert caught.value.status == 302


def test_no_token_is_sent_to_another_host(simulator: Simulator, pool: urllib3.HTTPConnectionPool) -> None:
    with pytest.raises(GraphError, match="another host"):
        _http(simulator.url, pool).stream("https://evil.example/v1.0/me", limit=10)


def test_no_log_has_the_token_or_the_query(
    http: GraphHttp, simulator: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    simulator.fail_next("/x", 200, body=b"abc")
    with caplog.at_level(logging.DEBUG):
        list(http.stream(f"{simulator.url}/x?secret=canary", limit=10))
    assert "graph.request" in caplog.text
    assert not [word for word in ("Bearer", "canary") if word in caplog.text]
