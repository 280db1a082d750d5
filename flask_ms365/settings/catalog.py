"""Each setting once. An entry drives the form, the page, the checks, the audit and the name in ``app.config``.

To add a setting, add an entry; nothing else has to know.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Literal

from flask_ms365.identity.clouds import CLOUDS
from flask_ms365.settings import checks
from flask_ms365.words import Words

Kind = Literal["text", "list", "secret", "certificate", "date", "toggle", "number", "choice"]
Group = Literal["app", "sync", "sign_in"]
Value = str | int | bool | date | tuple[str, ...] | None


@dataclass(frozen=True, kw_only=True)
class SettingSpec:
    """What there is to know about one setting. ``check`` returns the text to store, or raises ValueError."""

    key: str
    label: str
    help: str
    kind: Kind
    group: Group
    check: Callable[[str], str]
    default: str | None = None
    is_required: bool = False
    choices: tuple[tuple[str, str], ...] = ()
    unit: str = ""
    # what the number 0 stands for, where it is more than none of the unit
    zero: str = ""

    @property
    def is_secret(self) -> bool:
        """Tell whether it goes in and never comes out: sealed where it is stored, and never shown."""
        return self.kind in {"secret", "certificate"}

    @property
    def config_key(self) -> str:
        """The key in ``app.config`` that *Use default* falls back to."""
        return f"MS365_{self.key.upper()}"

    def checked(self, text: str) -> str:
        """Return the text to store, without the space around it; raise ValueError with what to do."""
        stripped = text.strip()
        return self.check(stripped) if stripped else ""

    def typed(self, text: str | None) -> Value:
        """Return the stored text as what it means: a bool, an int, a date, several texts, or text."""
        if text is None or (not text and self.kind in {"date", "list"}):
            return None
        if self.kind == "toggle":
            return text.strip().lower() in {"1", "true", "yes", "on", "y"}
        if self.kind == "date":
            return date.fromisoformat(text)
        if self.kind == "list":
            return tuple(text.split(", "))
        return int(text) if self.kind == "number" else text


CATALOG: tuple[SettingSpec, ...] = (
    SettingSpec(
        key="client_id",
        label=Words("Application (Client) ID"),
        help=Words("Entra admin center, App registrations, your app, Overview."),
        kind="text",
        group="app",
        check=checks.client_id,
        is_required=True,
    ),
    SettingSpec(
        key="credential",
        label=Words("Credential"),
        help=Words("How this app proves to Microsoft that it is itself. A certificate is safer than a secret."),
        kind="choice",
        group="app",
        check=checks.credential,
        default="secret",
        is_required=True,
        choices=(
            ("secret", Words("Client secret")),
            ("certificate", Words("Certificate")),
            ("federated", Words("Federated credential")),
        ),
    ),
    SettingSpec(
        key="client_secret",
        label=Words("Client Secret"),
        help=Words("Leave empty to keep the stored one. Paste the Value, not the Secret ID."),
        kind="secret",
        group="app",
        check=checks.client_secret,
    ),
    SettingSpec(
        key="client_secret_expires_on",
        label=Words("Client Secret expires on"),
        help=Words("Entra shows the date beside the secret. You are warned 30, 14, 7 and 1 days before."),
        kind="date",
        group="app",
        check=checks.expiry_date,
    ),
    SettingSpec(
        key="client_certificate",
        label=Words("Client Certificate"),
        help=Words("One PEM file with the private key and its certificate. Choose none to keep the stored one."),
        kind="certificate",
        group="app",
        check=checks.client_certificate,
    ),
    SettingSpec(
        key="tenant_id",
        label=Words("Directory (Tenant) ID"),
        help=Words("A tenant ID or domain; one tenant is safer than common."),
        kind="text",
        group="app",
        check=checks.tenant_id,
        is_required=True,
    ),
    SettingSpec(
        key="cloud",
        label=Words("Microsoft cloud"),
        help=Words("Only government and China tenants have one of their own."),
        kind="choice",
        group="app",
        check=checks.cloud,
        default="global",
        is_required=True,
        choices=tuple((cloud.key, cloud.label) for cloud in CLOUDS.values()),
    ),
    SettingSpec(
        key="email_sync",
        label=Words("Enable Emails Sync"),
        help=Words("Needs client ID, credential and tenant. Turning it off keeps what was synced."),
        kind="toggle",
        group="sync",
        check=checks.toggle,
        default="0",
    ),
    SettingSpec(
        key="sync_interval",
        label=Words("Sync interval"),
        help=Words("How often each mailbox is looked at, from 1 minute to 1 day."),
        kind="number",
        group="sync",
        check=checks.sync_interval,
        default="5",
        is_required=True,
        unit=Words("min"),
    ),
    SettingSpec(
        key="sync_since",
        label=Words("Mail history"),
        help=Words(
            "How far back mail is read; 0 is all of it. More fetches what is missing, less keeps what was synced."
        ),
        kind="number",
        group="sync",
        check=checks.sync_since,
        default="0",
        is_required=True,
        unit=Words("days"),
        zero=Words("All mail"),
    ),
    SettingSpec(
        key="store_bodies",
        label=Words("Stored texts"),
        help=Words(
            "The text of each message is stored with it. Off deletes what is stored; it is fetched when opened."
        ),
        kind="toggle",
        group="sync",
        check=checks.toggle,
        default="1",
    ),
    SettingSpec(
        key="store_attachments",
        label=Words("Stored attachments"),
        help=Words(
            "What is attached, up to this size, is stored with its message. 0 fetches it when opened. Less deletes "
            "what is larger."
        ),
        kind="number",
        group="sync",
        check=checks.store_attachments,
        default="0",
        is_required=True,
        unit=Words("MB"),
        zero=Words("None: fetched when opened"),
    ),
    SettingSpec(
        key="keep_removed",
        label=Words("Removed mail"),
        help=Words("How long mail is kept that was deleted in Outlook, or moved where nothing is read. 0 is for ever."),
        kind="number",
        group="sync",
        check=checks.keep_removed,
        default="0",
        is_required=True,
        unit=Words("days"),
        zero=Words("Kept for ever"),
    ),
    SettingSpec(
        key="sign_in",
        label=Words("Sign in with Microsoft"),
        help=Words("People sign in to this app with their Microsoft account."),
        kind="toggle",
        group="sign_in",
        check=checks.toggle,
        default="0",
    ),
    SettingSpec(
        key="sign_in_tenants",
        label=Words("Tenants that may sign in"),
        help=Words("Directory (tenant) IDs. Empty is the tenant above, and nobody where that is common."),
        kind="list",
        group="sign_in",
        check=checks.sign_in_tenants,
    ),
    SettingSpec(
        key="sign_in_domains",
        label=Words("Domains that may sign in"),
        help=Words("The end of their sign-in name, such as contoso.com. Empty is any; named, they keep guests out."),
        kind="list",
        group="sign_in",
        check=checks.sign_in_domains,
    ),
)

# kind of credential -> the setting that holds it; a federated one lies in a file, and is only chosen here
HELD_IN = {"secret": "client_secret", "certificate": "client_certificate", "federated": "credential"}

_BY_KEY = {spec.key: spec for spec in CATALOG}


def as_text(value: Value) -> str | None:
    """Return a typed value as the text that people type and audits tell; None for none."""
    if isinstance(value, tuple):
        return ", ".join(value)
    return None if value is None else str(int(value) if isinstance(value, bool) else value)


def spec_of(key: str) -> SettingSpec:
    """Return the catalog entry of ``key``; raise KeyError with the names that exist."""
    try:
        return _BY_KEY[key]
    except KeyError:
        raise KeyError(f"There is no setting {key!r}. There are: {', '.join(_BY_KEY)}.") from None
