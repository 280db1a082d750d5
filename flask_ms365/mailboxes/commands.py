"""``flask ms365 mailboxes ...``: answer what mailboxes wait for people with."""

from __future__ import annotations

import click
from flask.cli import with_appcontext
from sqlalchemy import func, select

from flask_ms365.audit import command_line_user
from flask_ms365.mailboxes.doubts import believe as believe_doubted
from flask_ms365.mailboxes.set_aside import try_again
from flask_ms365.models import Mailbox
from flask_ms365.state import State, current_state
from flask_ms365.sync.lease import DISCONNECTED


@click.group("mailboxes")
def mailboxes_cli() -> None:
    """Mailboxes, by their address."""


@mailboxes_cli.command()
@click.argument("address")
@with_appcontext
def believe(address: str) -> None:
    """Believe Microsoft that folders are empty: the next sync marks the mail stored of them as removed."""
    state = current_state()
    count = 0
    for mailbox in _connected(state, address):
        mailbox_id = mailbox.id
        count += believe_doubted(state.session, mailbox, now=state.clock(), actor=command_line_user())
        state.wake(mailbox_id)
    click.echo(f"{address}: {count} folder(s) believed to be empty." if count else f"{address}: no folder is in doubt.")


@mailboxes_cli.command()
@click.argument("address")
@with_appcontext
def retry(address: str) -> None:
    """Try the messages that were set aside again, with the next sync."""
    state = current_state()
    count = 0
    for mailbox_id in [mailbox.id for mailbox in _connected(state, address)]:
        count += try_again(state.session, mailbox_id, now=state.clock())
        state.wake(mailbox_id)
    click.echo(f"{address}: {count} message(s) to try again." if count else f"{address}: no message is set aside.")


def _connected(state: State, address: str) -> list[Mailbox]:
    """Return the mailboxes with this address: a person's own and the team's may have the same."""
    wanted = select(Mailbox).where(func.lower(Mailbox.address) == address.lower(), Mailbox.state.not_in(DISCONNECTED))
    found = list(state.session.scalars(wanted.order_by(Mailbox.id)))
    if not found:
        raise click.UsageError(f"There is no mailbox {address}.")
    return found
