"""The real servers that some tests need. A fresh machine has none: such tests skip there, and say so."""

from __future__ import annotations

import atexit
import os
import socket
from functools import cache
from typing import NoReturn

import pytest
from sqlalchemy import create_engine, make_url, text

# service -> port, and the address that tests use
_SERVICES = {
    "postgresql": (5432, "postgresql+psycopg://postgres@127.0.0.1:5432/test"),
    "mariadb": (3306, "mariadb+pymysql://root@127.0.0.1:3306/test?charset=utf8mb4"),
    "redis": (6379, "redis://127.0.0.1:6379/0"),
    "rabbitmq": (5672, "amqp://guest:guest@127.0.0.1:5672//"),
}


def need(service: str) -> str:
    """Return the address of a service; without it skip the test, or fail it under ``MS365_TEST_REQUIRE=all``."""
    port, url = _SERVICES[service]
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        missing(f"{service} does not answer on 127.0.0.1:{port}")
    return url


def missing(reason: str) -> NoReturn:
    """Skip for a spoken reason, unless everything is required here."""
    if os.environ.get("MS365_TEST_REQUIRE") == "all":
        pytest.fail(reason)
    pytest.skip(reason)


@cache
def own_database(service: str, purpose: str = "test") -> str:
    """Return the address of a database that only this process uses; it is dropped at the end."""
    server, name = need(service), f"ms365_{purpose}_{os.getpid()}"
    _administer(server, f"CREATE DATABASE {name}")
    if service == "postgresql":  # no test pulls the plug of the server itself
        _administer(server, f"ALTER DATABASE {name} SET synchronous_commit = off")
    atexit.register(_administer, server, f"DROP DATABASE {name}")
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def _administer(server: str, statement: str) -> None:
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
