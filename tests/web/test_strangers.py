"""Nothing of a mailbox is ever served to a stranger: every route, asked by everybody whose it is not."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import render_template_string
from sqlalchemy import select

from flask_ms365.models import Attachment, Folder, Mailbox, Message, Reader, SetAside
from flask_ms365.simulator import Attachment as File
from flask_ms365.simulator import Simulator, User
from flask_ms365.state import current_state
from flask_ms365.web.blueprint import ROUTES
from tests.conftest import Clock, Host
from tests.identity.conftest import session_of
from tests.web.conftest import main
from tests.web.walk import PREFIX, Somebody, Step, Things, walk

PNG = b"\x89PNG\r\n\x1a\n" + b"stoat in a picture"

# what only those may see who read Ana's mail, and the team's
ANAS_MAIL = ["wombat", "heron", "otter", "puffin", "lynx", "stoat", "badger", "marten"]
TEAMS_MAIL = ["walrus", "ibis", "egret", "gannet", "ocelot", "weasel", "pelican"]
# that they have a mailbox here at all, and what it is called
NAMES = ["ana@contoso.example", "falcon"]
ANA = Somebody(
    name="ana",
    user_id="ana",
    permissions=frozenset({"own_mailbox", "read_mail", "manage_mailboxes", "manage_settings"}),
)

EVERYTHING = [*ANAS_MAIL, *TEAMS_MAIL, *NAMES]
STRANGERS = [
    (Somebody(name="another user", user_id="kim", permissions=frozenset({"own_mailbox", "read_mail"})), EVERYTHING),
    (Somebody(name="reads the team's mail", user_id="kim", permissions=frozenset({"read_mail"})), EVERYTHING),
    (Somebody(name="has a mailbox", user_id="kim", permissions=frozenset({"own_mailbox"})), EVERYTHING),
    (Somebody(name="signed out", user_id=None, permissions=frozenset()), EVERYTHING),
    (
        Somebody(name="nobody, but let in", user_id=None, permissions=frozenset({"own_mailbox", "read_mail"})),
        EVERYTHING,
    ),
    # who manages mailboxes sees that Ana has one, and how it is; not what is in it
    (Somebody(name="admin", user_id="eve", permissions=ANA.permissions), ANAS_MAIL),
    (
        Somebody(
            name="admin who reads no mail",
            user_id="eve",
            permissions=frozenset({"manage_mailboxes", "manage_settings"}),
        ),
        [*ANAS_MAIL, *TEAMS_MAIL],
    ),
]
everybody = pytest.mark.parametrize(("who", "secrets"), STRANGERS, ids=[who.name for who, _ in STRANGERS])

# how a mailbox is, and the buttons for that, are there for whoever manages mailboxes, also of a person's
SEEN_BY_ADMINS = {"mailbox", "mailbox_live", "mailbox_sync", "mailbox_pause", "mailbox_resume"}
BUTTONS = frozenset((route.endpoint, "POST") for route in ROUTES)
# one that changes nothing: the process that every walk names is tried on the newest mail
TRY = frozenset({("mailbox_process", "POST")})
ADMINS_BUTTONS = frozenset((endpoint, "POST") for endpoint in SEEN_BY_ADMINS)


def deliver(user: User, animals: list[str], word: str) -> None:
    """Put a message into a mailbox that has an animal in each of its parts, and a word to be searched for."""
    subject, sender, recipient, body, file, image = animals
    user.mailbox.deliver(
        subject=f"The {subject} {word}",
        html=f'<p>A {body} {word}</p><img src="cid:{image}">',
        sender=(sender, f"{sender}@contoso.example"),
        to=[(recipient, f"{recipient}@contoso.example")],
        attachments=[
            File(name=f"{file}.txt", content_type="text/plain", content=f"a {file}".encode()),
            File(name=f"{image}.png", content_type="image/png", content=PNG, is_inline=True, content_id=image),
        ],
    )


@pytest.fixture
def zoo(connected: Host, ana: User, simulator: Simulator, clock: Clock) -> Host:
    """Return a host with Ana's mailbox and the team's *Falcon desk*, both read, and an empty one of Kim's."""
    ana.mailbox.create_folder("Badgers")
    deliver(ana, ANAS_MAIL[:6], "zugzwang")
    team = simulator.add_user("falcon@contoso.example", password="falcon")
    deliver(team, TEAMS_MAIL[:6], "zwischenzug")
    connected.ms365.process("Tell")(lambda message, options: f"{message.subject} by {message.from_address}")
    with connected.app.app_context():
        current_state().mailboxes.add(
            address="falcon@contoso.example", label="Falcon desk", access="application", actor="ana"
        )
        connected.ms365.tick()
        session, now = session_of(connected), clock()
        kims = Mailbox(kind="user", owner_id="kim", address="kim@contoso.example", created_at=now, next_due_at=now)
        session.add(kims)
        session.flush()
        anas = session.scalars(select(Mailbox).where(Mailbox.owner_id == "ana")).one()
        folder_id = session.scalars(
            select(Folder.id).where(Folder.mailbox_id == anas.id, Folder.name == "Badgers")
        ).one()
        teams = session.scalars(select(Folder).join(Mailbox).where(Mailbox.kind == "system").limit(1)).one()
        aside = {"code": "ErrorCorruptData", "attempts": 1, "first_at": now, "received_at": now, "next_try_at": now}
        for animal, mailbox_id, folder in (
            ("marten", anas.id, folder_id),
            ("pelican", teams.mailbox_id, teams.id),
        ):
            row = SetAside(mailbox_id=mailbox_id, folder_id=folder, graph_id=animal, subject=f"A {animal}", **aside)
            session.add(row)
        session.commit()
    return connected


def things(host: Host, owner: str, word: str) -> Things:
    """Return the ids of what is in Ana's mailbox, or in the team's."""
    with host.app.app_context():
        session = session_of(host)
        is_whose = Mailbox.owner_id == "ana" if owner == "ana" else Mailbox.kind == "system"
        mailbox_id = session.scalars(select(Mailbox.id).where(is_whose)).one()
        message = session.scalars(select(Message).where(Message.mailbox_id == mailbox_id)).one()
        files = select(Attachment).where(Attachment.message_id == message.id)
        attachment, image = sorted(session.scalars(files), key=lambda file: bool(file.is_inline))
        ids = {
            "mailbox_id": mailbox_id,
            "folder_id": message.folder_id,
            "message_id": message.id,
            "attachment_id": attachment.id,
            "content_id": image.content_id,
        }
    return Things(owner=owner, ids=ids, word=word)


def all_things(host: Host) -> list[Things]:
    return [things(host, "ana", "zugzwang"), things(host, "team", "zwischenzug")]


def stored(host: Host) -> list[Any]:
    """Return what a stranger must not change."""
    with host.app.app_context():
        session = session_of(host)
        rows: list[Any] = []
        for model in (Mailbox, Folder, Message, Attachment, SetAside, Reader):
            found = session.execute(select(*model.__table__.columns).order_by(model.id))
            rows += [tuple(row) for row in found if "kim" not in row]
        return rows


def expected(who: Somebody, step: Step) -> set[int]:
    """Return with what a step may be answered that names a thing of somebody else."""
    if step.route.endpoint == "message_inline":  # it makes its own checks
        return {403, 404}
    if not who.may(step.route):
        return {403}
    is_seen = "manage_mailboxes" in who.permissions and step.route.endpoint in SEEN_BY_ADMINS
    return {200} if is_seen and step.method == "GET" else {404}


@everybody
def test_nothing_is_served_to_a_stranger(zoo: Host, who: Somebody, secrets: list[str]) -> None:
    manages = "manage_mailboxes" in who.permissions
    # who manages the team's mailboxes handles those: they are no strangers to them
    others = [things(zoo, "ana", "zugzwang")] if manages else all_things(zoo)
    before = stored(zoo)
    steps = walk(zoo, who, others, without=ADMINS_BUTTONS if manages else frozenset())
    assert [f"{step}: {step.shows(secrets)}" for step in steps if step.shows(secrets)] == []
    named = [step for step in steps if step.whose]
    assert [str(step) for step in named if step.status not in expected(who, step)] == []
    assert [str(step) for step in steps if step.status >= 500] == []
    assert {step.route.endpoint for step in steps} >= {route.endpoint for route in ROUTES} - SEEN_BY_ADMINS
    assert stored(zoo) == before


def test_who_manages_the_team_s_mailbox_reads_no_mail_without_that_permission(zoo: Host) -> None:
    who, secrets = STRANGERS[-1]
    steps = walk(zoo, who, [things(zoo, "team", "zwischenzug")], without=BUTTONS - TRY)
    assert [f"{step}: {step.shows(secrets)}" for step in steps if step.shows(secrets)] == []
    pages = {"mailbox", "mailbox_edit", "mailbox_process"}
    assert {step.status for step in steps if step.route.endpoint in pages} == {200}


def test_a_message_has_no_name_but_its_time_for_those_who_may_not_read_it(zoo: Host) -> None:
    """They still see that it was set aside and what the process would do, and may press the buttons."""
    who, _ = STRANGERS[-1]
    steps = walk(zoo, who, [things(zoo, "team", "zwischenzug")], without=BUTTONS - TRY)
    (page,) = [step.answer for step in steps if step.route.endpoint == "mailbox"]
    (tried,) = [main(step.answer) for step in steps if (step.route.endpoint, step.method) in TRY]
    assert re.search(r"Message Received: [^(]+ Reason Microsoft says that it is damaged", main(page))
    assert page.count('name="message" value=') == 2
    assert re.search(r"Received [^(]+ What happens It runs", tried)


def test_the_same_walk_finds_all_of_it_for_ana(zoo: Host) -> None:
    """Else the walk above would find nothing because it looks nowhere."""
    steps = walk(zoo, ANA, all_things(zoo), without=BUTTONS - TRY)
    assert {word for step in steps for word in step.shows(EVERYTHING)} == set(EVERYTHING)
    reading = {
        step.route.endpoint for step in steps if step.whose == "ana" and step.status == 200 and step.shows(ANAS_MAIL)
    }
    assert reading >= {"message", "message_body", "message_eml", "message_inline", "attachment", "mailbox_folders"}


def test_what_is_not_yours_is_answered_like_what_is_not_there(zoo: Host) -> None:
    """Not even that it exists is told."""
    anas = things(zoo, "ana", "")
    nothing = Things(owner="nobody", ids={**dict.fromkeys(anas.ids, 4711), "content_id": "stoat"}, word="")
    who, _ = STRANGERS[0]
    theirs, there_is_none = ([step for step in walk(zoo, who, [each]) if step.whose] for each in (anas, nothing))
    pairs = zip(theirs, there_is_none, strict=True)
    assert [str(step) for step, none in pairs if (step.status, page_of(step)) != (none.status, page_of(none))] == []


def page_of(step: Step) -> str:
    """Return what a page says, without its own address."""
    return step.answer.partition("<h1")[2]


def test_the_key_to_one_message_s_images_opens_no_other(zoo: Host) -> None:
    anas, teams = all_things(zoo)
    (url,) = re.findall(
        r'src="([^"]*key=[^"]*)"', zoo.visitor().get(f"{PREFIX}/messages/{teams.ids['message_id']}/body").text
    )
    key = url.partition("key=")[2]
    zoo.user_id, zoo.permissions = None, set()
    visitor = zoo.visitor()
    path = f"{PREFIX}/messages/{anas.ids['message_id']}/inline/stoat"
    assert visitor.get(url).status_code == 200
    assert [visitor.get(f"{path}?key={each}").status_code for each in (key, f"{key}x", "", "%00")] == [403] * 4


CONTACT = """{% from "ms365/host.html" import ms365_status, ms365_thread %}
{{ ms365_status() }}{{ ms365_thread("heron@contoso.example") }}{{ ms365_thread("ibis@contoso.example") }}"""


def test_the_host_s_own_pages_show_nothing_to_a_stranger(zoo: Host) -> None:
    zoo.app.add_url_rule("/contact", "contact", lambda: render_template_string(CONTACT))
    shown = {}
    for who, secrets in [*STRANGERS, (ANA, EVERYTHING)]:
        zoo.user_id, zoo.permissions = who.user_id, set(who.permissions)
        page = zoo.visitor().get("/contact")
        assert page.status_code == 200
        # whose mail it would be is said by the page itself
        shown[who.name] = [word for word in secrets if word in page.text and word not in {"heron", "ibis"}]
    assert shown.pop("ana") == ["wombat", "puffin", "walrus", "gannet", "ana@contoso.example"]
    assert set(map(tuple, shown.values())) == {()}


def test_there_is_no_way_to_an_export_over_http(zoo: Host) -> None:
    """It writes whole mailboxes, and is for those who run the app: ``flask ms365 export``."""
    assert [route for route in ROUTES if "export" in route.path + route.endpoint] == []
    paths = ["/export", "/mailboxes/1/export", "/messages/export", "/export/ana@contoso.example"]
    assert {zoo.visitor().get(f"{PREFIX}{path}").status_code for path in paths} == {404}


def test_someone_whom_the_host_cannot_name_owns_nothing(zoo: Host) -> None:
    """A mailbox of the team has no owner, and a visitor whom nobody knows is not that one."""
    zoo.user_id, zoo.permissions = None, {"own_mailbox", "manage_settings"}
    anas = all_things(zoo)
    paths = [f"{PREFIX}/mailboxes/{each.ids['mailbox_id']}" for each in anas]
    assert [zoo.visitor().get(path).status_code for path in paths] == [404, 404]
