"""What may go wrong with a sign-in, by the name of the check that notices it."""

from __future__ import annotations

from flask_ms365.errors import SignInFailed
from flask_ms365.words import Words

FLOW_MINUTES = 10

_AGAIN = Words("Begin again from this page.")

# check -> (what happened, what to do)
PROBLEMS: dict[str, tuple[str, str]] = {
    "malformed": (Words("The answer from Microsoft could not be read."), _AGAIN),
    "state": (
        Words("This sign-in is not known here, or it was finished already."),
        Words("If it did not work, begin again from this page."),
    ),
    "gone": (
        Words("The mailbox was disconnected, or removed, during the sign-in."),
        Words("Connect it again if it is to be read."),
    ),
    "expired": (Words("The sign-in took longer than %(minutes)s minutes.", minutes=FLOW_MINUTES), _AGAIN),
    "binding": (
        Words("The sign-in was finished in another browser than it began in, or cookies are blocked."),
        Words("Begin again and stay in one browser window."),
    ),
    "user": (Words("The sign-in was begun by another user of this app."), Words("Begin again as yourself.")),
    "allowed": (Words("You are no longer allowed to connect a mailbox."), Words("Ask an admin of this app.")),
    "issuer": (Words("The answer came from another sign-in service than the one in the settings."), _AGAIN),
    "registration": (Words("The Microsoft settings were changed during the sign-in."), _AGAIN),
    "scope": (
        Words("Microsoft did not grant the permission to read mail."),
        Words("Connect again and accept all permissions."),
    ),
    # of a sign-in to the host
    "tenant": (
        Words("Accounts of this organisation may not sign in to this app."),
        Words("Use another account, or ask an admin of this app."),
    ),
    "domain": (
        Words("Accounts of this domain, and guests, may not sign in to this app."),
        Words("Use another account, or ask an admin of this app."),
    ),
    "off": (Words("Signing in with Microsoft was switched off."), Words("Ask an admin of this app.")),
}


def problem(check: str) -> SignInFailed:
    """Return the error of a named check, in our words."""
    message, next_step = PROBLEMS[check]
    return SignInFailed(check, message, next_step=next_step)
