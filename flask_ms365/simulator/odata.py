"""The query options and preferences of a Graph request."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone

from werkzeug.datastructures import MultiDict

from .delta import DeltaQuery
from .errors import GraphError, invalid_query
from .message import ContentType

_PREFERENCE = re.compile(r'([\w.-]+)\s*=\s*(?:"([^"]*)"|([^",;\s]+))')
_RECEIVED = re.compile(r"receivedDateTime\s+(ge|gt|le|lt)\s+([0-9T:.Z+-]+)", re.IGNORECASE)


@dataclass(frozen=True)
class Prefer:
    """What the Prefer header asks for, and what of it Graph says it applied."""

    immutable: bool = False
    body: ContentType | None = None
    max_page_size: int | None = None

    @classmethod
    def of(cls, header: str) -> Prefer:
        """Read the header; what it does not know is ignored, as Graph does."""
        wanted = {name.lower(): quoted or bare for name, quoted, bare in _PREFERENCE.findall(header)}
        body = wanted.get("outlook.body-content-type", "").lower()
        size = wanted.get("odata.maxpagesize", "")
        return cls(
            immutable=wanted.get("idtype", "").lower() == "immutableid",
            body="text" if body == "text" else "html" if body == "html" else None,
            max_page_size=int(size) if size.isdigit() and int(size) > 0 else None,
        )

    def applied(self, *, immutable_ids: bool) -> str:
        """The Preference-Applied header."""
        parts = ["IdType=ImmutableId"] if self.immutable and immutable_ids else []
        if self.body:
            parts.append(f'outlook.body-content-type="{self.body}"')
        if self.max_page_size:
            parts.append(f"odata.maxpagesize={self.max_page_size}")
        return ", ".join(parts)


def number(args: MultiDict[str, str], name: str, default: int, least: int = 1, most: int = 1000) -> int:
    """A numeric option such as $top."""
    text = args.get(name)
    if text is None:
        return default
    if not text.isdigit() or int(text) < least:
        raise invalid_query(f"Invalid value '{text}' for {name} query option found.")
    return min(int(text), most)


def selected(args: MultiDict[str, str]) -> list[str] | None:
    """The properties of $select; None is the default set."""
    text = args.get("$select")
    return [name.strip() for name in text.split(",") if name.strip()] if text else None


def wants_hidden(args: MultiDict[str, str]) -> bool:
    """Whether hidden folders are asked for."""
    return args.get("includeHiddenFolders", "").lower() == "true"


def delta_query(args: MultiDict[str, str]) -> DeltaQuery:
    """The options of the first delta request."""
    for option in ("$search", "$skip", "$count"):
        if option in args:
            raise invalid_query(f"The query option {option} is not supported by delta queries.")
    names = selected(args)
    order = args.get("$orderby", "").lower()
    if order not in ("", "receiveddatetime desc"):
        raise invalid_query("Only $orderby=receivedDateTime desc is supported.")
    change_types = frozenset(args.get("changeType", "created,updated,deleted").split(","))
    return DeltaQuery(
        select=",".join(names) if names else None,
        change_type=change_types,
        received_since=_received_since(args.get("$filter")),
        newest_first=bool(order),
        top=number(args, "$top", 0, most=1_000_000) or None,
        expand="attachments" in args.get("$expand", ""),
        hidden_folders=wants_hidden(args),
    )


def _received_since(text: str | None) -> tuple[str, datetime] | None:
    if text is None:
        return None
    found = _RECEIVED.fullmatch(text.strip())
    if not found or found[1].lower() not in ("ge", "gt"):
        raise GraphError(400, "ErrorInvalidUrlQueryFilter", f"The query filter '{text}' is not supported.")
    return found[1].lower(), moment(found[2])


def moment(text: str) -> datetime:
    """A point in time of a query."""
    try:
        value = datetime.fromisoformat(re.sub(r"\.\d+", "", text).replace("Z", "+00:00"))
    except ValueError:
        raise invalid_query(f"The DateTimeOffset text '{text}' is not valid.") from None
    return value if value.tzinfo else value.replace(tzinfo=timezone.utc)
