"""A walk over every route of the blueprint's table, as somebody, at somebody's things: what was answered, and shown.

New routes are walked by themselves: a route whose address names a kind of thing that is not known here fails the walk.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlencode

from flask_ms365.permissions import Permission
from flask_ms365.web.blueprint import ROUTES, Route
from tests.conftest import Host
from tests.visitor import Visitor, controls

PREFIX = "/ms365"
_VARIABLE = re.compile(r"<(?:[^<>]*:)?(\w+)>")
# what a stranger would put behind the address of a page, to have it show what is not theirs
_GUESSES = ("mailbox", "folder", "conversation", "message", "before", "after", "ids", "id", "address", "q", "who")
# what the forms of our pages send, all at once: a view takes what it knows
_SENT = {
    "mail": "delete",
    "sync_from": "",
    "label": "Walked",
    "owner": "",
    # a dry run, with what it says of each message
    "process": "Tell",
    "do": "try",
    "action": "pause",
    "version": "1",
    "all": "y",
}


@dataclass(frozen=True, kw_only=True)
class Somebody:
    """Who walks: what the host answers about them."""

    name: str
    user_id: str | None
    permissions: frozenset[str]

    def may(self, route: Route) -> bool:
        return bool(self.permissions.intersection(map(str, route.permissions)))


@dataclass(frozen=True, kw_only=True)
class Things:
    """What belongs to somebody: the ids that addresses name them by, and a word that only their mail has."""

    owner: str
    ids: Mapping[str, object]
    word: str

    def at(self, path: str) -> str:
        """Return the address of a thing."""
        return _VARIABLE.sub(lambda match: str(self.ids[match[1]]), path)

    def guesses(self) -> Iterator[str]:
        known = {name.removesuffix("_id"): value for name, value in self.ids.items()} | {"q": self.word}
        known |= dict.fromkeys(("ids", "id"), self.ids["mailbox_id"])
        known |= dict.fromkeys(("conversation", "before", "after"), self.ids["message_id"])
        yield from (urlencode({name: known[name]}) for name in _GUESSES if name in known)
        yield urlencode({"mailbox": known["mailbox"], "folder": known["folder"], "q": self.word})


@dataclass(frozen=True, kw_only=True)
class Step:
    """One request of a walk; ``whose`` is the owner of the thing that its address names, or empty."""

    method: str
    path: str
    route: Route
    whose: str
    status: int
    answer: str = field(repr=False)

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.status}"

    def shows(self, words: list[str]) -> list[str]:
        return [word for word in words if word.casefold() in self.answer.casefold()]


def walk(
    host: Host, who: Somebody, things: list[Things], *, without: frozenset[tuple[str, str]] = frozenset()
) -> list[Step]:
    """Ask for every address, with each method that it has; ``without`` are endpoints and methods to leave out.

    Posts carry a valid CSRF token, as those of somebody who may see some other page of ours do.
    """
    visitor = host.visitor()
    host.user_id, host.permissions = "mallory", {"own_mailbox"}
    token = controls(visitor.get(f"{PREFIX}/my-email").text)["csrf_token"]
    host.user_id, host.permissions = who.user_id, set(who.permissions)
    steps = []
    for route in ROUTES:
        for method in route.methods:
            if (route.endpoint, method) not in without:
                steps += [_step(visitor, token, route, method, *at) for at in _addresses(who, route, method, things)]
    return steps


def _addresses(who: Somebody, route: Route, method: str, things: list[Things]) -> Iterator[tuple[str, str]]:
    """Yield each address of a route, and whose thing it names."""
    if _VARIABLE.search(route.path):
        yield from ((PREFIX + each.at(route.path), each.owner) for each in things)
        return
    yield PREFIX + route.path, ""
    if method == "GET" and who.may(route) and route.permissions != (Permission.MANAGE_SETTINGS,):
        yield from ((f"{PREFIX}{route.path}?{guess}", "") for each in things for guess in each.guesses())


def _step(visitor: Visitor, token: str, route: Route, method: str, path: str, whose: str) -> Step:
    sent: Any = {"data": {**_SENT, "csrf_token": token}} if method == "POST" else {}
    response = visitor.open(path, method=method, **sent)
    headers = "\n".join(unquote(value) for _, value in response.headers.items())
    answer = f"{headers}\n{response.get_data().decode(errors='replace')}"
    response.close()
    return Step(method=method, path=path, route=route, whose=whose, status=response.status_code, answer=answer)
