"""The page *Name, owner and readers* as an admin fills it in, on a host that has a directory."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from flask_ms365.models import Reader
from tests.conftest import Host, HostFactory
from tests.directory import People
from tests.team import Team
from tests.visitor import controls

AUDIT = "/ms365/audit"


@pytest.fixture
def people() -> People:
    return People()


@pytest.fixture
def host(make_host: HostFactory, people: People) -> Host:
    """Return a host that has a directory."""
    return make_host(options={"directory": people})


@pytest.fixture
def support(team: Team) -> Team:
    """Return the team with its mailbox, which is read with the app's own permission."""
    team.add("application")
    return team


def edit(team: Team) -> str:
    return f"{team.page_path}/edit"


def save(team: Team, *, who: str = "", **changes: Any) -> TestResponse:
    """Fill in the form: ``label``, ``owner``, and lists of ``person`` and ``role``; what is not named is left empty."""
    path = f"{edit(team)}?who={who}"
    given = controls(team.visitor.get(path).text)
    kept = {name: given[name] for name in ("csrf_token", "version", "label", "owner")}
    return team.visitor.post(path, data={**kept, **changes})


def readers(team: Team) -> set[tuple[str, str]]:
    with team.host.app.app_context():
        return {(row.kind, row.subject) for row in team.session.execute(select(Reader.kind, Reader.subject))}


def ticked(page: str) -> list[str]:
    return re.findall(r'name="(?:person|role|everyone)" value="([^"]*)" checked', page)


def offered(page: str, name: str) -> list[str]:
    return re.findall(rf'name="{name}" value="([^"]*)"', page)


def log(team: Team) -> list[str]:
    page = team.visitor.get(AUDIT).text
    return [line for line in re.findall(r"support@contoso\.example[^<]*", page) if "added" not in line]
