"""Where templates/ and static/ are: inside the package once it is installed from a wheel, else beside it."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).parent


def folder(name: str) -> str:
    """Return the path of the shipped folder ``name``."""
    shipped = _PACKAGE / name
    return str(shipped if shipped.is_dir() else _PACKAGE.parent / name)


@cache
def fingerprint(filename: str) -> str:
    """Return a short hash of a static file's content, so that browsers may keep it for ever."""
    return hashlib.sha256(Path(folder("static"), filename).read_bytes()).hexdigest()[:12]
