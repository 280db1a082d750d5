"""Against a certified provider that nobody here wrote, stricter than Microsoft: sign in, and refresh side by side."""

from __future__ import annotations

from urllib.parse import urljoin

import pytest
import requests
from sqlalchemy import select

from flask_ms365.errors import SignInNeeded
from flask_ms365.models import Connection
from tests.conftest import CALLBACK, Host
from tests.identity.conftest import CONNECTED, come_back, session_of
from tests.identity.test_processes import let_it_expire
from tests.identity.token_worker import Place, access_token, workers
from tests.interop.conftest import Provider
from tests.visitor import controls

pytestmark = pytest.mark.slow

PROCESSES, THREADS, EXPIRIES = 4, 5, 20


def sign_in(url: str) -> str:
    """Go through the provider's own pages as a browser does; return the query that it sends back."""
    with requests.Session() as browser:
        answer = browser.get(url, allow_redirects=False)
        while not answer.headers.get("Location", "").startswith(CALLBACK):
            if answer.is_redirect:
                answer = browser.get(urljoin(answer.url, answer.headers["Location"]), allow_redirects=False)
            else:
                assert answer.status_code == 200, answer.text
                filled = {**controls(answer.text), "login": "ana", "password": "ana"}
                answer = browser.post(answer.url, data=filled, allow_redirects=False)
        return answer.headers["Location"].partition("?")[2]


@pytest.fixture
def connected(host: Host) -> Host:
    """Return the host, where Ana has signed in from the button to the page that says how it went."""
    visitor = host.visitor()
    page = come_back(visitor, sign_in(visitor.start_connect()))
    assert CONNECTED in page
    return host


def test_a_sign_in_from_the_button_to_the_verified_account(connected: Host, provider: Provider) -> None:
    with connected.app.app_context():
        connection = session_of(connected).scalars(select(Connection)).one()
    assert (connection.tid, connection.oid) == (provider.tenant, provider.oid)
    assert provider.seen["refusals"] == []


def test_twenty_refreshes_at_once_in_four_processes_are_one_for_each_expiry(
    connected: Host, provider: Provider
) -> None:
    answers = []
    with workers(PROCESSES, Place.of(connected), threads=THREADS) as started:
        for _ in range(EXPIRIES):
            let_it_expire(connected)
            for each in started:
                each.ask()
            answers.append({each.answer() for each in started})
    assert [len(tokens) for tokens in answers] == [1] * EXPIRIES  # all twenty got the same one
    assert len(set().union(*answers)) == EXPIRIES
    assert provider.seen == {"refreshes": EXPIRIES, "revoked": 0, "refusals": []}


def test_a_refresh_token_that_comes_back_ends_the_sign_in_cleanly(connected: Host, provider: Provider) -> None:
    """The provider means it: what the processes above never do costs the grant."""
    with connected.app.app_context():
        first = session_of(connected).scalars(select(Connection.refresh_token)).one()
    let_it_expire(connected)
    access_token(connected.app)
    with connected.app.app_context():  # as a database restored from yesterday would
        session = session_of(connected)
        session.scalars(select(Connection)).one().refresh_token = first
        session.commit()
    let_it_expire(connected)
    with pytest.raises(SignInNeeded):
        access_token(connected.app)
    assert provider.seen == {"refreshes": 1, "revoked": 1, "refusals": ["refresh token already used"]}
