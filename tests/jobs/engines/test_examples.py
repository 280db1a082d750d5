"""Each engine of docs/engines.md, in real processes: it ticks, it obeys the switch, and it may be called by anybody."""

from __future__ import annotations

import pytest

from flask_ms365.simulator import Mailbox
from tests.jobs.engines.conftest import Example

pytestmark = [pytest.mark.slow, pytest.mark.service]


def test_mail_arrives_while_the_switch_is_on_and_none_while_it_is_off(example: Example, mailbox: Mailbox) -> None:
    mailbox.deliver(subject="By the schedule")
    example.start()
    example.started.until(lambda: example.subjects() == ["By the schedule"])

    example.toggle(False)
    mailbox.deliver(subject="While it was off")
    example.make_due()
    before = example.ticked_at()
    example.call("hook.wake()")
    example.started.until(lambda: example.ticked_at() != before)
    assert example.subjects() == ["By the schedule"]

    example.toggle(True)
    example.started.until(lambda: len(example.subjects()) == 2)


def test_every_method_may_be_called_twice_and_from_any_process(example: Example) -> None:
    calls = "hook.register(job), hook.register(job), hook.unregister(job), hook.unregister(job), hook.wake(1)"
    example.start()
    example.call(calls)
    before = example.ticked_at()
    example.call(calls)
    example.started.until(lambda: example.ticked_at() != before)
    engine, _, is_registered = example.call("print(hook.status().engine, hook.status().is_registered)").partition(" ")
    assert (engine, is_registered) == (example.name, "True")
