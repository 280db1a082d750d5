"""The commands that limit an app to some mailboxes, as PowerShell and Exchange would read them."""

from __future__ import annotations

import re

import pytest

from flask_ms365.identity.clouds import CLOUDS
from flask_ms365.identity.exchange_rbac import MailboxScope

CLIENT_ID = "7b1f9c1e-54d0-4c6a-9e5b-0c6d1f6a2b3c"
HOSTILE = [
    "o'brien@contoso.example",
    "';Remove-Mailbox x;'@contoso.example",
    "\u2019;Remove-Mailbox x;\u2018@contoso.example",
    "$(Get-Date)`n@contoso.example",
]


def scope(*addresses: str, cloud: str = "global", tenant: str = "") -> MailboxScope:
    return MailboxScope(client_id=CLIENT_ID, addresses=addresses, cloud=CLOUDS[cloud], tenant=tenant)


def strings_of(command: str) -> list[str]:
    """Return the single-quoted strings of a line of PowerShell; what stands between them must be plain."""
    quotes = "'\u2018\u2019\u201a\u201b"
    found = re.findall(f"[{quotes}]((?:[^{quotes}]|([{quotes}])\\2)*)[{quotes}]", command)
    rest = re.sub(f"[{quotes}](?:[^{quotes}]|([{quotes}])\\1)*[{quotes}]", "", command)
    assert re.fullmatch(r"[A-Za-z0-9 $.=-]*", rest), rest
    return [re.sub(f"([{quotes}])\\1", r"\1", text) for text, _ in found]


def test_the_commands_name_app_scope_role_and_test_in_this_order() -> None:
    commands = scope("support@contoso.example").first_time.splitlines()
    assert [line.split()[0] for line in commands] == [
        "Connect-MgGraph",
        "$app",
        "Connect-ExchangeOnline",
        "New-ServicePrincipal",
        "New-ManagementScope",
        "New-ManagementRoleAssignment",
        "Test-ServicePrincipalAuthorization",
    ]
    assert f"-App '{CLIENT_ID}' -Role 'Application Mail.Read'" in commands[5]


def test_exchange_gets_the_object_id_of_the_enterprise_application() -> None:
    commands = scope("support@contoso.example").first_time
    assert f"Get-MgServicePrincipal -Filter 'appId eq ''{CLIENT_ID}'''" in commands
    assert "New-ServicePrincipal -AppId $app.AppId -ObjectId $app.Id" in commands


def test_every_mailbox_is_in_the_scope_and_is_tested() -> None:
    commands = scope("support@contoso.example", "sales@contoso.example").first_time
    wanted = "PrimarySmtpAddress -eq 'support@contoso.example' -or PrimarySmtpAddress -eq 'sales@contoso.example'"
    assert wanted in strings_of(commands.splitlines()[4])
    assert commands.count("Test-ServicePrincipalAuthorization") == 2


@pytest.mark.parametrize("address", HOSTILE)
def test_an_address_stays_one_value_for_powershell_and_for_the_filter(address: str) -> None:
    commands = scope(address).first_time.splitlines()
    filter_text = strings_of(commands[4])[-1]
    assert filter_text == "PrimarySmtpAddress -eq '" + address.replace("'", "''") + "'"
    assert strings_of(commands[-1]) == [CLIENT_ID, address]


def test_later_only_the_scope_is_changed() -> None:
    commands = scope("support@contoso.example").once_more
    assert "Set-ManagementScope -Identity" in commands
    assert "New-" not in commands


@pytest.mark.parametrize(
    ("cloud", "graph", "exchange"),
    [
        ("global", "Global", "O365Default"),
        ("usgov", "USGov", "O365USGovGCCHigh"),
        ("usgov_dod", "USGovDoD", "O365USGovDoD"),
        ("china", "China", "O365China"),
    ],
)
def test_each_cloud_has_its_own_doors(cloud: str, graph: str, exchange: str) -> None:
    commands = scope("support@contoso.example", cloud=cloud, tenant="contoso.example").first_time
    assert f"Connect-MgGraph -Environment {graph} -TenantId 'contoso.example'" in commands
    assert f"Connect-ExchangeOnline -ExchangeEnvironmentName {exchange}\n" in commands
