"""How the sign-in service refuses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Refusal(NamedTuple):
    """What belongs to an AADSTS number.

    `status` and `error` are those of the token endpoint. `text` has its blanks in braces. `on_page` says that a browser
    stays on Microsoft's page instead of going back to the app.
    """

    status: int
    error: str
    text: str
    suberror: str | None = None
    on_page: bool = False


Refusals = Mapping[int, Refusal]
