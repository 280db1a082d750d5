"""Names and types that came with somebody's mail, made harmless for headers and for every file system."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath

_UNNAMED = "attachment"
_ANY_TYPE = "application/octet-stream"
_LONGEST = 200  # bytes; file systems take 255, and programs add " (2)" and the like
_LONGEST_SUFFIX = 20
# control characters, what reverses or hides text, half characters, line ends
_INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_FORBIDDEN = str.maketrans(dict.fromkeys('<>:"|?*', "_"))  # on Windows
_DEVICE = re.compile(r"(?:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(?:COM|LPT)[0-9¹²³])[ ]*(?:\..*)?", re.IGNORECASE)
_TYPE = re.compile(r"[A-Za-z0-9][\w.+-]{0,63}/[A-Za-z0-9][\w.+-]{0,126}", re.ASCII)
_SUFFIXES = {"message/rfc822": ".eml", "text/vcard": ".vcf", "text/calendar": ".ics"}


def safe_name(name: str | None, *, suffix: str = "") -> str:
    """Return a plain file name: no path, nothing invisible, no device of Windows, and not too long.

    ``suffix`` is what it must end with. What it tells of the content is not to be believed.
    """
    shown = "".join(each for each in name or "" if unicodedata.category(each) not in _INVISIBLE)
    parts = (part.strip(". ") for part in re.split(r"[/\\]", shown.translate(_FORBIDDEN)))
    plain = "_".join(filter(None, parts)) or _UNNAMED
    if not plain.lower().endswith(suffix):
        plain += suffix
    return _shortened(f"_{plain}" if _DEVICE.fullmatch(plain) else plain)


def safe_type(content_type: str | None) -> str:
    """Return a media type without parameters; what is none is bytes of any kind."""
    plain = (content_type or "").partition(";")[0].strip()
    return plain.lower() if _TYPE.fullmatch(plain) else _ANY_TYPE


def item_type(first: bytes) -> str:
    """Tell by its first bytes what an attached item comes as; Microsoft calls all of them text."""
    start = first.lstrip()[:16].upper()
    if start.startswith(b"BEGIN:VCARD"):
        return "text/vcard"
    return "text/calendar" if start.startswith(b"BEGIN:VCALENDAR") else "message/rfc822"


def suffix_of(content_type: str) -> str:
    """Return what the names of items of this type end with."""
    return _SUFFIXES.get(content_type, "")


def _shortened(name: str) -> str:
    suffix = PurePosixPath(name).suffix
    kept = suffix if len(suffix.encode()) <= _LONGEST_SUFFIX else ""
    stem = name.removesuffix(kept).encode()[: _LONGEST - len(kept.encode())]
    return stem.decode(errors="ignore").rstrip(". ") + kept
