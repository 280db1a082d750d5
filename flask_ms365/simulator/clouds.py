"""Microsoft's clouds: what discovery says about each, and which of them know of each other's tenants."""

from __future__ import annotations

from typing import Literal, NamedTuple

CloudKey = Literal["global", "usgov", "usgov_dod", "china"]


class Cloud(NamedTuple):
    """A cloud, in the words of a discovery document. `name` is how AADSTS90038 writes it."""

    name: str
    login_host: str
    cloud_instance_name: str
    cloud_graph_host_name: str
    msgraph_host: str
    region_scope: str | None
    region_sub_scope: str | None = None

    def knows_tenants_of(self, other: Cloud) -> bool:
        """Whether its discovery answers for tenants of the other; China stands alone."""
        stands_alone = CLOUDS["china"]
        return self == other or stands_alone not in (self, other)


CLOUDS: dict[str, Cloud] = {
    "global": Cloud(
        "MicrosoftOnline.COM",
        "login.microsoftonline.com",
        "microsoftonline.com",
        "graph.windows.net",
        "graph.microsoft.com",
        "EU",
    ),
    "usgov": Cloud(
        "MicrosoftOnline.US",
        "login.microsoftonline.us",
        "microsoftonline.us",
        "graph.windows.net",
        "graph.microsoft.us",
        "USGov",
        "DODCON",
    ),
    "usgov_dod": Cloud(
        "MicrosoftOnline.US",
        "login.microsoftonline.us",
        "microsoftonline.us",
        "graph.windows.net",
        "dod-graph.microsoft.us",
        "USGov",
        "DOD",
    ),
    "china": Cloud(
        "PartnerMicrosoftOnline.CN",
        "login.partner.microsoftonline.cn",
        "partner.microsoftonline.cn",
        "graph.chinacloudapi.cn",
        "microsoftgraph.chinacloudapi.cn",
        None,
    ),
}
