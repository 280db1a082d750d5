"""Certificates for tests, made once a run: a key of 2,048 bits takes longer than most tests."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from functools import cache

from flask_ms365.identity.certificate import new_certificate, read_certificate


@cache
def certificate(name: str = "Host", *, days: int = 365) -> str:
    """Return a private key with its certificate, as PEM, valid for ``days`` from now."""
    return new_certificate(name, now=datetime.now(timezone.utc), days=days)


@cache
def expired_certificate() -> str:
    """Return one whose year was over last month."""
    return new_certificate("Expired", now=datetime.now(timezone.utc) - timedelta(days=395), days=365)


def public_half(pem: str) -> str:
    """Return what is uploaded in Entra."""
    return read_certificate(pem).public_pem


def private_half(pem: str) -> str:
    """Return the key alone."""
    return read_certificate(pem).private_pem
