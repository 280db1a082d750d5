"""Keys to the images inside a message. Its frame is sandboxed, so a browser sends no cookies with what the frame loads:
its images are asked for by nobody. A key, which is in the frame alone and holds for minutes, says who they are for.
"""

from __future__ import annotations

from datetime import timedelta

from flask import current_app, url_for
from itsdangerous import BadSignature, URLSafeSerializer

from flask_ms365.state import current_state

_LIFE = timedelta(minutes=10)


def inline_url(message_id: int, content_id: str) -> str | None:
    """Return the address of an image of a message, for those who are reading the message now.

    None for a content id that a browser would take for another place of this host.
    """
    if not {".", "..", ""}.isdisjoint(content_id.split("/")):
        return None
    until = int((current_state().clock() + _LIFE).timestamp())
    signer = _signer()
    key = signer.dumps([message_id, until]) if signer else None
    return url_for(".message_inline", message_id=message_id, content_id=content_id, key=key)


def opens(key: str, message_id: int) -> bool:
    """Tell whether ``key`` opens the images of this message, and still does."""
    signer = _signer()
    try:
        opened, until = signer.loads(key) if signer else (None, 0)
    except BadSignature:
        return False
    return bool(opened == message_id and current_state().clock().timestamp() < until)


def _signer() -> URLSafeSerializer | None:
    """Return what signs; None for a host without a secret, where anybody could."""
    secret = current_app.secret_key
    return URLSafeSerializer(secret, salt="ms365.inline") if secret else None
