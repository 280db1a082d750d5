"""Microsoft's clouds: every address of theirs that we use, once, and which names of a host mean the same service."""

from __future__ import annotations

from dataclasses import dataclass

from flask_ms365.words import Words


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """One of Microsoft's clouds. An app is registered in one; a token of one is worth nothing in another."""

    key: str
    label: str
    # origins: the sign-in service (authorize, token and admin consent), Microsoft Graph, the admin center
    login: str
    graph: str
    portal: str
    # where people see what they allowed, and take it back
    my_apps: str
    # what another provider's token must be made for, to serve as a federated credential
    token_audience: str
    # other names of the sign-in service
    aliases: tuple[str, ...] = ()

    @property
    def logins(self) -> tuple[str, ...]:
        """The origins of the sign-in service, under each of its names."""
        return self.login, *self.aliases


CLOUDS: dict[str, Cloud] = {
    cloud.key: cloud
    for cloud in (
        Cloud(
            key="global",
            label=Words("Global (also GCC)"),
            login="https://login.microsoftonline.com",
            graph="https://graph.microsoft.com",
            portal="https://entra.microsoft.com",
            my_apps="https://myapps.microsoft.com",
            token_audience="api://AzureADTokenExchange",
            aliases=("https://login.windows.net", "https://login.microsoft.com", "https://sts.windows.net"),
        ),
        Cloud(
            key="usgov",
            label=Words("US Government (GCC High)"),
            login="https://login.microsoftonline.us",
            graph="https://graph.microsoft.us",
            portal="https://portal.azure.us",
            my_apps="https://myapps.microsoft.us",
            token_audience="api://AzureADTokenExchangeUSGov",
            aliases=("https://login.usgovcloudapi.net",),
        ),
        Cloud(
            key="usgov_dod",
            label=Words("US Government (DoD)"),
            login="https://login.microsoftonline.us",
            graph="https://dod-graph.microsoft.us",
            portal="https://portal.azure.us",
            my_apps="https://myapps.microsoft.us",
            token_audience="api://AzureADTokenExchangeUSGov",
            aliases=("https://login.usgovcloudapi.net",),
        ),
        Cloud(
            key="china",
            label=Words("China (21Vianet)"),
            login="https://login.partner.microsoftonline.cn",
            graph="https://microsoftgraph.chinacloudapi.cn",
            portal="https://portal.azure.cn",
            my_apps="https://account.activedirectory.windowsazure.cn/r#/applications",
            token_audience="api://AzureADTokenExchangeChina",
            aliases=("https://login.chinacloudapi.cn",),
        ),
    )
}


def origin_of(url: str) -> str:
    """Return scheme and host of an address, as written: what is no plain address is the origin of nothing."""
    scheme, separator, rest = url.partition("://")
    return scheme + separator + rest.partition("/")[0]


def is_same_service(origin: str, other: str) -> bool:
    """Tell whether two origins of sign-in services are one service, whatever name it goes by."""
    return origin == other or any({origin, other} <= set(cloud.logins) for cloud in CLOUDS.values())


def cloud_of(login: str, *, settings: str) -> Cloud:
    """Return the cloud that ``login`` signs in to; where several do, or none is known, that of the settings."""
    homes = [cloud for cloud in CLOUDS.values() if login in cloud.logins]
    return CLOUDS[settings] if not homes or CLOUDS[settings] in homes else homes[0]
