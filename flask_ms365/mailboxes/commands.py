"""``flask ms365 mailboxes ...``: list them, pause and resume them, start over, and answer what they wait for."""

from __future__ import annotations

import json
from collections.abc import Callable

import click
from flask.cli import with_appcontext
from sqlalchemy import func, select

from flask_ms365.audit import command_line_user
from flask_ms365.mailboxes.doubts import believe as believe_doubted
from flask_ms365.mailboxes.pausing import is_paused, pause, resume
from flask_ms365.mailboxes.restart import restart
from flask_ms365.mailboxes.set_aside import try_again
from flask_ms365.mailboxes.status import MailboxStatus, statuses_of
from flask_ms365.models import Mailbox
from flask_ms365.state import State, current_state
from flask_ms365.sync.lease import DISCONNECTED
from flask_ms365.words import visible


@click.group("mailboxes")
def mailboxes_cli() -> None:
    """Mailboxes, by their address."""


@mailboxes_cli.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@with_appcontext
def list_mailboxes(as_json: bool) -> None:
    """List all mailboxes: whose each is, how it is read, and how it is."""
    state = current_state()
    mailboxes = state.session.scalars(select(Mailbox).order_by(Mailbox.address, Mailbox.id)).all()
    statuses = statuses_of(state.session, mailboxes, settings=state.settings.read(), now=state.clock())
    pairs = list(zip(mailboxes, statuses, strict=True))
    if as_json:
        told = [_about(mailbox) | status.as_json() for mailbox, status in pairs]
        click.echo(json.dumps({"mailboxes": told}))
        return
    for mailbox, status in pairs:
        click.echo(visible(_line(mailbox, status)))
    if not pairs:
        click.echo("There is no mailbox.")


@mailboxes_cli.command("pause")
@click.argument("address")
@with_appcontext
def pause_mailbox(address: str) -> None:
    """Pause a mailbox: nothing more is read until somebody resumes it."""
    _each(address, pause, "pause", done="paused", otherwise="was paused already")


@mailboxes_cli.command("resume")
@click.argument("address")
@with_appcontext
def resume_mailbox(address: str) -> None:
    """Let a paused mailbox go on where it stopped."""
    _each(address, resume, "resume", done="resumed", otherwise="was not paused")


@mailboxes_cli.command("restart")
@click.argument("address")
@with_appcontext
def restart_mailbox(address: str) -> None:
    """Read a mailbox again from the start. Nothing that is stored is lost."""
    _each(address, restart, "restart", done="to be read again from the start", otherwise="is not connected any more")


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


def _each(address: str, action: Callable[..., bool], name: str, *, done: str, otherwise: str) -> None:
    """Do something to each mailbox with this address, and say so, here and in the audit log."""
    state = current_state()
    for mailbox in _connected(state, address):
        mailbox_id, told = mailbox.id, f"{address} ({_whose(mailbox)})"
        command = {"command": f"flask ms365 mailboxes {name}"}
        has_changed = action(state.session, mailbox_id, now=state.clock(), actor=command_line_user(), **command)
        state.wake(mailbox_id)
        click.echo(f"{visible(told)}: {done if has_changed else otherwise}.")


def _whose(mailbox: Mailbox) -> str:
    return "of the team" if mailbox.kind == "system" else f"of {mailbox.owner_id}"


def _about(mailbox: Mailbox) -> dict[str, object]:
    return {
        "id": mailbox.id,
        "label": mailbox.label,
        "kind": mailbox.kind,
        "access": mailbox.access,
        "owner": mailbox.owner_id,
        "paused": is_paused(mailbox),
        "paused_by": mailbox.paused_by,
    }


def _line(mailbox: Mailbox, status: MailboxStatus) -> str:
    name = f"{mailbox.address} ({mailbox.label})" if mailbox.label else mailbox.address
    by = f" by {mailbox.paused_by}" if mailbox.paused_by else ""
    paused = f", paused{by}" if is_paused(mailbox) else ""
    return f"{name}: {_whose(mailbox)}, {mailbox.access}, {status.words}{paused}, {status.message_count} messages"


def _connected(state: State, address: str) -> list[Mailbox]:
    """Return the mailboxes with this address: a person's own and the team's may have the same."""
    wanted = select(Mailbox).where(func.lower(Mailbox.address) == address.lower(), Mailbox.state.not_in(DISCONNECTED))
    found = list(state.session.scalars(wanted.order_by(Mailbox.id)))
    if not found:
        raise click.UsageError(f"There is no mailbox {address}.")
    return found
