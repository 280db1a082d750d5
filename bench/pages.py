"""``python -m bench.pages``: Graph's mail as ready bytes, from a process of its own that costs next to nothing.

Prints the address of each port as JSON once it serves; ends with its standard input. A token of :func:`token_of` names
the mailbox. Cursors live in the links alone, so any number of processes may ask at once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial

from bench.fabricated import PAGE, TEMPLATES, filled, folder_id, folder_numbers, template

_TOKEN = re.compile(rb"authorization: Bearer bench-(\d+)-", re.IGNORECASE)
_HOST = re.compile(rb"\r\nhost: ([^\r]+)", re.IGNORECASE)
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)
_FOLDER = re.compile(r"/mailFolders/([^/?]+)")
_SKIP = re.compile(r"skiptoken=(\d+)")
_ONE = re.compile(r"deltatoken=one(\d+)")
_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    b'Preference-Applied: IdType="ImmutableId", odata.maxpagesize=200\r\nContent-Length: %d\r\n\r\n'
)
_SEND_BUFFER = 4 * 1024 * 1024  # a whole page goes to the kernel in one call

# cursors: after which nothing follows; after which one new message follows, another one for each number
DELTA_END, ONE_CHANGE = "%24deltatoken=end", "%24deltatoken=one{}"


def token_of(mailbox: int) -> str:
    """Return an access token of ordinary length for a mailbox."""
    return f"bench-{mailbox}-{'x' * 1600}"


class Mail:
    """What there is to serve: ``messages`` in each mailbox, spread over so many even folders."""

    def __init__(self, messages: int, folders: int) -> None:
        self.folders = folders
        self.requests = 0
        self._pages = -(-messages // PAGE // folders)
        self._templates = [template(number) for number in range(min(self._pages * folders, TEMPLATES))]
        self._page = lru_cache(maxsize=TEMPLATES)(self._filled)
        if self._pages * folders <= TEMPLATES:  # then nothing is left to do while somebody measures
            for folder in range(folders):
                for number in range(self._pages):
                    self._page(1, folder, number)

    def answer(self, target: str, origin: str, mailbox: int, body: bytes) -> list[bytes]:
        """Return the body of an answer, in pieces."""
        self.requests += 1
        path, _, query = target.partition("?")
        if path == "/v1.0/$batch":
            return [self._batch(body, mailbox)]
        found = _FOLDER.search(path)
        if found and found[1] != "delta" and "/messages" in path:
            return self._messages(found[1], query, f"{origin}{path}")
        if path == "/requests":
            return [b"%d" % (self.requests - 1)]
        return [json.dumps(self._folders(path, query, f"{origin}{path}", mailbox)).encode()]

    def _messages(self, graph_id: str, query: str, link: str) -> list[bytes]:
        mailbox, folder = folder_numbers(graph_id)
        end = f'],"@odata.deltaLink":"{link}?{DELTA_END}"}}'.encode()
        if "deltatoken=end" in query or "filter=" in query:
            return [b'{"value":[', end]
        if change := _ONE.search(query):
            return [b'{"value":[', _one_message(mailbox, folder, int(change[1])), end]
        skip = _SKIP.search(query)
        number = int(skip[1]) if skip else 0
        is_last = number + 1 >= self._pages
        if is_last and not link.endswith("/delta"):
            end = b"]}"
        page = self._page(mailbox, folder, number) if self._pages else b""
        more = f'],"@odata.nextLink":"{link}?%24skiptoken={number + 1}"}}'.encode()
        return [b'{"value":[', page, end if is_last else more]

    def _filled(self, mailbox: int, folder: int, number: int) -> bytes:
        chosen = self._templates[(folder * self._pages + number) % len(self._templates)]
        return filled(chosen, mailbox, folder, number)

    def _folders(self, path: str, query: str, link: str, mailbox: int) -> dict[str, object]:
        last = path.rpartition("/")[2]
        if last in ("mailFolders", "delta", "childFolders"):
            is_listing = last != "childFolders" and "deltatoken=" not in query
            value = [self._folder(mailbox, number) for number in range(self.folders)] if is_listing else []
            return {"value": value} | ({"@odata.deltaLink": f"{link}?{DELTA_END}"} if last == "delta" else {})
        return self._folder(mailbox, folder_numbers(last)[1] if "_" in last else 0)

    def _folder(self, mailbox: int, number: int) -> dict[str, object]:
        return {
            "id": folder_id(mailbox, number),
            "displayName": f"Folder {number}" if number else "Inbox",
            "parentFolderId": f"{folder_id(mailbox, 99)}",
            "childFolderCount": 0,
            "totalItemCount": self._pages * PAGE,
            "unreadItemCount": 0,
            "isHidden": False,
        }

    def _batch(self, body: bytes, mailbox: int) -> bytes:
        """Answer for the inbox, and that there is nothing else."""
        answers = []
        for request in json.loads(body)["requests"]:
            is_inbox = "/mailFolders/inbox" in request["url"]
            found = self._folder(mailbox, 0) if is_inbox else {"error": {"code": "ErrorItemNotFound", "message": ""}}
            answers.append({"id": request["id"], "status": 200 if is_inbox else 404, "headers": {}, "body": found})
        return json.dumps({"responses": answers}).encode()


@lru_cache(maxsize=1)
def _some_message() -> bytes:
    decoder, page = json.JSONDecoder(), template(0).decode()
    return page[: decoder.raw_decode(page)[1]].encode()


def _one_message(mailbox: int, folder: int, number: int) -> bytes:
    """Return a message that no page has."""
    return filled(_some_message(), mailbox, folder, 9_000 + number)


class Server(asyncio.Protocol):
    """One kept connection: answers each request after ``latency`` seconds."""

    transport: asyncio.Transport

    def __init__(self, mail: Mail, latency: float) -> None:
        self._mail = mail
        self._latency = latency
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not separator or (length and len(body) < int(length[1])):
            return
        self._received = b""
        pieces = self._answer(head, body)
        if self._latency:
            asyncio.get_running_loop().call_later(self._latency, self._send, pieces)
        else:
            self._send(pieces)

    def _answer(self, head: bytes, body: bytes) -> list[bytes]:
        target, host, token = head.split(b" ", 2)[1].decode(), _HOST.search(head), _TOKEN.search(head)
        origin = f"http://{host[1].decode()}" if host else ""
        pieces = self._mail.answer(target, origin, int(token[1]) if token else 0, body)
        length = sum(map(len, pieces))
        return [_HEAD % length + pieces[0], *pieces[1:]]

    def _send(self, pieces: Sequence[bytes]) -> None:
        for piece in pieces:
            self.transport.write(piece)


async def serve(mail: Mail, latencies: Sequence[int]) -> None:
    """Serve on one port for each latency until the standard input ends."""
    loop, addresses = asyncio.get_running_loop(), {}
    for latency in latencies:
        server = await loop.create_server(partial(Server, mail, latency / 1000), "127.0.0.1", 0)
        addresses[latency] = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    print(json.dumps(addresses), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


@contextmanager
def served(*, messages: int, folders: int, latencies: Sequence[int] = (0,)) -> Iterator[dict[int, str]]:
    """Run the server; yield latency -> address."""
    options = ["--messages", str(messages), "--folders", str(folders), "--latencies", *map(str, latencies)]
    command = [sys.executable, "-m", "bench.pages", *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield {int(latency): url for latency, url in json.loads(process.stdout.readline()).items()}
        process.stdin.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--folders", type=int, default=1)
    parser.add_argument("--latencies", type=int, nargs="*", default=[0])
    given = parser.parse_args()
    asyncio.run(serve(Mail(given.messages, given.folders), given.latencies))
