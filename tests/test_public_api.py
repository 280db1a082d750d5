"""The names that hosts rely on. A change here is a change of the contract: it needs an issue and a changelog line."""

from __future__ import annotations

import inspect
from typing import Any

import click
import pytest
from blinker import NamedSignal
from flask import url_for

import flask_ms365
from flask_ms365 import (
    MS365,
    Change,
    Directory,
    DirectoryEntry,
    EmailSyncJob,
    JobHook,
    Permission,
    config,
    models,
    signals,
)
from flask_ms365.cli import ms365_cli
from flask_ms365.settings import CATALOG
from tests.conftest import Host


def public(thing: object) -> set[str]:
    return {name for name in vars(thing) if not name.startswith("_")}


def test_what_the_package_exports() -> None:
    assert flask_ms365.__all__ == [
        "MS365",
        "Change",
        "Directory",
        "DirectoryEntry",
        "Effective",
        "EmailSyncJob",
        "HookStatus",
        "Identity",
        "JobHook",
        "MS365Error",
        "Permission",
        "RunReport",
        "TickReport",
        "Trouble",
    ]
    assert [name for name in flask_ms365.__all__ if not hasattr(flask_ms365, name)] == []


def test_what_the_extension_offers() -> None:
    assert public(MS365) == {
        "init_app",
        "settings",
        "tick",
        "sync_mailbox",
        "content",
        "on_message",
        "on_trouble",
        "process",
        "sign_in",
        "check",
        "csp_sources",
        "nav",
    }


def test_what_a_host_passes() -> None:
    parameters = inspect.signature(MS365.init_app).parameters.values()
    positional = [each.name for each in parameters if each.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    by_name = [each.name for each in parameters if each.kind is inspect.Parameter.KEYWORD_ONLY]
    assert positional == ["self", "app"]
    assert by_name == ["db", "authorize", "current_user_id", "directory", "job_hook"]


def test_the_words_of_the_contract() -> None:
    assert [str(each) for each in Permission] == ["manage_settings", "manage_mailboxes", "own_mailbox", "read_mail"]
    assert [each.name for each in Change] == ["CREATED", "UPDATED", "MOVED", "REMOVED"]
    assert public(Directory) == {"names_of", "search", "roles", "roles_of"}
    assert list(inspect.signature(DirectoryEntry).parameters) == ["id", "name"]
    assert public(JobHook) == {"register", "unregister", "wake", "status"}
    assert list(inspect.signature(EmailSyncJob).parameters) == ["id", "interval", "tick"]


def test_the_signals() -> None:
    sent = {name for name in public(signals) if isinstance(getattr(signals, name), NamedSignal)}
    assert sent == {
        "settings_saved",
        "email_sync_enabled",
        "email_sync_disabled",
        "mailbox_connected",
        "mailbox_disconnected",
        "reconnect_needed",
        "tokens_held",
        "message_synced",
        "run_finished",
        "audit_event",
        "secret_expiring",
        "mailbox_overdue",
        "mailbox_failing",
        "mailbox_healed",
    }


TABLES = {
    "Setting": "key value sealed changed_at changed_by",
    "Connection": "id user_id tid oid",
    "Mailbox": "id address upn kind owner_id state label",
    "Folder": "id mailbox_id graph_id name parent_id well_known_name selected",
    "Message": "id mailbox_id folder_id graph_id internet_message_id conversation_id subject from_name from_address "
    "sender_name sender_address recipients received_at sent_at is_read is_draft importance flag_status categories "
    "has_attachments preview body_content_type body change_key removed_at removed_reason web_link",
    "Attachment": "id message_id graph_id name content_type size kind is_inline content_id content_stored_at",
    "AttachmentContent": "attachment_id content",
    "SetAside": "mailbox_id folder_id graph_id code subject received_at attempts first_at next_try_at",
    "SyncRun": "id mailbox_id",
    "AuditEvent": "id",
    "OAuthFlow": "id",
}


@pytest.mark.parametrize("name", TABLES)
def test_the_columns_that_hosts_query(name: str) -> None:
    columns = set(getattr(models, name).__table__.columns.keys())
    assert set(TABLES[name].split()) - columns == set()


def test_the_keys_in_app_config() -> None:
    assert set(config.DEFAULTS) >= {
        "MS365_URL_PREFIX",
        "MS365_PUBLIC_BASE_URL",
        "MS365_ENCRYPTION_KEYS",
        "MS365_ENCRYPTION_KEYS_FILE",
        "MS365_LOCKED_SETTINGS",
        "MS365_AUTHORITY_URL",
        "MS365_GRAPH_URL",
        "MS365_JOB_HOOK",
        "MS365_BASE_TEMPLATE",
        "MS365_LEASE_SECONDS",
        "MS365_SHOW_SECRET_PREFIX",
    }
    keys = {spec.key for spec in CATALOG}
    assert keys >= {"client_id", "client_secret", "tenant_id", "cloud", "email_sync", "sync_interval"}


def commands(group: click.Group, prefix: str = "") -> set[str]:
    found: set[str] = set()
    for name, command in group.commands.items():
        found |= commands(command, f"{prefix}{name} ") if isinstance(command, click.Group) else {prefix + name}
    return found


def test_the_commands() -> None:
    assert commands(ms365_cli) == {
        "sync",
        "worker",
        "status",
        "check",
        "settings list",
        "settings get",
        "settings set",
        "settings unset",
        "export",
        "mailboxes list",
        "mailboxes pause",
        "mailboxes resume",
        "mailboxes restart",
        "mailboxes believe",
        "mailboxes retry",
        "keys check",
        "keys forget",
        "keys generate",
        "keys rotate",
    }


# endpoint -> values, methods, path
ENDPOINTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "overview": ({}, "GET", "/"),
    "settings": ({}, "GET POST", "/settings"),
    "settings_remove_secret": ({}, "GET POST", "/settings/remove-secret"),
    "settings_remove_certificate": ({}, "GET POST", "/settings/remove-certificate"),
    "settings_certificate": ({}, "GET POST", "/settings/certificate"),
    "settings_certificate_pem": ({}, "GET", "/settings/certificate.pem"),
    "settings_reset": ({}, "GET POST", "/settings/reset"),
    "dismiss": ({}, "POST", "/dismiss"),
    "setup": ({}, "GET", "/setup"),
    "setup_consent": ({}, "POST", "/setup/consent"),
    "check": ({}, "GET POST", "/check"),
    "my_email": ({}, "GET", "/my-email"),
    "my_email_connect": ({}, "POST", "/my-email/connect"),
    "my_email_disconnect": ({}, "GET POST", "/my-email/disconnect"),
    "mailboxes": ({}, "GET", "/mailboxes"),
    "mailbox_new": ({}, "GET POST", "/mailboxes/new"),
    "mailbox": ({"mailbox_id": 7}, "GET", "/mailboxes/7"),
    "mailboxes_selected": ({}, "POST", "/mailboxes/selected"),
    "mailboxes_live": ({}, "GET", "/mailboxes/live"),
    "mailbox_live": ({"mailbox_id": 7}, "GET", "/mailboxes/7/live"),
    "mailbox_edit": ({"mailbox_id": 7}, "GET POST", "/mailboxes/7/edit"),
    "mailbox_process": ({"mailbox_id": 7}, "GET POST", "/mailboxes/7/process"),
    "mailbox_connect": ({"mailbox_id": 7}, "POST", "/mailboxes/7/connect"),
    "mailbox_check": ({"mailbox_id": 7}, "POST", "/mailboxes/7/check"),
    "mailbox_sync": ({"mailbox_id": 7}, "POST", "/mailboxes/7/sync"),
    "mailbox_pause": ({"mailbox_id": 7}, "POST", "/mailboxes/7/pause"),
    "mailbox_resume": ({"mailbox_id": 7}, "POST", "/mailboxes/7/resume"),
    "mailbox_restart": ({"mailbox_id": 7}, "GET POST", "/mailboxes/7/restart"),
    "mailbox_folders": ({"mailbox_id": 7}, "GET POST", "/mailboxes/7/folders"),
    "folder_delete": ({"mailbox_id": 7, "folder_id": 9}, "GET POST", "/mailboxes/7/folders/9/delete"),
    "folder_believe": ({"mailbox_id": 7, "folder_id": 9}, "POST", "/mailboxes/7/folders/9/believe"),
    "mailbox_retry": ({"mailbox_id": 7}, "POST", "/mailboxes/7/retry"),
    "mailbox_skip": ({"mailbox_id": 7}, "POST", "/mailboxes/7/skip"),
    "mailbox_disconnect": ({"mailbox_id": 7}, "GET POST", "/mailboxes/7/disconnect"),
    "oauth_callback": ({}, "GET POST", "/oauth/callback"),
    "sign_in": ({}, "GET POST", "/sign-in"),
    "messages": ({}, "GET", "/messages"),
    "message": ({"message_id": 7}, "GET", "/messages/7"),
    "message_body": ({"message_id": 7}, "GET", "/messages/7/body"),
    "message_inline": ({"message_id": 7, "content_id": "logo@contoso"}, "GET", "/messages/7/inline/logo@contoso"),
    "message_eml": ({"message_id": 7}, "GET", "/messages/7.eml"),
    "attachment": ({"attachment_id": 7}, "GET", "/attachments/7"),
    "audit": ({}, "GET", "/audit"),
    "audit_csv": ({}, "GET", "/audit.csv"),
    "health_live": ({}, "GET", "/health/live"),
    "health_ready": ({}, "GET", "/health/ready"),
    "metrics": ({}, "GET", "/metrics"),
    "gallery": ({}, "GET", "/_gallery"),
}


@pytest.mark.parametrize("name", ENDPOINTS)
def test_the_endpoints(host: Host, name: str) -> None:
    values, methods, path = ENDPOINTS[name]
    with host.app.test_request_context():
        assert url_for(f"ms365.{name}", **values) == f"/ms365{path}"
    answered = {method for rule in host.app.url_map.iter_rules(f"ms365.{name}") for method in rule.methods or ()}
    assert answered - {"HEAD", "OPTIONS"} == set(methods.split())


def test_there_are_no_other_endpoints(host: Host) -> None:
    ours = {rule.endpoint for rule in host.app.url_map.iter_rules() if rule.endpoint.startswith("ms365.")}
    assert ours - {"ms365.static"} == {f"ms365.{name}" for name in ENDPOINTS}
