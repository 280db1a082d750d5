"""The ways to read a mailbox of the team, which addresses there can be, and what a refusal means for each way."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask_ms365.errors import GraphError
from flask_ms365.words import Words

if TYPE_CHECKING:
    from flask_ms365.graph import GraphClient
    from flask_ms365.graph.types import User

_LONGEST = 254
# as Exchange has them: no quotes, no slashes, nothing beyond ASCII
_ADDRESS = re.compile(
    r"[A-Za-z0-9!#$%&'*+=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+=?^_`{|}~-]+)*@([A-Za-z0-9-]+\.)+[A-Za-z0-9-]+"
)

_DENIED = {"ErrorAccessDenied", "Authorization_RequestDenied", "Forbidden", "accessDenied"}
_ABSENT = {
    "MailboxNotEnabledForRESTAPI",
    "ErrorMailboxNotEnabledForRESTAPI",
    "ErrorInvalidUser",
    "ResourceNotFound",
    "Request_ResourceNotFound",
}


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way to read a mailbox: its name, whom it suits, and what to do where Graph denies it."""

    key: str
    label: str
    help: str
    if_denied: str


WAYS: dict[str, Way] = {
    way.key: way
    for way in (
        Way(
            key="sign_in",
            label=Words("Its own account"),
            help=Words("Somebody signs in with the account of this mailbox, such as a service account."),
            if_denied=Words("Grant admin consent for Mail.Read, then sign in again."),
        ),
        Way(
            key="shared",
            label=Words("A shared mailbox"),
            help=Words("Somebody signs in with their own account, which has full access to this mailbox."),
            if_denied=Words(
                "Give the account that signs in full access to this mailbox in Exchange, or sign in with another one. "
                "Admin consent for Mail.Read.Shared is needed too."
            ),
        ),
        Way(
            key="application",
            label=Words("The app's own permission"),
            help=Words("Nobody signs in. A Microsoft admin lets the app read the mailbox."),
            if_denied=Words(
                "Let a Microsoft admin limit the app to its mailboxes in Exchange, this one among them, or grant "
                "admin consent for the application permission Mail.Read (.default). It takes up to 30 minutes to work."
            ),
        ),
    )
}
_CHECK_ADDRESS = Words("Is the address right, and has the mailbox a licence with Exchange Online?")


def checked_address(text: str) -> str:
    """Return an address without the spaces around it; raise ValueError, with words, where there can be no such one."""
    address = text.strip()
    if not address:
        raise ValueError(Words("Enter the address of the mailbox."))
    if len(address) > _LONGEST or not _ADDRESS.fullmatch(address):
        raise ValueError(Words("This is no address of a mailbox. It looks like support@contoso.com"))
    return address


def refusal(error: GraphError, access: str, address: str) -> tuple[Words, str]:
    """Return what it means that Graph does not let us read ``address``, and what to do."""
    if error.status == 403:
        return Words("Microsoft does not let this app read %(address)s.", address=address), WAYS[access].if_denied
    if error.status == 404:
        return Words("Microsoft knows no mailbox %(address)s.", address=address), _CHECK_ADDRESS
    return Words("%(address)s: %(reason)s", address=address, reason=error.words), Words("Try again in a few minutes.")


def next_step(code: str | None, access: str) -> str:
    """Return what to do about a run that failed with Microsoft's ``code``; empty where waiting may help."""
    if code in _DENIED:
        return WAYS[access].if_denied
    return _CHECK_ADDRESS if code in _ABSENT else ""


def profile(graph: GraphClient) -> User | None:
    """Return whose mailbox it is, where we may know: reading mail does not need that permission."""
    try:
        return graph.user()
    except GraphError as exc:
        if exc.status in (403, 404):
            return None
        raise
