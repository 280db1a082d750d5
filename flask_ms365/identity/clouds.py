"""Microsoft's clouds, and the addresses that follow from a cloud and a tenant."""

from __future__ import annotations

from dataclasses import dataclass

from flask_ms365.words import Words


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """One of Microsoft's clouds. An app is registered in one; a token of one is worth nothing in another."""

    key: str
    label: str
    login: str
    graph: str
    portal: str


CLOUDS: dict[str, Cloud] = {
    cloud.key: cloud
    for cloud in (
        Cloud(
            key="global",
            label=Words("Global (also GCC)"),
            login="https://login.microsoftonline.com",
            graph="https://graph.microsoft.com",
            portal="https://entra.microsoft.com",
        ),
        Cloud(
            key="usgov",
            label=Words("US Government (GCC High)"),
            login="https://login.microsoftonline.us",
            graph="https://graph.microsoft.us",
            portal="https://portal.azure.us",
        ),
        Cloud(
            key="usgov_dod",
            label=Words("US Government (DoD)"),
            login="https://login.microsoftonline.us",
            graph="https://dod-graph.microsoft.us",
            portal="https://portal.azure.us",
        ),
        Cloud(
            key="china",
            label=Words("China (21Vianet)"),
            login="https://login.partner.microsoftonline.cn",
            graph="https://microsoftgraph.chinacloudapi.cn",
            portal="https://portal.azure.cn",
        ),
    )
}
