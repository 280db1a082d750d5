"""Two admins saved at once: what the other one changed, and which settings this one has to choose about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flask_ms365.errors import EncryptionError
from flask_ms365.settings import CATALOG, Changes, SettingSpec, UseDefault
from flask_ms365.settings.snapshot import Snapshot
from flask_ms365.settings.values import TheirChange
from flask_ms365.web.setting_fields import Choice, shown_value
from flask_ms365.words import Words


@dataclass(frozen=True, kw_only=True)
class Conflict:
    """``told``: who changed what. ``shown``: what the controls must show now. ``choices``: changed by both."""

    told: list[tuple[str, object]]
    shown: dict[str, str | None]
    choices: dict[str, Choice]


def conflict_with(theirs: Mapping[str, TheirChange], mine: Changes, snapshot: Snapshot) -> Conflict:
    """Compare what was saved meanwhile with what this visitor asked for.

    Only what both changed, each in another way, is a choice. What this visitor left as it was shows the other's value:
    the old one that the page still held must not undo it.
    """
    conflict = Conflict(told=[], shown={}, choices={})
    for spec in CATALOG:
        key, change = spec.key, theirs.get(spec.key)
        if change is None:
            continue
        conflict.told.append((Words("%(label)s is now", label=spec.label), _saved(spec, change, snapshot)))
        wish = mine.get(key)
        is_mine = wish is not None and _text(wish) not in (change.old, change.new)
        if wish is not None and is_mine and not spec.is_secret:
            conflict.choices[key] = _choice(spec, change, wish, snapshot)
        elif not is_mine:
            conflict.shown.update(_controls(spec, snapshot))
    return conflict


def _saved(spec: SettingSpec, change: TheirChange, snapshot: Snapshot) -> object:
    value = _holding(spec, snapshot)
    return value if change.by is None else Words("%(setting)s, saved by %(name)s", setting=value, name=change.by)


def _holding(spec: SettingSpec, snapshot: Snapshot) -> object:
    try:
        return shown_value(spec, snapshot.effective(spec.key), snapshot)
    except EncryptionError:  # sealed with a key that is not here
        return Words("Stored")


def _choice(spec: SettingSpec, change: TheirChange, wish: str | UseDefault, snapshot: Snapshot) -> Choice:
    try:
        mine = shown_value(spec, snapshot.with_changes({spec.key: wish}).effective(spec.key), snapshot)
    except ValueError:  # what was typed has not been checked yet
        mine = wish
    return Choice(theirs=_holding(spec, snapshot), mine=mine, by=change.by, at=change.at)


def _controls(spec: SettingSpec, snapshot: Snapshot) -> dict[str, str | None]:
    """Return what the controls of a setting must hold to show what is stored; None for what must not be there."""
    row = snapshot.stored(spec.key)
    is_off = spec.kind == "toggle" and row is not None and spec.typed(row.value) is False
    return {
        f"{spec.key}-use_default": "y" if row is None else None,
        f"{spec.key}-value": None if row is None or is_off or row.sealed else row.value,
    }


def _text(wish: str | UseDefault) -> str | None:
    return None if isinstance(wish, UseDefault) else wish
