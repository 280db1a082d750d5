"""The HTTP server: threads, keep-alive, quiet, and gone at once when it is stopped."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from werkzeug.datastructures import Headers
from werkzeug.exceptions import ClientDisconnected
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.test import run_wsgi_app

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


_WITHOUT_BODY = ("204", "304")
_log = logging.getLogger(__name__)


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    # without these two each answer waits for the client's delayed ACK
    disable_nagle_algorithm = True
    wbufsize = 65536

    def setup(self) -> None:
        super().setup()
        self.server.open_sockets.add(self.connection)  # type: ignore[attr-defined]  # set in Server.start

    def finish(self) -> None:
        self.server.open_sockets.discard(self.connection)  # type: ignore[attr-defined]
        try:
            super().finish()
        except OSError:
            self.log("info", "the connection was cut")
        finally:  # what could not be written any more would keep the other half open
            self.rfile.close()

    def run_wsgi(self) -> None:
        """Answer one request and keep the connection: werkzeug's own way closes it, and waits 10 ms first."""
        try:
            chunks, status, headers = run_wsgi_app(self.server.app, self.make_environ())
        except (ConnectionAbortedError, ClientDisconnected):
            self.close_connection = True
            return
        except Exception:
            _log.exception("%s %s failed", self.command, self.path)
            chunks, status, headers = (), "500 Internal Server Error", Headers({"Content-Length": "0"})
        code, _, reason = status.partition(" ")
        # not send_response: it would add a Date of its own
        self.send_response_only(int(code), reason)
        for name, value in headers:
            self.send_header(name, value)
        if "Content-Length" not in headers and code not in _WITHOUT_BODY:
            self.send_header("Transfer-Encoding", "chunked")
            chunks = _chunked(chunks)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.writelines(chunks)
        self.wfile.flush()

    def log(self, type: str, message: str, *args: object) -> None:
        """Say nothing: the simulator keeps its own log of requests."""


def _chunked(pieces: Iterable[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        if piece:
            yield b"%x\r\n%b\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"


class Server:
    """A WSGI application on a port, in threads of its own."""

    def __init__(self, application: WSGIApplication, host: str, port: int) -> None:
        self._application = application
        self._host = host
        self._port = port
        self._server: BaseWSGIServer | None = None
        self._thread: threading.Thread | None = None
        self._open_sockets: set[socket.socket] = set()

    @property
    def url(self) -> str:
        """The origin. The port of a stopped server is kept for its next start."""
        return f"http://{self._host}:{self._port}"

    def start(self) -> None:
        """Listen, and serve in the background."""
        if self._server is not None:
            return
        server = make_server(self._host, self._port, self._application, threaded=True, request_handler=_Handler)
        server.open_sockets = self._open_sockets  # type: ignore[attr-defined]  # the handlers find it here
        self._port = server.server_port
        self._server = server
        self._thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.02}, name="simulator", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Close the port and every connection."""
        if self._server is None or self._thread is None:
            return
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._server = None
        for connection in list(self._open_sockets):
            hang_up(connection)


def hang_up(connection: socket.socket) -> None:
    """Cut a connection, whatever is on its way."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
