"""Changes that failed their check wait for the admin who made them, and for nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from flask_ms365.errors import NoEncryptionKey
from flask_ms365.models import SettingsDraft
from flask_ms365.settings import USE_DEFAULT, Changes
from tests.certificates import certificate
from tests.conftest import Clock, Host
from tests.hosts.bare import bare_host

SECRET = "canary8Q~never.shown_anywhere-at.all"
CHANGES: Changes = {"client_secret": SECRET, "tenant_id": "contoso.com", "cloud": USE_DEFAULT}


def keep(host: Host, changes: Changes = CHANGES) -> str:
    with host.app.app_context():
        draft: str = host.app.extensions["ms365.state"].drafts.keep(changes, version=3, user_id="ana")
        return draft


def take(host: Host, draft: str, *, user_id: str = "ana") -> tuple[Changes, int] | None:
    with host.app.app_context():
        taken: tuple[Changes, int] | None = host.app.extensions["ms365.state"].drafts.take(draft, user_id=user_id)
        return taken


def test_a_draft_comes_back_as_it_was_kept(host: Host) -> None:
    assert take(host, keep(host)) == (CHANGES, 3)


def test_a_draft_comes_back_once(host: Host) -> None:
    draft = keep(host)
    take(host, draft)
    assert take(host, draft) is None


def test_nobody_else_gets_a_draft(host: Host) -> None:
    assert take(host, keep(host), user_id="ben") is None


def test_a_draft_is_kept_for_a_quarter_of_an_hour(host: Host, clock: Clock) -> None:
    draft = keep(host)
    clock.advance(minutes=16)
    assert take(host, draft) is None


def test_old_drafts_are_deleted_with_the_next_one(host: Host, clock: Clock) -> None:
    keep(host)
    clock.advance(minutes=16)
    keep(host)
    with host.app.app_context():
        assert len(host.app.extensions["sqlalchemy"].session.scalars(select(SettingsDraft)).all()) == 1


def test_the_secret_of_a_draft_is_sealed(host: Host) -> None:
    keep(host)
    with host.app.app_context():
        draft = host.app.extensions["sqlalchemy"].session.scalars(select(SettingsDraft)).one()
        assert (draft.changes["client_secret"], SECRET in f"{draft.changes}{draft.sealed}") == (True, False)


def test_a_certificate_is_sealed_beside_the_secret_and_both_come_back(host: Host) -> None:
    changes: Changes = {"client_certificate": certificate(), "credential": "certificate", **CHANGES}
    draft_id = keep(host, changes)
    with host.app.app_context():
        draft = host.app.extensions["sqlalchemy"].session.scalars(select(SettingsDraft)).one()
        assert ("PRIVATE KEY" in str(draft.changes), SECRET in str(draft.changes)) == (False, False)
    assert take(host, draft_id) == (changes, 3)


def test_without_an_encryption_key_no_secret_is_kept(tmp_path: Path) -> None:
    with pytest.raises(NoEncryptionKey):
        keep(bare_host(tmp_path))


def test_without_a_secret_no_key_is_needed(tmp_path: Path) -> None:
    host = bare_host(tmp_path)
    assert take(host, keep(host, {"tenant_id": "contoso.com"})) == ({"tenant_id": "contoso.com"}, 3)
