"""Values of settings: which one holds, where it comes from, and the wish to have none of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from flask_ms365.settings.catalog import Value

Source = Literal["stored", "config", "default"]


class UseDefault:
    """The wish to have no value of one's own; None and the empty text are values."""

    def __repr__(self) -> str:
        return "USE_DEFAULT"


USE_DEFAULT: Final = UseDefault()

# setting -> its own value as text, or the wish to have none
Changes = Mapping[str, str | UseDefault]


@dataclass(frozen=True)
class Effective:
    """The value that holds, and where it comes from. The value may be secret, so its repr does not show it."""

    value: Value = field(repr=False)
    source: Source


@dataclass(frozen=True, kw_only=True)
class TheirChange:
    """What somebody else saved meanwhile. ``old`` and ``new`` are as the audit log tells them: null is the default."""

    old: Any
    new: Any
    by: str | None
    at: datetime
