"""``flask ms365 keys ...``: make keys, see which are in use, move to a new one, give up a lost one."""

from __future__ import annotations

import sys

import click
from flask.cli import with_appcontext

from flask_ms365.audit import command_line_user
from flask_ms365.crypto import generate_key
from flask_ms365.errors import Locked, NoEncryptionKey
from flask_ms365.keys.forget import forget_key
from flask_ms365.keys.rotation import Rotation, count_by_key
from flask_ms365.state import State, current_state

_ASTRAY = (
    "Some secrets open with none of these keys. What a lost key sealed is given up by: flask ms365 keys forget KEY_ID"
)


@click.group("keys")
def keys_cli() -> None:
    """Encryption keys."""


@keys_cli.command()
def generate() -> None:
    """Print a new key for MS365_ENCRYPTION_KEYS. Keep it as safe as a password."""
    click.echo(generate_key())


@keys_cli.command()
@with_appcontext
def check() -> None:
    """Show which keys there are, and how many secrets lie under each; exit 1 where one is missing."""
    state = current_state()
    if not state.keyring:
        click.echo(str(NoEncryptionKey()))
        sys.exit(1)
    counts = count_by_key(state.session)
    canaries = state.settings.read().missing_keys
    missing = {*canaries, *counts} - state.keyring.key_ids
    for key_id in [*state.keyring.ordered_ids, *sorted(missing)]:
        click.echo(f"{key_id or 'no key'}: {_state_of(key_id, state, missing)}, {counts[key_id]} secrets")
    if canaries:
        click.echo(Locked(canaries).words)
    elif missing:
        click.echo(_ASTRAY)
    sys.exit(1 if missing else 0)


@keys_cli.command()
@click.option("--dry-run", is_flag=True, help="Change nothing; say what would be done.")
@with_appcontext
def rotate(dry_run: bool) -> None:
    """Seal every secret with the first key of MS365_ENCRYPTION_KEYS. May be stopped and run again at any time."""
    state = current_state()
    if not state.keyring:
        raise click.ClickException(str(NoEncryptionKey()))
    old = sum(count for key_id, count in count_by_key(state.session).items() if key_id != state.keyring.first)
    if dry_run:
        click.echo(f"{old} secrets would be sealed with {state.keyring.first}.")
        return
    try:
        with click.progressbar(length=old, label="Secrets", hidden=not sys.stdout.isatty()) as bar:
            rotation = Rotation(session=state.session, keyring=state.keyring, clock=state.clock)
            rotated = rotation.run(actor=command_line_user(), moved=bar.update)
    except Locked as exc:
        raise click.ClickException(str(exc)) from None
    click.echo(f"{rotated.resealed} secrets sealed with {state.keyring.first}.")
    for place in rotated.unopened:
        click.echo(f"Could not be opened: {place}")
    sys.exit(0 if _tell_removable(state) else 1)


@keys_cli.command()
@click.argument("key_id")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_appcontext
def forget(key_id: str, yes: bool) -> None:
    """Give up what only the lost key KEY_ID could open: secrets are to be entered again, and people to sign in."""
    state = current_state()
    if key_id in state.keyring.key_ids:
        raise click.UsageError(f"The key {key_id} is not lost: it is in MS365_ENCRYPTION_KEYS.")
    known = {*count_by_key(state.session), *state.settings.read().key_canaries}
    if not key_id or key_id not in known:
        raise click.UsageError(f"Nothing here was sealed with a key {key_id}.")
    if not yes:
        click.confirm(f"Delete everything that only the key {key_id} opens? It cannot be undone", abort=True)
    count = forget_key(state.session, key_id, now=state.clock(), actor=command_line_user())
    click.echo(f"{count} entries given up. Enter the client secret again, and let people sign in again.")


def _state_of(key_id: str, state: State, missing: set[str]) -> str:
    if key_id in missing:
        return "missing"
    return "seals and opens" if key_id == state.keyring.first else "opens"


def _tell_removable(state: State) -> bool:
    """Say of each other key whether it is still needed; return whether none is."""
    counts = count_by_key(state.session)
    for key_id in state.keyring.ordered_ids[1:]:
        if counts[key_id]:
            click.echo(f"{key_id}: {counts[key_id]} secrets are left. Run this again.")
        else:
            click.echo(f"{key_id}: the old key may be removed.")
    return set(counts) <= {state.keyring.first}
