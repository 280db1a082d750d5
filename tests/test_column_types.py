"""Our column types store what SQLAlchemy's own would, only faster, and rows go in by the same types."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import Column, DateTime, MetaData, Table, create_engine, insert, select, text
from sqlalchemy.exc import StatementError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from flask_ms365.models.base import Json, UTCDateTime
from flask_ms365.models.insert import insert_rows


class _Base(DeclarativeBase):
    metadata = MetaData()


class Thing(_Base):
    __tablename__ = "thing"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    is_good: Mapped[bool | None]
    parts: Mapped[list[Any] | None] = mapped_column(Json)


@pytest.fixture
def session() -> Iterator[Session]:
    engine = create_engine("sqlite://")
    _Base.metadata.create_all(engine)
    with Session(engine) as session:
        yield session
    engine.dispose()


@pytest.mark.parametrize(
    "moment",
    [
        datetime(1, 1, 1, tzinfo=timezone.utc),
        datetime(2026, 9, 1, 8, 15, 30, tzinfo=timezone.utc),
        datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=timezone.utc),
    ],
)
def test_sqlite_gets_the_text_that_sqlalchemy_itself_would_write(session: Session, moment: datetime) -> None:
    own = Table("own", MetaData(), Column("at", DateTime))
    own.create(session.connection())
    session.execute(insert(own), {"at": moment.replace(tzinfo=None)})
    session.execute(insert(Thing), {"at": moment})

    assert session.scalar(text("SELECT at FROM thing")) == session.scalar(text("SELECT at FROM own"))


def test_a_moment_elsewhere_is_stored_in_utc(session: Session) -> None:
    kolkata = timezone(timedelta(hours=5, minutes=30))
    session.execute(insert(Thing), {"at": datetime(2026, 9, 1, 13, 45, tzinfo=kolkata)})

    assert session.scalar(select(Thing.at)) == datetime(2026, 9, 1, 8, 15, tzinfo=timezone.utc)


def test_a_moment_without_a_time_zone_is_a_mistake(session: Session) -> None:
    with pytest.raises((StatementError, ValueError), match="naive"):
        session.execute(insert(Thing), {"at": datetime(2026, 9, 1)})


def test_a_moment_in_the_text_of_a_statement_is_in_utc(session: Session) -> None:
    moment = datetime(2026, 9, 1, 8, 15, tzinfo=timezone.utc)
    session.execute(insert(Thing), {"at": moment})
    found = select(Thing.id).where(Thing.at == moment)
    statement = found.compile(session.get_bind(), compile_kwargs={"literal_binds": True})

    assert session.scalar(text(str(statement))) == 1


def test_rows_are_inserted_as_the_column_types_say(session: Session) -> None:
    moment = datetime(2026, 9, 1, 8, 15, tzinfo=timezone.utc)
    empty = {"is_good": None, "at": None, "parts": None}
    insert_rows(session, Thing.__table__, [{"is_good": True, "at": moment, "parts": [{"é": 1}]}, empty])

    things = session.execute(select(Thing.at, Thing.is_good, Thing.parts).order_by(Thing.id)).all()
    assert things == [(moment, True, [{"é": 1}]), (None, None, None)]


def test_no_rows_are_no_statement(session: Session) -> None:
    insert_rows(session, Thing.__table__, [])

    assert not session.in_transaction()


def test_rows_are_part_of_the_transaction(session: Session) -> None:
    insert_rows(session, Thing.__table__, [{"is_good": True, "parts": []}])
    session.rollback()

    assert session.scalars(select(Thing.id)).all() == []
