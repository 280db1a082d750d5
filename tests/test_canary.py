"""The canary sings: what the test run relies on to notice a leak does notice one."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import click
import pytest
from sqlalchemy import select
from werkzeug.test import Client
from werkzeug.wrappers import Response

from flask_ms365 import audit
from flask_ms365.crypto import Keyring, generate_key
from flask_ms365.errors import MS365Error
from flask_ms365.identity.credentials import ClientCertificate, FederatedToken
from flask_ms365.models import Folder
from flask_ms365.simulator import App, Simulator, User
from tests.canary import watched
from tests.certificates import certificate, private_half, public_half
from tests.conftest import Host, HostFactory
from tests.visitor import path_of, sign_in_at_microsoft
from tests.web.conftest import FILLED_IN, SETTINGS

SECRET = "aB38Q~Zz9-qW_eRt.Yu7iOpAsDfGhJkLzXcVbNm1"
TOKEN = "eyJ0eXAi" + "".join(chr(97 + n * 7 % 26) + str(n) for n in range(300))


@pytest.fixture(autouse=True)
def _no_secret_comes_out() -> None:
    """Take the place of the watch over all tests: here secrets come out on purpose."""


def leaks(monkeypatch: pytest.MonkeyPatch, secret: str, say: Callable[[], object]) -> list[str]:
    with monkeypatch.context() as patch, watched(patch) as watch:
        Keyring([generate_key()]).seal(secret, "somewhere")
        say()
        return watch.leaks()


@pytest.mark.parametrize("part", [SECRET, SECRET[:8], SECRET[5:14], TOKEN, TOKEN[100:140]])
def test_a_part_in_a_log_is_noticed(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    secret = TOKEN if part in TOKEN else SECRET
    assert leaks(monkeypatch, secret, lambda: logging.getLogger("flask_ms365.x").debug("got %s", part))


def test_a_part_beside_the_message_of_a_log_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    log = logging.getLogger("flask_ms365.x")
    assert leaks(monkeypatch, SECRET, lambda: log.info("event", extra={"secret": SECRET}))


def test_a_part_in_an_error_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert leaks(monkeypatch, SECRET, lambda: MS365Error(f"Could not use {SECRET}"))


def test_a_part_on_a_page_is_noticed(monkeypatch: pytest.MonkeyPatch, host: Host) -> None:
    visitor = host.visitor()
    assert leaks(monkeypatch, "Application (Client) ID", lambda: visitor.get(SETTINGS))


@pytest.mark.parametrize("name", ["", "authlib", "joserfc", "requests", "urllib3", "werkzeug", "flask_ms365.simulator"])
def test_a_part_in_the_log_of_anybody_is_noticed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert leaks(monkeypatch, SECRET, lambda: logging.getLogger(name).warning("sent %s", SECRET))


@pytest.mark.parametrize("name", ["flask_ms365.x", "authlib.x", "joserfc.x", "requests.x", "urllib3.x", "werkzeug"])
def test_they_are_heard_when_they_talk_to_programmers(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert leaks(monkeypatch, SECRET, lambda: logging.getLogger(name).debug("sent %s", SECRET))


def test_a_part_in_a_traceback_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        try:
            raise ValueError(f"cannot read {SECRET}")
        except ValueError:
            logging.getLogger("flask_ms365.x").exception("failed")

    assert leaks(monkeypatch, SECRET, fail)


def test_a_part_in_an_object_of_ours_where_an_error_is_raised_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    talkative = type("Talkative", (), {"__module__": "flask_ms365.x", "__repr__": lambda self: f"<{SECRET}>"})
    frame = {"__name__": "flask_ms365.x", "Talkative": talkative, "MS365Error": MS365Error}
    exec("def fail():\n    held = Talkative()\n    MS365Error('quiet')", frame)
    assert leaks(monkeypatch, SECRET, frame["fail"])  # type: ignore[arg-type]


@pytest.mark.parametrize("header", ["Location", "Set-Cookie", "X-Anything"])
def test_a_part_in_a_header_is_noticed(monkeypatch: pytest.MonkeyPatch, header: str) -> None:
    answer = Response("gone", 302, {"Location": "/", header: f"/x={SECRET}"})
    assert leaks(monkeypatch, SECRET, lambda: Client(answer).get("/"))


def test_a_part_in_the_audit_is_noticed(monkeypatch: pytest.MonkeyPatch, host: Host) -> None:
    def record() -> None:
        with host.app.app_context():
            session = host.app.extensions["sqlalchemy"].session
            audit.record(session, "check.run", at=datetime.now(timezone.utc), actor="ana", said=SECRET)
            session.commit()

    assert leaks(monkeypatch, SECRET, record)


def test_a_part_on_a_terminal_is_noticed(monkeypatch: pytest.MonkeyPatch, host: Host) -> None:
    host.app.cli.add_command(click.Command("tell", callback=lambda: click.echo(SECRET)))
    assert leaks(monkeypatch, SECRET, lambda: host.app.test_cli_runner().invoke(args=["tell"]))


def test_a_part_in_a_task_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    celery = pytest.importorskip("celery")
    app = celery.Celery("test", broker="memory://")
    assert leaks(monkeypatch, SECRET, lambda: app.send_task("ms365.sync_mailbox", args=[SECRET]))


# what is secret


def secrets_of(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> set[str]:
    """Return what the watch has learned while ``act`` ran."""
    with monkeypatch.context() as patch, watched(patch) as watch:
        act()
        return watch.secrets


def test_a_sign_in_teaches_all_that_binds_it_and_comes_of_it(
    monkeypatch: pytest.MonkeyPatch, configured: Host, ana: User, simulator: Simulator, registration: App
) -> None:
    started: list[Any] = []

    def connect() -> None:
        visitor = configured.visitor()
        url = visitor.start_connect()
        started.extend([*parse_qs(urlsplit(url).query)["state"], visitor.get_cookie("ms365-flow")])
        visitor.get(path_of(sign_in_at_microsoft(url, ana)))

    known = secrets_of(monkeypatch, connect)
    state, cookie = started
    grants = simulator.grants
    assert {registration.client_secret, state, cookie.value} <= known
    assert {*grants.codes, *grants.access_tokens, *grants.refresh_tokens} <= known
    assert len([each for each in known if each.startswith("eyJ")]) == 2  # the access token and the ID token
    assert len([each for each in known if len(each) == 64 and each != state]) == 2  # binding and verifier


def test_a_host_teaches_its_keys(monkeypatch: pytest.MonkeyPatch, make_host: HostFactory) -> None:
    key = generate_key()
    assert key in secrets_of(monkeypatch, lambda: make_host(MS365_ENCRYPTION_KEYS=key))


def test_a_certificate_teaches_its_key_and_its_assertions(monkeypatch: pytest.MonkeyPatch) -> None:
    pem, proofs = certificate(), []

    def prove() -> None:
        credential = ClientCertificate(pem, lambda: datetime.now(timezone.utc))
        proofs.append(credential.proof("client", "https://login.example/token"))

    known = secrets_of(monkeypatch, prove)
    assert proofs[0]["client_assertion"] in known
    assert any(private_half(pem).splitlines()[9] in each for each in known)


def test_a_federated_token_is_learned_when_it_is_sent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    known = secrets_of(monkeypatch, lambda: FederatedToken(str(tmp_path / "token")).proof("client", "https://x"))
    assert TOKEN in known


def test_a_sync_teaches_where_it_goes_on(monkeypatch: pytest.MonkeyPatch, connected: Host) -> None:
    def sync() -> None:
        with connected.app.app_context():
            connected.ms365.tick()

    known = secrets_of(monkeypatch, sync)
    with connected.app.app_context():
        links = connected.app.extensions["sqlalchemy"].session.scalars(select(Folder.delta_link)).all()
    tokens = [parse_qs(urlsplit(link).query)["$deltatoken"][0] for link in links if link]
    assert tokens
    assert set(tokens) <= known


# what only the browser of a sign-in is told


@pytest.mark.parametrize("part", ["state", "binding"])
def test_what_binds_a_sign_in_is_for_one_browser_alone(
    monkeypatch: pytest.MonkeyPatch, configured: Host, part: str
) -> None:
    visitor = configured.visitor()

    def begin(say: Callable[[str], object]) -> list[str]:
        with monkeypatch.context() as patch, watched(patch) as watch:
            url = visitor.start_connect()
            cookie = visitor.get_cookie("ms365-flow")
            say(parse_qs(urlsplit(url).query)["state"][0] if part == "state" else str(cookie and cookie.value))
            return watch.leaks()

    assert begin(lambda value: None) == []
    for place in (f"{SETTINGS}?saved=%s", "/ms365/oauth/callback?error=%s"):
        answer = Response("", 303, {"Location": place})
        assert begin(lambda value, to=answer: Client(_with(to, value)).get("/"))  # type: ignore[misc]


def _with(answer: Response, value: str) -> Response:
    answer.headers["Location"] = answer.headers["Location"] % value
    return answer


# what is none


def test_a_part_of_a_private_key_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    pem = certificate()
    line = private_half(pem).splitlines()[9]
    assert leaks(monkeypatch, pem, lambda: MS365Error(f"Could not use {line}"))


def test_the_public_half_of_a_certificate_is_no_leak(monkeypatch: pytest.MonkeyPatch) -> None:
    pem = certificate()
    assert leaks(monkeypatch, pem, lambda: MS365Error(public_half(pem))) == []


def test_three_characters_are_no_leak(monkeypatch: pytest.MonkeyPatch) -> None:
    assert leaks(monkeypatch, SECRET, lambda: MS365Error(f"Stored, starts with {SECRET[:3]}")) == []


def test_what_a_save_says_is_no_leak(monkeypatch: pytest.MonkeyPatch, host: Host) -> None:
    visitor = host.visitor()
    assert (
        leaks(monkeypatch, SECRET, lambda: visitor.submit(SETTINGS, {**FILLED_IN, "client_secret-value": SECRET})) == []
    )
