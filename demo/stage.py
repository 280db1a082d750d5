"""What the demo runs on: a Microsoft 365 on loopback with the mailboxes of Ana, Kim and the team, and the host."""

from __future__ import annotations

import logging
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flask import Flask
from werkzeug.serving import make_server

from demo.accounts import USERS
from demo.app import create_app
from flask_ms365.simulator import LoadReport, Mailbox, Simulator

HOST = "127.0.0.1"
# by its name: Entra's form takes http for localhost alone
NAME = "localhost"
SAMPLE_MAIL = Path(__file__).parent / "mail"


@dataclass(frozen=True, kw_only=True)
class Person:
    """A user of the host or the team, with the Microsoft account beside it. Passwords are invented and the same."""

    id: str
    name: str
    address: str
    password: str
    mailbox: Mailbox


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Everything that runs, and the values that a newcomer pastes into the settings page."""

    app: Flask
    url: str
    client_id: str
    client_secret: str
    tenant_id: str
    people: dict[str, Person]
    support: Person
    loaded: LoadReport


@contextmanager
def open_stage(*, port: int, data_dir: Path | None, mail_dir: Path, is_quiet: bool) -> Iterator[Stage]:
    """Start the simulator and the back office; stop both in the end."""
    if is_quiet:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with _data_dir(data_dir) as folder, _bound_socket(port) as bound, Simulator(port=0) as simulator:
        url = f"http://{NAME}:{bound.getsockname()[1]}"
        people = {user.id: _hire(simulator, user.id, user.name, user.password) for user in USERS.values()}
        support = _hire(simulator, "support", "Support", "support")
        registration = simulator.register_app(redirect_uris=[f"{url}/ms365/oauth/callback"], name="Contoso Cycles")
        app = create_app(data_dir=folder, authority_url=simulator.url, graph_url=simulator.url, public_base_url=url)
        with _serving(app, bound):
            yield Stage(
                app=app,
                url=url,
                client_id=registration.client_id,
                client_secret=registration.client_secret,
                tenant_id=simulator.tenant_id,
                people=people,
                support=support,
                loaded=people["ana"].mailbox.load(mail_dir),
            )


def _hire(simulator: Simulator, user_id: str, name: str, password: str) -> Person:
    """Give a user of the host a Microsoft account, and mail to read."""
    address = f"{user_id}@contoso.example"
    mailbox = simulator.add_user(address, name=name, password=password).mailbox
    mailbox.deliver(
        subject="Welcome to Contoso Cycles",
        text="Here is your mailbox. The kettle is in the back, the cat is not ours.\n",
        sender=("The workshop", "workshop@contoso.example"),
        to=[(name, address)],
    )
    return Person(id=user_id, name=name, address=address, password=password, mailbox=mailbox)


@contextmanager
def _data_dir(given: Path | None) -> Iterator[Path]:
    if given is not None:
        given.mkdir(parents=True, exist_ok=True)
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="contoso-cycles-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextmanager
def _bound_socket(port: int) -> Iterator[socket.socket]:
    """Listen on ``port``, or on a free one where that is taken."""
    with socket.socket() as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((HOST, port))
        except OSError:
            bound.bind((HOST, 0))
        bound.listen(64)
        yield bound


@contextmanager
def _serving(app: Flask, bound: socket.socket) -> Iterator[None]:
    server = make_server(HOST, bound.getsockname()[1], app, threaded=True, fd=bound.fileno())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
