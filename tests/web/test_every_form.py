"""What holds for every route that changes something, also for the one that is added tomorrow."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import event

from flask_ms365.web.blueprint import ROUTES, Route
from tests.conftest import Host


def path_of(route: Route) -> str:
    """Return an address of a route; where it takes an id, that of the first row."""
    return "/ms365" + re.sub(r"<[^>]*>", "1", route.path)


CHANGING = [path_of(route) for route in ROUTES if "POST" in route.methods]
ONLY_CHANGING = [path_of(route) for route in ROUTES if route.methods == ("POST",)]


@pytest.fixture
def written(configured: Host) -> list[str]:
    """Return the statements that change the database from now on."""
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith(("SELECT", "PRAGMA")):
            statements.append(statement)

    with configured.app.app_context():
        event.listen(configured.app.extensions["sqlalchemy"].engine, "before_cursor_execute", note)
    return statements


@pytest.mark.parametrize("path", CHANGING)
def test_without_a_token_nothing_is_changed(configured: Host, written: list[str], path: str) -> None:
    answer = configured.visitor().post(path, data={"version": "1", "email_sync-value": "", "page": "settings"})
    assert (answer.status_code < 500, written) == (True, [])


@pytest.mark.parametrize("path", CHANGING)
@pytest.mark.parametrize("sent", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_a_post_of_another_site_is_refused(
    configured: Host, written: list[str], path: str, sent: dict[str, str]
) -> None:
    assert (configured.visitor().post(path, headers=sent).status_code, written) == (403, [])


@pytest.mark.parametrize("path", ONLY_CHANGING)
def test_what_changes_something_is_no_link(configured: Host, path: str) -> None:
    assert configured.visitor().get(path).status_code == 405
