"""MySQL 8 is not at hand for tests, so what it is told is read: it knows less than MariaDB does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, String, Table, create_mock_engine
from sqlalchemy.dialects import mysql
from sqlalchemy.schema import CreateIndex, CreateTable

from flask_ms365.models import Base

_PACKAGE = Path(__file__).parents[1] / "flask_ms365"
_LONGEST_KEY = 3072
_every_table = pytest.mark.parametrize("table", Base.metadata.sorted_tables, ids=lambda table: table.name)


@_every_table
def test_a_table_is_made_for_mysql_as_for_mariadb(table: Table) -> None:
    made: list[Any] = [CreateTable(table), *map(CreateIndex, table.indexes)]
    for_mysql, for_mariadb = ([_said(each, name) for each in made] for name in ("mysql", "mariadb"))

    assert for_mysql == for_mariadb
    assert "CHARSET=utf8mb4" in for_mysql[0]


def _said(made: Any, name: str) -> str:
    """Return a statement as the dialect of that name puts it; they differ in which words they quote."""
    return str(made.compile(dialect=create_mock_engine(f"{name}+pymysql://", print).dialect)).replace("`", "")


@_every_table
def test_a_table_has_a_primary_key_and_no_default_that_mysql_refuses(table: Table) -> None:
    assert len(table.primary_key.columns) > 0
    assert [column.name for column in table.columns if column.server_default is not None] == []


@_every_table
def test_keys_are_short_enough_for_innodb(table: Table) -> None:
    is_words = "FULLTEXT"  # which has no keys
    keys = [list(index.columns) for index in table.indexes if index.dialect_kwargs.get("mysql_prefix") != is_words]
    keys += [list(constraint.columns) for constraint in table.constraints if hasattr(constraint, "columns")]

    assert [key for key in keys if sum(map(_bytes, key)) > _LONGEST_KEY] == []


def _bytes(column: Column[object]) -> int:
    """Return what a column may take of a key; a text without a length cannot be in one."""
    kind = column.type.dialect_impl(mysql.dialect())
    if not isinstance(kind, String):
        return 8
    assert kind.length, f"{column} is in a key, and has no length"
    return kind.length * (1 if getattr(kind, "charset", None) == "ascii" else 4)


@pytest.mark.parametrize("only_mariadb", ["RETURNING", ".returning(", "dialects.mariadb", "INET6", "NEXTVAL"])
def test_nothing_is_used_that_only_mariadb_has(only_mariadb: str) -> None:
    sources = [path for path in _PACKAGE.rglob("*.py") if "simulator" not in path.parts]

    assert [path.name for path in sources if only_mariadb in path.read_text()] == []
