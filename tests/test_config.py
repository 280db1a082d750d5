"""The config of the host: what is refused before it can do harm."""

from __future__ import annotations

from pathlib import Path

import pytest

from flask_ms365.config import DEFAULTS, apply_defaults, listed, secret_text
from flask_ms365.errors import ConfigurationError


@pytest.mark.parametrize("key", ["MS365_AUTHORITY_URL", "MS365_GRAPH_URL"])
@pytest.mark.parametrize(
    "url",
    [
        "http://graph.microsoft.com",
        "https://graph.microsoft.com/v1.0",
        "https://user:password@graph.microsoft.com",
        "https://graph.microsoft.com?x=1",
        "https://graph.microsoft.com#x",
        "https://",
        "https://[::1",
        "https://host:port",
        "ftp://127.0.0.1",
        "graph.microsoft.com",
        "//graph.microsoft.com",
    ],
)
def test_an_endpoint_that_would_leak_tokens_is_refused(key: str, url: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{key} must be an origin"):
        apply_defaults({key: url})


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://graph.microsoft.com/", "https://graph.microsoft.com"),
        (" https://proxy.example:8443 ", "https://proxy.example:8443"),
        ("http://127.0.0.1:8365", "http://127.0.0.1:8365"),
        ("http://[::1]:8365", "http://[::1]:8365"),
        ("http://localhost", "http://localhost"),
    ],
)
def test_an_endpoint_is_kept_as_an_origin(url: str, origin: str) -> None:
    config = {"MS365_GRAPH_URL": url}
    apply_defaults(config)
    assert config["MS365_GRAPH_URL"] == origin


@pytest.mark.parametrize(
    "url",
    ["app.example.com", "//app.example.com", "https://", "https://a@app.example.com", "https://app.example.com?x=1"],
)
def test_a_public_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"such as https://app\.example\.com/sub"):
        apply_defaults({"MS365_PUBLIC_BASE_URL": url})


def test_a_public_address_loses_its_last_slash() -> None:
    config = {"MS365_PUBLIC_BASE_URL": " https://app.example.com/sub/ "}
    apply_defaults(config)
    assert config["MS365_PUBLIC_BASE_URL"] == "https://app.example.com/sub"


def test_what_the_host_left_out_gets_its_default() -> None:
    config = {"MS365_URL_PREFIX": "/mail"}
    apply_defaults(config)
    assert config == {**DEFAULTS, "MS365_URL_PREFIX": "/mail"}


@pytest.mark.parametrize("value", [["a", "b"], ("a", "b"), "a,b", "a\nb", " a , b ", b"a,b"])
def test_several_values_may_come_as_one_text(value: object) -> None:
    assert listed(value) == ["a", "b"]


def test_a_secret_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"MS365_CLIENT_SECRET_FILE names .*gone"):
        secret_text({"MS365_CLIENT_SECRET_FILE": tmp_path / "gone"}, "MS365_CLIENT_SECRET")


def test_a_secret_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="cannot be read as text"):
        secret_text({"MS365_CLIENT_SECRET_FILE": tmp_path / "binary"}, "MS365_CLIENT_SECRET")
