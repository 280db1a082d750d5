"""What we ask Microsoft for: one list that drives sign-in, consent, setup guide, check and documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask_ms365.words import Words

# the application id of Microsoft Graph, the same in every tenant and cloud
GRAPH_APP_ID = "00000003-0000-0000-c000-000000000000"


@dataclass(frozen=True, kw_only=True)
class DelegatedPermission:
    """A permission that people grant by signing in. ``id`` is its GUID in Entra, for manifests and commands."""

    name: str
    id: str
    why: str


# Least first: who it is, to stay connected, whose mailbox it is, and to read its mail.
PERMISSIONS = (
    DelegatedPermission(
        name="openid",
        id="37f7f235-527c-4136-accd-4a02d197296e",
        why=Words("Sign you in."),
    ),
    DelegatedPermission(
        name="profile",
        id="14dad69e-099b-42c9-810b-d002981feec1",
        why=Words("Know which account signed in."),
    ),
    DelegatedPermission(
        name="offline_access",
        id="7427e0e9-2fba-42fe-b0c0-848c9e6a8182",
        why=Words("Stay connected, so that you do not have to sign in every hour."),
    ),
    DelegatedPermission(
        name="User.Read",
        id="e1fe6dd8-ba31-4d61-89e7-88639da4683d",
        why=Words("Read your name and address, to tell whose mailbox it is."),
    ),
    DelegatedPermission(
        name="Mail.Read",
        id="570282fd-fa5c-430d-a7fd-fc8dc98a9dca",
        why=Words("Read the messages in your mailbox."),
    ),
)

# what a sign-in to the host asks for, and a sign-in that keeps a mailbox connected
SIGN_IN_SCOPES = ("openid", "profile")
SCOPES = tuple(permission.name for permission in PERMISSIONS)
SHARED_SCOPES = (*SCOPES[:-1], "Mail.Read.Shared")

_NOT_ANSWERED = {"openid", "profile", "offline_access"}


def missing_scopes(granted: tuple[str, ...], asked: Sequence[str] = SCOPES) -> list[str]:
    """Return what Microsoft left out of a grant. It answers short or full names, in any letter case, or nothing.

    What concerns the sign-in alone is not in every answer, and nothing is concluded from its absence.
    """
    if not granted:
        return []
    names = {scope.rpartition("/")[2].lower() for scope in granted}
    return [scope for scope in asked if scope not in _NOT_ANSWERED and scope.lower() not in names]
