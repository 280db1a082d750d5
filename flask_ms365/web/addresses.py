"""Addresses of our pages outside of a request: for messages that people read elsewhere."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Flask


def page_address(app: Flask, base_url: str | None, endpoint: str, **values: int) -> str:
    """Return the address of a page below ``base_url``, the app's own; its path where none is known."""
    parts = urlsplit(base_url or "")
    mount = next(name for name in app.blueprints if name.rpartition(".")[2] == "ms365")
    urls = app.url_map.bind(parts.netloc or "localhost", parts.path or None, url_scheme=parts.scheme or "https")
    return urls.build(f"{mount}.{endpoint}", values, force_external=bool(base_url))
