"""Every way that a sign-in to the host may fail: on a page of ours in plain words, or as the host's own error."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from flask import abort
from flask.typing import ResponseReturnValue

from flask_ms365 import Identity, MS365Error
from flask_ms365.models import OAuthFlow
from flask_ms365.simulator import User
from tests.conftest import Clock
from tests.visitor import controls, path_of, sign_in_at_microsoft
from tests.web.door import BUTTON, SIGN_IN, Door


def test_a_refusal_of_microsofts_is_told_with_the_next_step(door: Door, ana: User) -> None:
    visitor = door.host.visitor()
    back = sign_in_at_microsoft(door.begin(visitor).headers["Location"], ana, action="cancel")
    page = door.page_after(visitor, path_of(back))
    assert ("Not signed in" in page, "65004" in page, BUTTON in page) == (True, True, True)


def test_an_approval_that_is_missing_is_told(door: Door) -> None:
    visitor = door.host.visitor()
    state = parse_qs(urlsplit(door.begin(visitor).headers["Location"]).query)["state"][0]
    query = f"error=access_denied&error_description=AADSTS90094:+Admin+consent&state={state}"
    assert "An admin must approve this app" in door.page_after(visitor, f"/ms365/oauth/callback?{query}")


def test_another_browser_cannot_finish_it(door: Door, ana: User) -> None:
    """Nobody is signed in as somebody else by a link that they were sent."""
    back = sign_in_at_microsoft(door.begin(door.host.visitor()).headers["Location"], ana)
    assert "in another browser" in door.page_after(door.host.visitor(), path_of(back))
    assert door.told == []


def test_the_same_answer_twice_signs_in_once(door: Door, ana: User) -> None:
    """fault 4"""
    visitor = door.host.visitor()
    back = path_of(sign_in_at_microsoft(door.begin(visitor).headers["Location"], ana))
    visitor.get(back)
    assert "was finished already" in door.page_after(visitor, f"{back}&ms365_again=1")
    assert len(door.told) == 1


def test_ten_minutes_are_enough(door: Door, ana: User, clock: Clock) -> None:
    """fault 6"""
    visitor = door.host.visitor()
    back = sign_in_at_microsoft(door.begin(visitor).headers["Location"], ana)
    clock.advance(minutes=11)
    assert "longer than 10 minutes" in door.page_after(visitor, path_of(back))


@pytest.mark.parametrize("changes", [{"sign_in": "0"}, {"tenant_id": "common"}])
def test_switched_off_in_between_it_ends(door: Door, ana: User, changes: dict[str, str]) -> None:
    visitor = door.host.visitor()
    back = sign_in_at_microsoft(door.begin(visitor).headers["Location"], ana)
    door.save(**changes)
    page = door.page_after(visitor, path_of(back))
    assert ("was switched off" in page, BUTTON in page, door.told) == (True, False, [])


def test_a_page_that_was_open_too_long_gives_a_fresh_button(door: Door) -> None:
    visitor = door.host.visitor()
    page = visitor.post(SIGN_IN, data={"csrf_token": "expired", "next": "/desk"})
    assert "open too long" in page.text
    assert visitor.post(SIGN_IN, data=controls(page.text)).headers["Location"].startswith("http")
    assert [flow.next_path for flow in door.all(OAuthFlow)] == ["/desk"]


def test_the_page_of_a_failure_shows_nothing_else(door: Door) -> None:
    page = door.host.visitor().get(f"{SIGN_IN}?outcome=state").text
    assert ("was finished already" in page, "ms365-nav" in page) == (True, False)


# the host's own errors


def broken(_: Identity) -> None:
    raise LookupError("there is no such person")


def test_an_error_of_the_handler_is_the_hosts(door: Door, ana: User, caplog: pytest.LogCaptureFixture) -> None:
    door.answer, door.host.app.config["PROPAGATE_EXCEPTIONS"] = broken, False
    answer = door.arrive(ana)
    assert (answer.status_code, "there is no such person" in caplog.text) == (500, True)


def test_the_host_sees_its_own_error(door: Door, ana: User) -> None:
    seen: list[Exception] = []

    @door.host.app.errorhandler(LookupError)
    def sorry(error: LookupError) -> ResponseReturnValue:
        seen.append(error)
        return "Sorry", 500

    door.answer = broken
    assert (door.arrive(ana).text, len(seen)) == ("Sorry", 1)


def test_a_host_may_refuse(door: Door, ana: User) -> None:
    door.answer = lambda _: abort(403)
    assert door.arrive(ana).status_code == 403


def test_an_error_of_ours_inside_the_handler_is_the_hosts_too(door: Door, ana: User) -> None:
    def ours(_: Identity) -> None:
        raise MS365Error

    door.answer = ours
    with pytest.raises(MS365Error):
        door.arrive(ana)
