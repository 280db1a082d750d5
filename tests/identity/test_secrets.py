"""Secrets lie sealed in the database and appear nowhere else (fault 30)."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from sqlalchemy import select

from flask_ms365.models import AuditEvent, OAuthFlow
from flask_ms365.simulator import App, Simulator, User
from tests.certificates import certificate, private_half, public_half
from tests.conftest import Clock, Host
from tests.identity.conftest import SignInBegun, session_of
from tests.visitor import path_of, sign_in_at_microsoft


class Journey:
    """From *Connect* over a refresh to a dead grant; what was secret in it, and what could be seen of it."""

    def __init__(self, host: Host, simulator: Simulator, registration: App, user: User, clock: Clock) -> None:
        visitor = host.visitor()
        pages = [visitor.get("/ms365/my-email").text]
        begun = SignInBegun(host, simulator, registration, user, visitor, visitor.start_connect())
        cookie = visitor.get_cookie("ms365-flow")
        assert cookie
        keyring = host.app.extensions["ms365.state"].keyring
        with host.app.app_context():
            flow = session_of(host).scalars(select(OAuthFlow)).one()
            verifier = keyring.open(flow.code_verifier, f"ms365_oauth_flow:{flow.id}:code_verifier")
        back = visitor.get(path_of(sign_in_at_microsoft(begun.url, user)))
        pages += [back.text, visitor.get(back.headers["Location"]).text]
        with host.app.app_context():
            host.ms365.tick()
            clock.advance(hours=2)
            host.ms365.tick()
            simulator.revoke(user)
            clock.advance(hours=2)
            host.ms365.tick()
        pages += [visitor.get(f"/ms365/{page}").text for page in ("my-email", "settings", "messages", "audit")]
        self.seen = "\n".join([*pages, str(back.headers)])
        self.secrets = {
            "state": begun.asked["state"],
            "binding": cookie.value,
            "code verifier": verifier,
            "encryption key": host.app.config["MS365_ENCRYPTION_KEYS"],
            **{f"code {n}": code for n, code in enumerate(simulator.grants.codes)},
            **{f"access token {n}": token for n, token in enumerate(simulator.grants.access_tokens)},
            **{f"refresh token {n}": token for n, token in enumerate(simulator.grants.refresh_tokens)},
        }

    def leaks_in(self, text: str) -> list[str]:
        """Return the names of the secrets that ``text`` shows."""
        return [name for name, secret in self.secrets.items() if secret in text]


@pytest.fixture(params=["secret", "certificate"])
def journey(
    request: pytest.FixtureRequest,
    configured: Host,
    simulator: Simulator,
    registration: App,
    ana: User,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> Journey:
    """Go the whole way with each kind of credential, while everybody logs all they can: the database its rows too."""
    caplog.set_level("DEBUG")
    with configured.app.app_context():
        engine = configured.app.extensions["sqlalchemy"].engine
        if request.param == "certificate":
            registration.add_certificate(public_half(certificate()))
            settings = {"client_certificate": certificate(), "credential": "certificate"}
            configured.ms365.settings.save(settings, actor="ana")
    monkeypatch.setattr(simulator, "clock", clock)  # Microsoft takes no assertion of a later hour
    engine.echo = "debug"
    journey = Journey(configured, simulator, registration, ana, clock)
    engine.echo = False
    journey.secrets["client secret"] = registration.client_secret
    if request.param == "certificate":
        lines = private_half(certificate()).splitlines()[9:-1]
        journey.secrets |= {f"private key, line {n}": line for n, line in enumerate(lines)}
    assert len(journey.secrets) >= 10
    return journey


def test_nothing_secret_is_readable_in_the_database_file(journey: Journey, tmp_path: Path) -> None:
    files = [path for path in (tmp_path / "host").iterdir() if "sqlite3" in path.name]
    content = b"".join(path.read_bytes() for path in files).decode("latin-1")
    assert "ana@contoso.example" in content
    assert journey.leaks_in(content) == []


def test_nothing_secret_is_logged_even_for_debugging(journey: Journey, caplog: pytest.LogCaptureFixture) -> None:
    records = caplog.get_records("setup")
    names = {record.name for record in records}
    assert {"urllib3.connectionpool", "flask_ms365.sync.outcome", "sqlalchemy.engine.Engine"} <= names
    logged = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in records if not _is_of_a_browser(record))
    assert journey.leaks_in(logged) == []


def _is_of_a_browser(record: logging.LogRecord) -> bool:
    """Tell what only people open: the browser of the tests, and not we, goes to Microsoft's sign-in page."""
    return record.name.startswith("urllib3") and "/oauth2/v2.0/authorize?" in record.getMessage()


def test_nothing_secret_is_on_a_page_or_in_an_address(journey: Journey) -> None:
    assert "Sign-in needed" in journey.seen
    assert journey.leaks_in(journey.seen) == []


def test_nothing_secret_is_in_the_audit(journey: Journey, configured: Host) -> None:
    with configured.app.app_context():
        events = session_of(configured).scalars(select(AuditEvent)).all()
        text = " ".join(f"{event.actor} {event.action} {event.target} {event.detail}" for event in events)
    assert "mailbox.connected" in text
    assert journey.leaks_in(text) == []


def test_a_verifier_is_forgotten_when_the_sign_in_ends(journey: Journey, configured: Host) -> None:
    with configured.app.app_context():
        assert session_of(configured).scalars(select(OAuthFlow.code_verifier)).all() == [None]


def test_nothing_secret_is_in_a_repr(begun: SignInBegun) -> None:
    with begun.host.app.app_context():
        state = begun.host.app.extensions["ms365.state"]
        flow = state.connect.sign_in.find({"state": [begun.asked["state"]], "code": ["1.c"]})
        started = state.connect.begin(user_id="ana", redirect_uri=begun.asked["redirect_uri"])
        shown = f"{state} {state.registration()!r} {started!r} {flow!r} {state.keyring!r} {state.settings.read()!r}"
        shown += repr(state.settings.effective("client_secret"))
        key = begun.host.app.config["MS365_ENCRYPTION_KEYS"]
    for secret in (begun.registration.client_secret, started.binding, started.url, key):
        assert secret not in shown


def test_a_token_pair_shows_nothing_of_itself() -> None:
    from flask_ms365.identity.token_endpoint import TokenPair

    pair = TokenPair(access_token="abc", refresh_token="def", id_token="ghi", expires_in=60, scopes=("Mail.Read",))
    assert not {"abc", "def", "ghi"} & set(repr(pair).split("'"))
