"""``flask ms365 settings set client_certificate``: a PEM file goes in, and only its thumbprint comes out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flask_ms365.identity.certificate import read_certificate
from tests.certificates import certificate, expired_certificate, public_half
from tests.conftest import Host
from tests.test_cli_settings import settings
from tests.web.conftest import stored

KEY = "client_certificate"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "app.pem"
    path.write_text(certificate())
    return path


def said_of(pem: str) -> str:
    return f"stored, thumbprint {read_certificate(pem).thumbprint}"


def test_it_is_read_from_a_file(host: Host, file: Path) -> None:
    result = settings(host, "set", KEY, str(file))
    assert (result.exit_code, result.stdout) == (0, f"{KEY}: {said_of(certificate())} (stored)\n")


def test_it_is_read_from_standard_input(host: Host) -> None:
    assert settings(host, "set", KEY, "-", typed=certificate()).exit_code == 0
    with host.app.app_context():
        assert host.ms365.settings.effective(KEY).value == certificate()


@pytest.mark.parametrize("command", [["list"], ["list", "--json"], ["get", KEY]])
def test_no_command_prints_the_key(host: Host, file: Path, command: list[str]) -> None:
    settings(host, "set", KEY, str(file))
    result = settings(host, *command)
    assert (said_of(certificate()) in result.output, "PRIVATE" in result.output) == (True, False)


def test_json_tells_the_thumbprint(host: Host, file: Path) -> None:
    settings(host, "set", KEY, str(file))
    answer = json.loads(settings(host, "list", "--json").stdout)[KEY]
    assert answer == {"value": said_of(certificate()), "source": "stored", "is_locked": False}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (public_half(certificate()).encode(), "This is the public half only."),
        (expired_certificate().encode(), "This certificate expired on"),
        (b"\x30\x82\xff\xfe", "is not PEM"),
        (None, "cannot be read"),
    ],
    ids=["public half", "expired", "not PEM", "no file"],  # made anew in each process, a key names no test
)
def test_what_the_page_refuses_is_refused(host: Host, file: Path, content: bytes | None, said: str) -> None:
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    result = settings(host, "set", KEY, str(file))
    assert (result.exit_code, said in result.stderr, stored(host)) == (1, True, {})


def test_without_a_file_the_command_says_how(host: Host) -> None:
    result = settings(host, "set", KEY)
    assert (result.exit_code, "Name the PEM file" in result.stderr) == (2, True)


def test_an_empty_pipe_is_refused(host: Host) -> None:
    assert (settings(host, "set", KEY, "-", typed="\n").exit_code, stored(host)) == (1, {})
