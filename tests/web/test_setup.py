"""The setup guide: steps that tick themselves by what was seen to work, and everything there is to copy."""

from __future__ import annotations

import html
import json
import re
from datetime import timedelta
from urllib.parse import urlencode

import pytest

from flask_ms365.identity.scopes import SCOPES
from flask_ms365.models import CheckRun, Connection
from flask_ms365.simulator import App, User
from tests.conftest import CALLBACK, Clock, Host, HostFactory
from tests.visitor import path_of, sign_in_at_microsoft
from tests.web.conftest import words

SETUP = "/ms365/setup"
CONSENT_RETURN = "/ms365/oauth/callback"
STEPS = ("register", "redirect_uri", "permissions", "consent", "credential", "check", "mailbox")
PASSED = [{"name": "credentials", "state": "passed"}, {"name": "mailbox", "state": "not_checked"}]


def progress(host: Host) -> dict[str, str]:
    """Return what the guide says of each step."""
    chips = re.findall(r'class="ms365-step-head">.*?<span class="ms365-chip.*?</span>', page(host), re.DOTALL)
    return dict(zip(STEPS, [words(chip, r"</h2>(.*)") for chip in chips], strict=True))


def page(host: Host) -> str:
    answer = host.visitor().get(SETUP)
    assert answer.status_code == 200
    return answer.text


def copied(text: str, name: str) -> str:
    """Return what the button beside the value ``name`` puts on the clipboard."""
    match = re.search(rf'<(code|pre) [^>]*id="ms365-{name}"[^>]*>(.*?)</\1>', text, re.DOTALL)
    assert match is not None
    return html.unescape(match[2])


def save(host: Host, **settings: str) -> None:
    with host.app.app_context():
        host.ms365.settings.save(settings, actor="ana")


def check(host: Host, clock: Clock, steps: list[dict[str, str]], *, is_finished: bool = True) -> None:
    """Store a run of the connection check."""
    with host.app.app_context():
        session, now = host.app.extensions["sqlalchemy"].session, clock()
        session.add(CheckRun(started_at=now, finished_at=now if is_finished else None, actor="ana", steps=steps))
        session.commit()


@pytest.fixture
def in_a_month(clock: Clock) -> str:
    return (clock() + timedelta(days=30)).date().isoformat()


def test_at_first_the_app_is_to_be_registered(host: Host) -> None:
    assert list(progress(host).values()) == ["Now", *["To do"] * 6]


def test_a_saved_client_id_is_not_yet_a_proof(host: Host, registration: App) -> None:
    save(host, client_id=registration.client_id, tenant_id="contoso.com")
    assert list(progress(host).values()) == ["Not proved yet", "Now", *["To do"] * 5]


def test_a_secret_with_its_date_ticks_its_step_and_the_check_is_next(configured: Host, in_a_month: str) -> None:
    save(configured, client_secret_expires_on=in_a_month)
    unproved = ["Not proved yet"] * 4
    assert list(progress(configured).values()) == [*unproved, "Done", "Now", "To do"]


@pytest.mark.parametrize("days", [None, -1])
def test_a_secret_without_a_day_to_come_is_not_done(configured: Host, clock: Clock, days: int | None) -> None:
    if days is not None:
        save(configured, client_secret_expires_on=(clock() + timedelta(days=days)).date().isoformat())
    assert progress(configured)["credential"] == "Now"


def test_a_passed_check_proves_the_app(configured: Host, clock: Clock) -> None:
    check(configured, clock, PASSED)
    said = progress(configured)
    assert (said["register"], said["check"], said["redirect_uri"]) == ("Done", "Done", "Not proved yet")


@pytest.mark.parametrize("steps", [[], [*PASSED, {"name": "worker", "state": "failed"}]])
def test_a_check_that_failed_or_did_nothing_is_not_done(
    configured: Host, clock: Clock, steps: list[dict[str, str]]
) -> None:
    check(configured, clock, steps)
    assert progress(configured)["check"] != "Done"


def test_a_check_under_way_proves_nothing(configured: Host, clock: Clock) -> None:
    check(configured, clock, PASSED, is_finished=False)
    assert progress(configured)["register"] == "Not proved yet"


def test_a_check_of_other_settings_proves_nothing(configured: Host, clock: Clock) -> None:
    check(configured, clock, PASSED)
    clock.advance(minutes=1)
    save(configured, tenant_id="fabrikam.com")
    said = progress(configured)
    assert (said["register"], said["check"]) == ("Not proved yet", "To do")


def test_a_sign_in_ticks_all_that_it_proves(connected: Host, clock: Clock, in_a_month: str) -> None:
    save(connected, client_secret_expires_on=in_a_month)
    assert progress(connected)["check"] == "Now"
    check(connected, clock, PASSED)
    assert set(progress(connected).values()) == {"Done"}


def test_a_sign_in_by_another_address_does_not_prove_this_one(connected: Host) -> None:
    connected.app.config["MS365_PUBLIC_BASE_URL"] = "https://moved.example"
    assert progress(connected)["redirect_uri"] == "Not proved yet"


def test_a_sign_in_of_another_app_proves_nothing(connected: Host) -> None:
    save(connected, client_id="7b1f9c1e-54d0-4c6a-9e5b-0c6d1f6a2b3c")
    said = progress(connected)
    assert {said[key] for key in ("register", "redirect_uri", "permissions", "consent")} == {"Not proved yet"}


def test_a_permission_that_was_left_out_is_told(connected: Host) -> None:
    with connected.app.app_context():
        session = connected.app.extensions["sqlalchemy"].session
        session.query(Connection).update({"granted_scopes": ["Mail.Read"]})
        session.commit()
    said = progress(connected)
    assert (said["permissions"], said["consent"]) == ("Not proved yet", "Done")


def test_exactly_one_step_is_now_until_all_are_done(configured: Host, ana: User, clock: Clock) -> None:
    assert list(progress(configured).values()).count("Now") == 1
    configured.visitor().connect(ana)
    assert list(progress(configured).values()).count("Now") == 1
    assert page(configured).count('aria-current="step"') == 1


def test_what_to_copy_is_there_with_the_redirect_uri_filled_in(configured: Host, registration: App) -> None:
    text = page(configured)
    assert copied(text, "redirect-uri") == CALLBACK
    assert copied(text, "permissions") == " ".join(SCOPES)
    assert json.loads(copied(text, "manifest"))["web"]["redirectUris"] == [CALLBACK]
    assert f"--web-redirect-uris {CALLBACK} " in copied(text, "azure-cli")
    assert f"'{CALLBACK}'" in copied(text, "powershell")
    assert f"client_id={registration.client_id}&" in copied(text, "consent")


def test_the_consent_link_waits_for_the_client_id(host: Host) -> None:
    assert "adminconsent" not in page(host)
    assert "The link needs the Application (client) ID" in page(host)


def test_the_message_for_the_admin_holds_everything(configured: Host) -> None:
    message = copied(page(configured), "request")
    for part in (CALLBACK, "platform Web", " ".join(SCOPES), "adminconsent?client_id=", "Directory (tenant) ID"):
        assert part in message
    assert "its Value, not the Secret ID, and the day it expires" in message
    assert "\n\nPlease send back:\n- Application (client) ID\n" in message


def test_links_lead_into_the_chosen_cloud(host: Host) -> None:
    for cloud, portal in (("global", "https://entra.microsoft.com/"), ("china", "https://portal.azure.cn/")):
        save(host, cloud=cloud)
        links = re.findall(r'href="(https://[^"]*#view[^"]*)"', page(host))
        assert len(links) == 4
        assert all(link.startswith(portal) for link in links)


def test_the_secret_is_nowhere_on_the_page(configured: Host, registration: App) -> None:
    assert registration.client_secret not in page(configured)


def test_only_those_who_manage_settings_see_the_guide(host: Host) -> None:
    host.permissions = {"manage_mailboxes", "own_mailbox", "read_mail"}
    assert host.visitor().get(SETUP).status_code == 403


def test_a_hostile_host_name_stays_text(make_host: HostFactory) -> None:
    host = make_host(MS365_PUBLIC_BASE_URL="https://x.example/'\"><script>alert(1)</script>$(id)")
    text = page(host)
    assert "<script>alert" not in text
    assert "$(id)" in copied(text, "azure-cli")


def test_what_comes_with_declined_consent_is_told_in_our_words(configured: Host) -> None:
    said = "AADSTS65004: <b>call 555-0199</b>"
    query = urlencode({"admin_consent": "True", "error": "consent_required", "error_description": said})
    answer = configured.visitor().get(f"{CONSENT_RETURN}?{query}")
    assert "Admin consent was not given" in answer.text
    assert "The permissions were declined." in answer.text
    assert "555-0199" not in answer.text


@pytest.mark.parametrize(("action", "told"), [("accept", "was given"), ("cancel", "was not given")])
def test_an_admin_who_is_nobody_here_can_use_the_link(configured: Host, ana: User, action: str, told: str) -> None:
    link = copied(page(configured), "consent")
    configured.user_id = None
    answer = configured.visitor().get(path_of(sign_in_at_microsoft(link, ana, action=action)))
    assert answer.status_code == 200
    assert f"Admin consent {told}" in answer.text
