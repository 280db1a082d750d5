"""What Prometheus is told: how it is, from a handful of statements, and what was counted over all processes.

No label names a mailbox or a person. The text itself is prometheus_client's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, time, timedelta, timezone

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from flask_ms365.heartbeat import read_heartbeats
from flask_ms365.mailboxes.overdue import overdue_before
from flask_ms365.mailboxes.status import WORDS
from flask_ms365.mailboxes.summary import Summary, count_held_tenants, summarise
from flask_ms365.models import Heartbeat
from flask_ms365.models.base import AnySession
from flask_ms365.models.counts import Counts, read_counts
from flask_ms365.settings.reminder import credential_expiry
from flask_ms365.settings.snapshot import Snapshot
from flask_ms365.sync.changes import Change
from flask_ms365.sync.report import Result

# the state of a mailbox whose app does not sync; here the switch has a number of its own
_STATES = [state for state in WORDS if state != "off"]
_A_DAY = timedelta(days=1)

# name of a counter -> what it counts, its label, and the values that are there from the start: what begins with a
# number above 0 has no increase that anybody could see
_COUNTERS: Mapping[str, tuple[str, str, Iterable[str]]] = {
    "sync_runs": ("Looks at a mailbox and runs over it, by how they ended.", "result", [str(each) for each in Result]),
    "messages": ("Messages that were stored, by what had happened to them.", "op", [each.value for each in Change]),
    "graph_requests": (
        "Requests to Microsoft Graph by the class of their status; none where no answer came.",
        "status_class",
        ("2xx", "4xx", "5xx", "none"),
    ),
    "token_refresh": (
        "Requests for access tokens, by how they ended.",
        "result",
        ("renewed", "sign_in_needed", "app_refused", "unavailable"),
    ),
    "throttled": ("Answers 429 of Microsoft Graph, those to parts of a batch too.", "", ()),
    "lease_takeovers": ("Mailboxes taken over from a process that had stopped renewing its lease.", "", ()),
    "fenced_writes": ("Writes refused since another process held the mailbox by then.", "", ()),
}


def exposition(
    session: AnySession, snapshot: Snapshot, *, is_held: bool, now: datetime, accept: str | None
) -> tuple[bytes, str]:
    """Return the text, in the format that ``accept`` asks for, and its content type; four statements.

    ``is_held`` is whether no mailbox gets new tokens.
    """
    summary = summarise(session, now=now, limit=overdue_before(snapshot, now))
    told = [
        *_of_mailboxes(summary, is_on=snapshot.is_sync_on, now=now),
        *_of_engines(read_heartbeats(session), is_on=snapshot.is_sync_on),
        *_of_credentials(snapshot, now),
        _gauge("tokens_held", "Whether Microsoft refuses the app, or asks it to wait with new tokens.", int(is_held)),
        _gauge("tenants_held", "Organisations that are to wait.", count_held_tenants(session, now=now)),
        *_counted(read_counts(session)),
    ]
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Told(told))
    encode, content_type = choose_encoder(accept or "")
    return encode(registry), content_type


class _Told(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _of_mailboxes(summary: Summary, *, is_on: bool, now: datetime) -> Iterator[Metric]:
    states = GaugeMetricFamily("ms365_mailboxes", "Mailboxes by state.", labels=["state"])
    for state in _STATES:
        states.add_metric([state], summary.counts.get(state, 0))
    yield states
    late = now - summary.waits_since if is_on and summary.waits_since else timedelta(0)
    yield _gauge(
        "mailbox_lag_seconds", "How late the mailbox is that has waited longest.", max(0.0, late.total_seconds())
    )
    yield _moment("oldest_success_timestamp", "The last success that is the longest ago.", summary.oldest_success_at)
    yield _gauge("mailboxes_overdue", "Mailboxes without a success for long.", sum(summary.overdue.values()))
    yield _gauge(
        "reconnect_needed", "Mailboxes whose owner must sign in again.", summary.counts.get("sign_in_needed", 0)
    )
    yield _gauge("leases_active", "Mailboxes that are being read.", summary.leases)


def _of_engines(beats: Iterable[Heartbeat], *, is_on: bool) -> Iterator[Metric]:
    yield _gauge("sync_on", "Whether emails sync is on.", int(is_on))
    ticks = GaugeMetricFamily("ms365_tick_last_timestamp", "When each engine ticked last.", labels=["engine"])
    for beat in beats:
        ticks.add_metric([beat.engine], beat.at.timestamp())
    yield ticks


def _of_credentials(snapshot: Snapshot, now: datetime) -> Iterator[Metric]:
    ends = credential_expiry(snapshot, now)
    # it is good until its last day is over
    over = datetime.combine(ends.expires_on + _A_DAY, time(), timezone.utc) if ends else None
    yield _moment("secret_expires_timestamp", "When the credential in use is over, where that is known.", over)
    keys = GaugeMetricFamily(
        "ms365_keys_in_use", "Encryption keys that the database needs: 1 where the key is there.", labels=["kid"]
    )
    for key_id in sorted(snapshot.key_canaries):
        keys.add_metric([key_id], int(key_id not in snapshot.missing_keys))
    yield keys


def _counted(counts: Counts) -> Iterator[Metric]:
    for name, (text, label, values) in _COUNTERS.items():
        family = CounterMetricFamily(f"ms365_{name}", text, labels=[label] if label else None)
        found = {value: count for (counter, value), count in counts.items() if counter == name}
        for value in sorted({*values, *found} if label else {""}):
            family.add_metric([value] if label else [], found.get(value, 0))
        yield family


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"ms365_{name}", text, value=value)


def _moment(name: str, text: str, at: datetime | None) -> Metric:
    """Return a moment as Prometheus counts time; without a sample where there is none."""
    return GaugeMetricFamily(f"ms365_{name}", text, value=at.timestamp() if at else None)
