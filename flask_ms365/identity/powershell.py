"""PowerShell: how a value is quoted for it, and what Microsoft's modules call a cloud."""

from __future__ import annotations

# cloud -> Connect-MgGraph -Environment, Connect-ExchangeOnline -ExchangeEnvironmentName
GRAPH_ENVIRONMENTS = {"global": "Global", "usgov": "USGov", "usgov_dod": "USGovDoD", "china": "China"}
EXCHANGE_ENVIRONMENTS = {
    "global": "O365Default",
    "usgov": "O365USGovGCCHigh",
    "usgov_dod": "O365USGovDoD",
    "china": "O365China",
}


def quoted(text: str) -> str:
    """Return ``text`` as a string of PowerShell, where typographic quotes end one as well."""
    for quote in "'\u2018\u2019\u201a\u201b":
        text = text.replace(quote, quote * 2)
    return f"'{text}'"
