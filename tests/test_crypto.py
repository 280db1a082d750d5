"""What is sealed opens in its own place with its own key, and nowhere else."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, MetaData, Table, create_engine, insert
from sqlalchemy.exc import StatementError

from flask_ms365.crypto import Keyring, Sealed, generate_key, key_id, keyring_from
from flask_ms365.errors import ConfigurationError, KeyMissing, NoEncryptionKey, Tampered

PLACE = "ms365_setting:client_secret:sealed"
CANARY = "canary8Q~never.shown"
OLD, NEW = generate_key(), generate_key()


@settings(max_examples=40)
@given(st.text(), st.text())
def test_what_was_sealed_opens_as_it_was(value: str, place: str) -> None:
    ring = Keyring([OLD])
    assert ring.open(ring.seal(value, place), place) == value


def test_a_megabyte_is_sealed_and_opened() -> None:
    ring = Keyring([OLD])
    assert ring.open(ring.seal("x" * 1_000_000, PLACE), PLACE) == "x" * 1_000_000


def test_the_first_key_seals() -> None:
    assert Keyring([NEW, OLD]).seal(CANARY, PLACE).startswith(f"ms1.{key_id(NEW)}.")


def test_every_key_opens() -> None:
    sealed = Keyring([OLD]).seal(CANARY, PLACE)
    assert Keyring([NEW, OLD]).open(sealed, PLACE) == CANARY


def test_sealed_anew_it_opens_with_the_first_key_alone_and_in_its_own_place_only() -> None:
    sealed = Keyring([NEW, OLD]).reseal(Keyring([OLD]).seal(CANARY, PLACE))
    assert Keyring([NEW]).open(sealed, PLACE) == CANARY
    with pytest.raises(Tampered):
        Keyring([NEW]).open(sealed, "ms365_setting:tenant_id:sealed")


def test_what_cannot_be_opened_is_not_sealed_anew() -> None:
    with pytest.raises(KeyMissing, match=key_id(OLD)):
        Keyring([NEW]).reseal(Keyring([OLD]).seal(CANARY, PLACE))


def test_a_secret_of_a_key_that_is_gone_names_the_key() -> None:
    sealed = Keyring([OLD]).seal(CANARY, PLACE)
    with pytest.raises(KeyMissing, match=key_id(OLD)):
        Keyring([NEW]).open(sealed, PLACE)


def test_a_secret_copied_to_another_place_does_not_open() -> None:
    ring = Keyring([OLD])
    with pytest.raises(Tampered):
        ring.open(ring.seal(CANARY, PLACE), "ms365_setting:tenant_id:sealed")


@pytest.mark.parametrize("position", [13, 40, -5])
def test_one_changed_character_does_not_open(position: int) -> None:
    ring = Keyring([OLD])
    sealed = list(ring.seal(CANARY, PLACE))
    sealed[position] = "A" if sealed[position] != "A" else "B"
    with pytest.raises(Tampered):
        ring.open("".join(sealed), PLACE)


@pytest.mark.parametrize("column", ["", CANARY, "ms1", "ms1.", "ms1.{id}", "ms1.{id}.", "ms1.{id}.é", "ms2.{id}.x"])
def test_what_was_never_sealed_does_not_open(column: str) -> None:
    with pytest.raises(Tampered):
        Keyring([OLD]).open(column.format(id=key_id(OLD)), PLACE)


def test_an_empty_ring_seals_nothing() -> None:
    with pytest.raises(NoEncryptionKey, match="flask ms365 keys generate"):
        Keyring([]).seal(CANARY, PLACE)


def test_a_ring_shows_no_key() -> None:
    assert repr(Keyring([OLD])) == f"<Keyring {key_id(OLD)}>"


@pytest.mark.parametrize(
    "given_as",
    [
        [NEW, OLD],
        (NEW, OLD),
        f"{NEW},{OLD}",
        f"{NEW}\n{OLD}\n",
        f" {NEW} , {OLD} ",
        [NEW.encode(), OLD.encode()],
        f"{NEW},{OLD}".encode(),
    ],
    ids=["list", "tuple", "commas", "lines", "spaces", "bytes", "bytes with commas"],
)
def test_keys_may_be_given_as_a_list_or_as_text(given_as: object) -> None:
    assert repr(keyring_from({"MS365_ENCRYPTION_KEYS": given_as})) == repr(Keyring([NEW, OLD]))


@pytest.mark.parametrize("nothing", [None, "", [], " , "])
def test_no_key_is_an_empty_ring(nothing: object) -> None:
    assert not keyring_from({"MS365_ENCRYPTION_KEYS": nothing})


@pytest.mark.parametrize("junk", ["SECRET_KEY of the host", "short", "a" * 40, "é" * 32, b"\xff" * 44])
def test_what_is_no_key_is_refused_without_being_shown(junk: object) -> None:
    with pytest.raises(ConfigurationError, match="flask ms365 keys generate") as refused:
        keyring_from({"MS365_ENCRYPTION_KEYS": junk})
    assert str(junk) not in str(refused.value)


def test_a_generated_key_is_a_fernet_key() -> None:
    assert Fernet(generate_key())


def test_a_secret_that_was_not_sealed_never_reaches_the_database() -> None:
    engine, table = create_engine("sqlite://"), Table("t", MetaData(), Column("c", Sealed))
    with engine.connect() as connection, pytest.raises(StatementError, match="unsealed secret"):
        connection.execute(insert(table).values(c=CANARY))
    engine.dispose()
