"""No answer of the sign-in service may be endless: fault 18, and what a hostile proxy could send."""

from __future__ import annotations

import gzip
import itertools
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from flask_ms365.errors import TokenUnavailable
from flask_ms365.identity import bounded
from flask_ms365.identity.credentials import ClientSecret
from flask_ms365.identity.discovery import fetch
from flask_ms365.identity.registration import AppRegistration
from flask_ms365.identity.token_endpoint import prove_credentials
from tests.certificates import certificate

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"


@contextmanager
def answering(send: Callable[[socket.socket], None], context: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serve one connection: read the request, let ``send`` answer, and hang up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                connection = server.accept()[0]
                with context.wrap_socket(connection, server_side=True) if context else connection as peer:
                    peer.recv(65536)
                    send(peer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"{'https' if context else 'http'}://127.0.0.1:{server.getsockname()[1]}"
    thread.join(5)


def registration_at(url: str) -> AppRegistration:
    return AppRegistration(
        client_id="7b1f9c1e-54d0-4c6a-9e5b-0c6d1f6a2b3c",
        credential=ClientSecret("secret"),
        tenant="contoso.example",
        authority=url,
        graph=url,
    )


def ask_for_a_token(url: str) -> None:
    prove_credentials(registration_at(url))


def read_a_document(url: str) -> None:
    fetch(url).decode(dict)


ASKING = pytest.mark.parametrize("ask", [ask_for_a_token, read_a_document], ids=["token", "document"])


@ASKING
def test_an_answer_that_never_ends_is_cut(ask: Callable[[str], None]) -> None:
    def send(peer: socket.socket) -> None:
        peer.sendall(HEAD + b"\r\n{")
        for _ in itertools.repeat(None, 500):
            peer.sendall(b" " * 65536)

    with answering(send) as url, pytest.raises(TokenUnavailable, match="more, or slower"):
        ask(url)


@ASKING
def test_a_byte_now_and_then_is_cut(ask: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "LONGEST", 0.2)
    stop = threading.Event()

    def send(peer: socket.socket) -> None:
        peer.sendall(HEAD + b"\r\n{")
        while not stop.wait(0.02):
            peer.sendall(b" ")

    with answering(send) as url, pytest.raises(TokenUnavailable, match="more, or slower"):
        ask(url)
    stop.set()


@ASKING
def test_headers_that_never_end_are_cut(ask: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "AT_ALL", 0.2)
    stop = threading.Event()

    def send(peer: socket.socket) -> None:
        peer.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not stop.wait(0.02):
            peer.sendall(b"a")

    with answering(send) as url, pytest.raises(TokenUnavailable):
        ask(url)
    stop.set()


@ASKING
def test_what_is_packed_a_thousandfold_is_cut(ask: Callable[[str], None]) -> None:
    bomb = gzip.compress(b" " * 200_000_000)

    def send(peer: socket.socket) -> None:
        peer.sendall(HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb) + bomb)

    with (
        answering(send) as url,
        pytest.raises(TokenUnavailable, match="sign-in service"),
    ):
        ask(url)


def test_a_redirect_carries_the_secret_nowhere() -> None:
    asked: list[bytes] = []

    def elsewhere(peer: socket.socket) -> None:
        asked.append(peer.recv(1))

    with answering(elsewhere) as other:

        def send(peer: socket.socket) -> None:
            peer.sendall(b"HTTP/1.1 307 Moved\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % other.encode())

        with answering(send) as url, pytest.raises(TokenUnavailable):
            ask_for_a_token(url)
        assert asked == []
        socket.create_connection(("127.0.0.1", int(other.rpartition(":")[2]))).close()


def test_a_certificate_of_somebody_else_is_named(tmp_path: Path) -> None:
    Path(tmp_path, "server.pem").write_text(certificate())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    with answering(lambda peer: None, context) as url, pytest.raises(TokenUnavailable, match="not trusted here"):
        ask_for_a_token(url)


def test_nothing_of_the_request_is_in_the_error() -> None:
    with answering(lambda peer: peer.sendall(HEAD + b"\r\nnothing")) as url, pytest.raises(TokenUnavailable) as raised:
        prove_credentials(replace(registration_at(url), credential=ClientSecret("canary-of-the-request")))
    assert "canary" not in repr(raised.value)
