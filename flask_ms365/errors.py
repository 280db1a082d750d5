"""What can go wrong, as one tree. An error's docstring is its default message; each message says what to do.

::

    MS365Error
    ├── ConfigurationError          the host's code or app.config
    ├── NotConfigured               a setting that is needed is not there yet
    ├── InvalidSettings             a save was refused, field by field
    ├── SettingsChanged             somebody else saved in between
    ├── EncryptionError
    │   ├── NoEncryptionKey         nothing secret can be stored
    │   ├── KeyMissing              sealed under a key that is not in the ring
    │   └── Tampered                sealed for another place, or damaged
    ├── AppendOnly                  an entry of the audit log was about to be changed or deleted
    ├── SignInFailed                a sign-in ended without a connection
    ├── TokenError                  the token endpoint refused or could not be used
    │   ├── SignInNeeded            one connection's grant is dead
    │   ├── AppRefused              client id, secret or tenant: every mailbox is concerned
    │   └── TokenUnavailable        transient: keep the refresh token and come back later
    ├── GraphError                  status, code and request id of a refused Graph request
    │   ├── Unauthorized            401
    │   ├── NotFound                404
    │   ├── DeltaExpired            the cursor of one folder is dead
    │   ├── Throttled               429: come back after retry_after seconds
    │   └── Unavailable             5xx, time-outs and cut connections
    └── SyncStopped                 a run ended early, on purpose
        ├── LeaseLost               another worker holds the mailbox now
        └── SyncSwitchedOff         the toggle went off
"""

from __future__ import annotations

from collections.abc import Mapping


class MS365Error(Exception):
    """Something went wrong with Microsoft 365."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


class ConfigurationError(MS365Error):
    """The extension is not set up correctly in this app."""


class NotConfigured(MS365Error):
    """Microsoft 365 is not set up yet. Fill in the settings page first."""


class InvalidSettings(MS365Error):
    """Nothing was saved. Correct the marked fields."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__(" ".join(problems.values()))
        self.problems = dict(problems)


class SettingsChanged(MS365Error):
    """Somebody else saved these settings in the meantime. Look at the values below and save again."""


class EncryptionError(MS365Error):
    """A secret could not be sealed or opened."""


class NoEncryptionKey(EncryptionError):
    """No encryption key is set, so nothing secret can be stored.

    Run "flask ms365 keys generate" and put the result into MS365_ENCRYPTION_KEYS.
    """

    def __init__(self) -> None:
        super().__init__(" ".join((type(self).__doc__ or "").split()))


class KeyMissing(EncryptionError):
    """A stored secret was sealed with a key that is not in MS365_ENCRYPTION_KEYS."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"A stored secret needs the encryption key {key_id}. Add it to MS365_ENCRYPTION_KEYS.")
        self.key_id = key_id


class Tampered(EncryptionError):
    """A stored secret is damaged or was copied from another place. Enter it again."""


class AppendOnly(MS365Error):
    """The audit log is append-only: its entries are neither changed nor deleted."""


class SignInFailed(MS365Error):
    """The sign-in did not work. Try again."""

    def __init__(self, check: str, message: str, *, next_step: str = "", code: str = "", trace: str = "") -> None:
        super().__init__(message)
        self.check = check
        self.next_step = next_step
        self.code = code
        self.trace = trace


class TokenError(MS365Error):
    """Microsoft did not give a token."""

    def __init__(self, message: str | None = None, *, error: str = "", code: str = "", trace: str = "") -> None:
        super().__init__(message)
        self.error = error
        self.code = code
        self.trace = trace


class SignInNeeded(TokenError):
    """Microsoft ended this sign-in. Sign in again."""


class AppRefused(TokenError):
    """Microsoft refused the app registration. Check client ID, client secret and tenant on the settings page."""


class TokenUnavailable(TokenError):
    """Microsoft's sign-in service could not be used just now."""


class GraphError(MS365Error):
    """Microsoft Graph refused a request."""

    def __init__(
        self,
        message: str | None = None,
        *,
        status: int = 0,
        code: str = "",
        request_id: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message or f"{(type(self).__doc__ or '').strip()} (HTTP {status} {code})")
        self.status = status
        self.code = code
        self.request_id = request_id
        self.retry_after = retry_after


class Unauthorized(GraphError):
    """Microsoft Graph did not accept the access token."""


class NotFound(GraphError):
    """Microsoft Graph does not know this item."""


class DeltaExpired(GraphError):
    """The delta cursor of this folder is no longer valid; the folder is read again."""


class Throttled(GraphError):
    """Microsoft asked us to slow down."""


class Unavailable(GraphError):
    """Microsoft Graph could not be reached or is out of order."""


class SyncStopped(MS365Error):
    """The run ended early."""


class LeaseLost(SyncStopped):
    """Another worker has taken this mailbox over."""


class SyncSwitchedOff(SyncStopped):
    """Emails sync was switched off."""
