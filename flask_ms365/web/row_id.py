"""Row ids in addresses."""

from __future__ import annotations

# no database takes a larger number
LARGEST_ID = 2**63 - 1


def row_id(text: str) -> int:
    """Return a row id from a query; ValueError makes Flask ignore the argument."""
    number = int(text)
    if not 0 < number <= LARGEST_ID:
        raise ValueError
    return number
