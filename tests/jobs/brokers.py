"""Brokers for tests: each test has one for itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.services import need


@contextmanager
def own_redis() -> Iterator[str]:
    """Yield the address of an empty database of the Redis that nobody else uses; it is emptied at the end."""
    url = need("redis").rpartition("/")[0]
    from redis import Redis

    for number in range(1, 16):
        with Redis.from_url(f"{url}/{number}") as redis:
            # what a killed run left behind is free after a while
            if redis.set("ms365-test", os.getpid(), nx=True, ex=600):
                yield f"{url}/{number}"
                redis.flushdb()
                return
    pytest.fail("all databases of the Redis are in use")
