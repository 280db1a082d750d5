"""What can go wrong, as one tree. Each error has a message for people, which says what to do.

::

    MS365Error
    ├── ConfigurationError          the host's code or app.config
    ├── NotConfigured               a setting that is needed is not there yet
    ├── InvalidSettings             a save was refused, field by field
    ├── SettingsChanged             somebody else saved in between
    ├── MailboxRefused              a mailbox of the team was not added or not connected
    ├── EncryptionError
    │   ├── NoEncryptionKey         nothing secret can be stored
    │   ├── Locked                  the database was used with other keys
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

from collections.abc import Mapping, Sequence

from flask_ms365.words import Words


class MS365Error(Exception):
    """The root of the tree. ``message`` is what an error says of itself, where its place knows no more."""

    message: str = Words("Something went wrong with Microsoft 365.")

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.message)

    @property
    def words(self) -> str:
        """What ``str()`` gives, still translatable: :class:`Words`, where the sentence is ours."""
        words: str = self.args[0]
        return words


class ConfigurationError(MS365Error):
    """The host's code or app.config is wrong. It is told to programmers, and so in English only."""


class NotConfigured(MS365Error):
    """A setting that is needed is not there yet."""

    message = Words("Microsoft 365 is not set up yet. Fill in the settings page first.")


class InvalidSettings(MS365Error):
    """A save was refused. ``problems`` says why, setting by setting."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__(" ".join(problems.values()))
        self.problems = dict(problems)


class SettingsChanged(MS365Error):
    """Somebody else saved in between."""

    message = Words("Somebody else saved these settings in the meantime. Look at the values below and save again.")


class MailboxRefused(MS365Error):
    """A mailbox of the team was not added or not connected. ``field`` names what of the form it is about."""

    def __init__(self, field: str, message: str, *, next_step: str = "", code: str = "", trace: str = "") -> None:
        super().__init__(message)
        self.field = field
        self.next_step = next_step
        self.code = code
        self.trace = trace


class EncryptionError(MS365Error):
    """The keyring cannot be used for a secret."""

    message = Words("A secret could not be sealed or opened.")


class NoEncryptionKey(EncryptionError):
    """Nothing secret can be stored."""

    message = Words(
        "No encryption key is set, so nothing secret can be stored. "
        'Run "flask ms365 keys generate" and put the result into MS365_ENCRYPTION_KEYS.'
    )


class Locked(EncryptionError):
    """The database was used with keys that are not in the ring: nothing is synced, connected or saved."""

    def __init__(self, key_ids: Sequence[str]) -> None:
        super().__init__(
            Words(
                "Locked: this database was used with the encryption key %(keys)s. Put it back into "
                "MS365_ENCRYPTION_KEYS; until then nothing is synced, connected or saved, and nothing is lost.",
                keys=", ".join(key_ids),
            )
        )
        self.key_ids = tuple(key_ids)


class KeyMissing(EncryptionError):
    """A stored secret was sealed with a key that is not in the ring."""

    def __init__(self, key_id: str) -> None:
        super().__init__(
            Words("A stored secret needs the encryption key %(key)s. Add it to MS365_ENCRYPTION_KEYS.", key=key_id)
        )
        self.key_id = key_id


class Tampered(EncryptionError):
    """A stored secret was sealed for another place, or is damaged."""

    message = Words("A stored secret is damaged or was copied from another place. Enter it again.")


class AppendOnly(MS365Error):
    """An entry of the audit log was about to be changed or deleted."""

    message = Words("The audit log is append-only: its entries are neither changed nor deleted.")


class SignInFailed(MS365Error):
    """A sign-in ended without a connection. ``check`` names what it did not pass.

    ``seen`` is who signed in (tid, oid, upn), where it was somebody else than expected.
    """

    def __init__(
        self,
        check: str,
        message: str,
        *,
        next_step: str = "",
        code: str = "",
        trace: str = "",
        seen: tuple[str, str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.seen = seen
        self.check = check
        self.next_step = next_step
        self.code = code
        self.trace = trace


class TokenError(MS365Error):
    """The token endpoint refused or could not be used."""

    message = Words("Microsoft did not give a token.")

    def __init__(
        self,
        message: str | None = None,
        *,
        error: str = "",
        code: str = "",
        trace: str = "",
        advice: object = None,
        claims: str = "",
        retry_after: float | None = None,
        is_held: bool = False,
    ) -> None:
        super().__init__(message)
        self.error = error
        self.code = code
        self.trace = trace
        # identity.advice.Advice, where Microsoft said why
        self.advice = advice
        # what Microsoft wants to see at the next sign-in
        self.claims = claims
        # seconds, where it is known how long to wait
        self.retry_after = retry_after
        # nobody was asked: what an earlier request met still holds for the whole app
        self.is_held = is_held


class SignInNeeded(TokenError):
    """One connection's grant is dead."""

    message = Words("Microsoft ended this sign-in. Sign in again.")


class AppRefused(TokenError):
    """Client id, secret or tenant were refused: every mailbox is concerned."""

    message = Words(
        "Microsoft refused the app registration. Check client ID, client secret and tenant on the settings page."
    )


class TokenUnavailable(TokenError):
    """No token for the moment: keep the refresh token and come back later."""

    message = Words("Microsoft's sign-in service could not be used just now.")


class GraphError(MS365Error):
    """A refused Graph request, with its status, code and request id."""

    message = Words("Microsoft Graph refused a request.")

    def __init__(
        self,
        message: str | None = None,
        *,
        status: int = 0,
        code: str = "",
        request_id: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(
            message or Words("%(message)s (HTTP %(status)s %(code)s)", message=self.message, status=status, code=code)
        )
        self.status = status
        self.code = code
        self.request_id = request_id
        self.retry_after = retry_after


class Unauthorized(GraphError):
    """401, also after a new token. ``claims`` is what a new token must carry, where Graph says so."""

    message = Words("Microsoft Graph did not accept the access token.")
    claims: str = ""


class NotFound(GraphError):
    """404: the item is not there, or not for this account."""

    message = Words("Microsoft Graph does not know this item.")


class DeltaExpired(GraphError):
    """The cursor of one folder is dead."""

    message = Words("The delta cursor of this folder is no longer valid; the folder is read again.")


class Throttled(GraphError):
    """429: come back after ``retry_after`` seconds."""

    message = Words("Microsoft asked us to slow down.")


class Unavailable(GraphError):
    """A 5xx, a time-out or a cut connection."""

    message = Words("Microsoft Graph could not be reached or is out of order.")


class SyncStopped(MS365Error):
    """A run ended early, on purpose."""

    message = Words("The run ended early.")


class LeaseLost(SyncStopped):
    """Another worker holds the mailbox now."""

    message = Words("Another worker has taken this mailbox over.")


class SyncSwitchedOff(SyncStopped):
    """The toggle went off."""

    message = Words("Emails sync was switched off.")
