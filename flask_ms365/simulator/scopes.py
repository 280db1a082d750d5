"""Scopes: what an app may ask for, and how the sign-in service writes them."""

from __future__ import annotations

from collections.abc import Iterable

from .errors import SignInError

OPENID = ("openid", "profile", "email", "offline_access")
PERMISSIONS = (
    "Mail.Read",
    "Mail.Read.Shared",
    "Mail.ReadBasic",
    "Mail.ReadBasic.Shared",
    "Mail.ReadWrite",
    "Mail.ReadWrite.Shared",
    "Mail.Send",
    "Mail.Send.Shared",
    "MailboxSettings.Read",
    "User.Read",
    "User.Read.All",
    "User.ReadBasic.All",
)
_GRAPH = (
    "https://graph.microsoft.com/",
    "https://graph.microsoft.us/",
    "https://dod-graph.microsoft.us/",
    "https://microsoftgraph.chinacloudapi.cn/",
)
_KNOWN = {name.lower(): name for name in (*OPENID, *PERMISSIONS, ".default")}

MEANINGS = {
    "Mail.Read": "Read your mail",
    "Mail.Read.Shared": "Read mail you can access",
    "Mail.ReadBasic": "Read your basic mail",
    "Mail.ReadWrite": "Read and write access to your mail",
    "Mail.ReadWrite.Shared": "Read and write mail you can access",
    "Mail.Send": "Send mail as you",
    "Mail.Send.Shared": "Send mail on behalf of others",
    "MailboxSettings.Read": "Read your mailbox settings",
    "User.Read": "Sign you in and read your profile",
    "email": "View your email address",
    "offline_access": "Maintain access to data you have given it access to",
    "openid": "Sign you in",
    "profile": "View your basic profile",
}


def parse_scopes(text: str, origin: str) -> list[str]:
    """The short names of a scope parameter, in Microsoft's spelling; anything unknown is refused."""
    names = [_short(word, origin) for word in text.split()]
    if ".default" in names and set(names) - {".default", *OPENID}:
        raise SignInError(70011, scope=text)
    return list(dict.fromkeys(names))


def consented_to(scopes: Iterable[str]) -> set[str]:
    """What a consent to these scopes covers: `.default` is all that the registration lists."""
    wanted = set(scopes)
    return wanted | set(PERMISSIONS) if ".default" in wanted else wanted


def granted_scope(scopes: Iterable[str]) -> str:
    """The scope of a token answer: short names, without offline_access."""
    wanted = set(scopes)
    names = [name for name in PERMISSIONS if name in wanted]
    return " ".join([*names, *(name for name in ("profile", "openid", "email") if name in wanted)])


def _short(word: str, origin: str) -> str:
    name = word
    for resource in (*_GRAPH, f"{origin}/"):
        name = name.removeprefix(resource).lstrip("/") if word.lower().startswith(resource) else name
    if "://" in name:
        raise SignInError(500011, resource=word.rpartition("/")[0], tenant="Contoso")
    if name.lower() not in _KNOWN:
        raise SignInError(70011, scope=word)
    return _KNOWN[name.lower()]
