"""From when on mail is read: what the setting says, and what a folder has been read for. Pure.

A folder's ``since`` is a promise: all that it holds and that was received from then on is stored. None means all mail.
It moves on with time, and back only by reading the folder again from the start.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

# clocks differ, and Graph may tell of a message a round late
_SLACK = timedelta(hours=1)
# what is stored of a mailbox of which people want all mail, whatever the settings say
ALL_MAIL = datetime(1900, 1, 1, tzinfo=timezone.utc)


def since_of(days: int, now: datetime) -> datetime | None:
    """Return from when on mail of the last ``days`` was received; 0 stands for all mail."""
    return now - timedelta(days=days) if days else None


def since_for(sync_from: datetime | None, by_settings: datetime | None) -> datetime | None:
    """Return from when on mail of a mailbox is wanted: as people chose for it, else as the settings say."""
    if sync_from is None:
        return by_settings
    return sync_from if sync_from > ALL_MAIL else None


def has_gap(since: datetime | None, wanted: datetime | None) -> bool:
    """Tell whether older mail is wanted than a folder was read for."""
    return since is not None and (wanted is None or wanted < since - _SLACK)


def moved_on(since: datetime | None, wanted: datetime | None, synced_at: datetime | None) -> datetime | None:
    """Return the ``since`` of a folder without a gap, as of now.

    It never overtakes the last reading: mail that came while nobody read must not be too old once somebody does.
    """
    if wanted is None:
        return None
    latest = min(wanted, synced_at - _SLACK) if synced_at else wanted
    return max(since, latest) if since else latest
