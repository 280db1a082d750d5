"""``flask ms365 settings ...``: what the settings page does, with the same checks and the same audit log."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
from flask.cli import with_appcontext

from flask_ms365.audit import command_line_user
from flask_ms365.errors import EncryptionError, InvalidSettings
from flask_ms365.jobs.hook import ExternalHook
from flask_ms365.settings import CATALOG, USE_DEFAULT, SettingSpec, UseDefault, spec_of
from flask_ms365.settings.catalog import as_text
from flask_ms365.settings.snapshot import Snapshot
from flask_ms365.state import State, current_state


def _named(_context: click.Context, _parameter: click.Parameter, key: str) -> SettingSpec:
    try:
        return spec_of(key)
    except KeyError as exc:
        raise click.BadParameter(exc.args[0]) from None


_key = click.argument("spec", metavar="KEY", callback=_named)


@click.group("settings")
def settings_cli() -> None:
    """Settings, as on the settings page."""


@settings_cli.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@with_appcontext
def list_settings(as_json: bool) -> None:
    """Show every setting: its value, where that comes from, and whether it is locked."""
    snapshot = current_state().settings.read()
    if as_json:
        click.echo(json.dumps({spec.key: _as_json(snapshot, spec) for spec in CATALOG}))
        return
    for spec in CATALOG:
        click.echo(f"{spec.key}: {_line(snapshot, spec)}")


@settings_cli.command("get")
@_key
@with_appcontext
def get_setting(spec: SettingSpec) -> None:
    """Print the value of KEY that holds; of a secret, only that it is stored."""
    click.echo(_value(current_state().settings.read(), spec))


@settings_cli.command("set")
@_key
@click.argument("value", required=False)
@with_appcontext
def set_setting(spec: SettingSpec, value: str | None) -> None:
    """Give KEY a value of its own.

    A secret is asked for, or read from standard input where VALUE is "-": other users of this machine see what is on a
    command line. Of a certificate VALUE is the name of its PEM file, or "-".
    """
    state = current_state()
    read = {"secret": _secret, "certificate": _certificate}.get(spec.kind)
    _save(state, spec, read(value) if read else _given(spec, value))


@settings_cli.command("unset")
@_key
@with_appcontext
def unset_setting(spec: SettingSpec) -> None:
    """Use the default of KEY."""
    _save(current_state(), spec, USE_DEFAULT)


def _save(state: State, spec: SettingSpec, value: str | UseDefault) -> None:
    is_embedded = state.hook.status().engine == "apscheduler"
    if is_embedded:  # this process ends in a moment: a sync that it began would be cut off
        state.hook = ExternalHook()
    try:
        changed = state.settings.save({spec.key: value}, actor=command_line_user())
    except InvalidSettings as exc:
        raise click.ClickException(f"{'. '.join(exc.problems.values())}.") from None
    except EncryptionError as exc:
        raise click.ClickException(str(exc)) from None
    snapshot = state.settings.read()
    click.echo(f"{spec.key}: {_line(snapshot, spec)}" if changed else "Nothing to change.")
    if state.hook_problem:
        click.echo(state.hook_problem, err=True)
    if is_embedded and spec.key in changed and spec.key == "email_sync" and snapshot.is_sync_on:
        click.echo("The web app and flask ms365 worker begin with their next tick.")


def _given(spec: SettingSpec, value: str | None) -> str:
    if value is None:
        raise click.UsageError(f"Say the value: flask ms365 settings set {spec.key} VALUE")
    return value


def _secret(value: str | None) -> str:
    """Return the secret, which has come by any way but the command line."""
    if value is None:
        return str(click.prompt("Value", hide_input=True))
    if value != "-":
        raise click.UsageError('A secret does not belong on the command line. Leave it out, or pipe it in and say "-".')
    return _piped()


def _certificate(value: str | None) -> str:
    """Return the PEM text of a file or of standard input."""
    if value is None:
        raise click.UsageError('Name the PEM file with the private key and its certificate, or pipe it in and say "-".')
    if value == "-":
        return _piped()
    try:
        return Path(value).read_text(encoding="utf-8")
    except OSError as exc:
        raise click.ClickException(f"{value} cannot be read: {exc.strerror}.") from None
    except UnicodeDecodeError:
        raise click.ClickException(
            f"{value} is not PEM. Turn a PFX file into it: openssl pkcs12 -in app.pfx -nodes -out app.pem"
        ) from None


def _piped() -> str:
    piped = sys.stdin.read().strip()
    if not piped:
        raise click.ClickException("Nothing came on standard input.")
    return piped


def _line(snapshot: Snapshot, spec: SettingSpec) -> str:
    where = "locked" if snapshot.deployment.is_locked(spec.key) else _source(snapshot, spec)
    return f"{_value(snapshot, spec) or 'not set'} ({where})"


def _as_json(snapshot: Snapshot, spec: SettingSpec) -> dict[str, Any]:
    return {
        "value": _value(snapshot, spec)
        if spec.is_secret or spec.kind == "date"
        else snapshot.effective(spec.key).value,
        "source": _source(snapshot, spec),
        "is_locked": snapshot.deployment.is_locked(spec.key),
    }


def _source(snapshot: Snapshot, spec: SettingSpec) -> str:
    return "stored" if snapshot.stored(spec.key) else snapshot.inherited(spec.key).source


def _value(snapshot: Snapshot, spec: SettingSpec) -> str:
    """Return a value as text, as ``set`` takes it; a secret only in words."""
    try:
        value = snapshot.effective(spec.key).value
    except EncryptionError as exc:
        return f"stored, but unreadable: {exc}"
    if value is None or value == "":
        return ""
    if spec.is_secret:
        mark = snapshot.deployment.shown_mark(spec, str(value))
        said = f"thumbprint {mark}" if spec.kind == "certificate" else f"starts with {mark}"
        return f"stored, {said}" if mark else "stored"
    return ("on" if value else "off") if isinstance(value, bool) else str(as_text(value))
