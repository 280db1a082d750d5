"""The page on which people choose what is read of a mailbox, and the one that deletes what is stored of a folder."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from html.parser import HTMLParser
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from flask_ms365.models import Folder, Message
from flask_ms365.simulator import Simulator, User
from flask_ms365.sync.since import ALL_MAIL
from tests.conftest import Clock, Host
from tests.mailboxes.choosing import folder_id, mailbox_id, row
from tests.mailboxes.waiting import ADDRESS, Waiting, waiting_mailbox
from tests.web.conftest import main
from tests.web.test_mailbox_state import MAILBOXES, _Woken
from tests.web.test_mailboxes_list import statements

MARCH = datetime(2024, 3, 1, tzinfo=timezone.utc)


class _Controls(HTMLParser):
    """All that a browser would send of the page's form, names that come more than once too."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.sent: MultiDict[str, str] = MultiDict()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag != "input" or (given.get("type") in ("checkbox", "radio") and "checked" not in given):
            return
        self.sent.add(given["name"], given.get("value", ""))


class Page:
    """The page of one mailbox, as somebody fills it in."""

    def __init__(self, host: Host, mailbox: int) -> None:
        self.host, self.visitor, self.path = host, host.visitor(), f"/ms365/mailboxes/{mailbox}/folders"

    def text(self) -> str:
        return shown(self.visitor.get(self.path))

    def post(
        self, *, tick: tuple[int, ...] = (), untick: tuple[int, ...] = (), do: str = "save", **fields: str
    ) -> TestResponse:
        """Tick and untick folders, fill in the rest, and press a button."""
        sent = _Controls(self.visitor.get(self.path).text).sent
        read = [each for each in sent.poplist("read") if int(each) not in untick] + [str(each) for each in tick]
        for name, value in (fields | {"do": do}).items():
            sent[name] = value
        sent.setlist("read", read)
        return self.visitor.post(self.path, data=sent)

    def save(self, **given: Any) -> str:
        """Save; return what the page says then."""
        answer = self.post(**given)
        assert answer.status_code == 303, answer.text
        return main(self.visitor.get(answer.headers["Location"]).text)


def shown(answer: TestResponse) -> str:
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", answer.text))


@pytest.fixture(params=MAILBOXES)
def waiting(host: Host, clock: Clock, request: pytest.FixtureRequest) -> Waiting:
    return waiting_mailbox(host, clock, **MAILBOXES[request.param])


@pytest.fixture
def page(waiting: Waiting) -> Page:
    return Page(waiting.host, waiting.mailbox_id)


@pytest.fixture
def folders(waiting: Waiting) -> dict[str, int]:
    """Return name -> id of an inbox with mail, a folder below it, junk, and a hidden one."""
    inbox = waiting.folder("Inbox", well_known_name="inbox", stored=2)
    return {
        "Zebra": waiting.folder("Zebra"),
        "Inbox": inbox,
        "Offers": waiting.folder("Offers", parent_id=inbox, stored=3),
        "Junk": waiting.folder("Junk", well_known_name="junkemail"),
        "Secret": waiting.folder("Secret", is_hidden=True),
    }


def selected(waiting: Waiting) -> dict[str, bool | None]:
    with waiting.host.app.app_context():
        return dict(waiting.session.execute(select(Folder.name, Folder.selected)).all())


# the tree


def test_the_tree_is_shown_with_known_folders_first_hidden_ones_marked_and_counts(
    page: Page, folders: dict[str, int]
) -> None:
    text = page.text()
    places = [text.index(f" {name} ") for name in ("Inbox", "Offers", "Junk", "Secret", "Zebra")]
    assert places == sorted(places)
    assert "Secret Hidden" in text
    assert "Offers 3 here, 3 at Microsoft" in text


def test_known_folders_are_known_in_every_language(waiting: Waiting, page: Page) -> None:
    """In the reference a mailbox in another language than English has folders of no known type."""
    waiting.folder("Archiv", well_known_name="archive")
    waiting.folder("Papierkorb", well_known_name="deleteditems")
    waiting.folder("Posteingang", well_known_name="inbox")
    text, read = page.text(), _Controls(page.visitor.get(page.path).text).sent.getlist("read")
    places = [text.index(f" {name} ") for name in ("Posteingang", "Archiv", "Papierkorb")]
    assert (places, len(read)) == (sorted(places), 2)


def test_a_folder_lies_below_its_parent(page: Page, folders: dict[str, int]) -> None:
    nested = r'<ul class="ms365-tree".*Inbox.*<ul class="ms365-tree".*Offers'
    assert re.search(nested, page.visitor.get(page.path).text, re.S)


def test_what_is_read_until_somebody_chooses_is_ticked(page: Page, folders: dict[str, int]) -> None:
    sent = _Controls(page.visitor.get(page.path).text).sent
    assert {int(each) for each in sent.getlist("read")} == {folders["Inbox"], folders["Offers"], folders["Zebra"]}
    assert (sent["new"], sent["since"]) == ("all", "settings")


def test_a_folder_s_name_is_no_html(waiting: Waiting, page: Page) -> None:
    waiting.folder("<img src=x>")
    assert "<img" not in page.visitor.get(page.path).text


def test_more_folders_cost_no_more_statements(waiting: Waiting, page: Page) -> None:
    waiting.folder("Inbox", stored=1)
    few = statements(waiting.host, page.path)
    for number in range(20):
        waiting.folder(f"Folder {number}", stored=1)
    assert (len(statements(waiting.host, page.path)), len(few) <= 8) == (len(few), True)


# saving


def test_saving_untouched_changes_nothing(waiting: Waiting, page: Page, folders: dict[str, int]) -> None:
    waiting.change(sync_from=MARCH + timedelta(hours=5))
    assert "Nothing has changed" in page.save()
    assert set(selected(waiting).values()) == {None}
    assert (waiting.row().sync_from, waiting.is_due) == (MARCH + timedelta(hours=5), False)


def test_an_unticked_folder_is_not_read_and_the_page_says_what_is_kept(
    waiting: Waiting, page: Page, folders: dict[str, int]
) -> None:
    text = page.save(untick=(folders["Offers"],))
    assert "Saved" in text
    assert "Messages kept of folders that are not read: 3. They stay readable here" in shown(
        page.visitor.get(page.path)
    )
    assert (selected(waiting)["Offers"], len(waiting.all(Message.id)), waiting.is_due) == (False, 5, True)


def test_only_ticked_ones(waiting: Waiting, page: Page, folders: dict[str, int]) -> None:
    page.save(new="only", tick=(folders["Junk"],), untick=(folders["Offers"], folders["Zebra"]))
    assert selected(waiting) == {"Inbox": True, "Junk": True, "Offers": False, "Secret": False, "Zebra": False}
    assert waiting.row().reads_new_folders is False


def test_nothing_to_read_is_refused_and_the_form_stays_as_it_was_sent(
    waiting: Waiting, page: Page, folders: dict[str, int]
) -> None:
    answer = page.post(untick=tuple(folders.values()), new="only")
    assert "At least one folder must be read." in shown(answer)
    assert ("<title>Error:" in answer.text, 'href="#ms365-folders"' in answer.text) == (True, True)
    assert _Controls(answer.text).sent.getlist("read") == []
    assert set(selected(waiting).values()) == {None}


def test_a_save_is_told_in_the_audit_log_without_names_of_folders(
    waiting: Waiting, page: Page, folders: dict[str, int]
) -> None:
    page.save(untick=(folders["Offers"],), since="all")
    assert waiting.actions == [
        ("mailbox.folders_chosen", "ana", ADDRESS),
        ("mailbox.sync_from_chosen", "ana", ADDRESS),
    ]
    audit = waiting.host.visitor().get("/ms365/audit").text
    assert (f"{ADDRESS}: other folders chosen" in audit, "Offers" in audit) == (True, False)


def test_a_save_wakes_the_worker(
    waiting: Waiting, page: Page, folders: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    woken: list[int | None] = []
    monkeypatch.setattr(waiting.host.app.extensions["ms365.state"], "hook", _Woken(woken))
    page.save(untick=(folders["Offers"],))
    assert woken == [waiting.mailbox_id]


# from when on


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"since": "day", "day": "2024-03-01"}, MARCH),
        ({"since": "all"}, ALL_MAIL),
        ({"since": "settings"}, None),
    ],
)
def test_a_day_is_kept_and_shown(
    waiting: Waiting, page: Page, fields: dict[str, str], expected: datetime | None
) -> None:
    waiting.change(sync_from=MARCH + timedelta(days=9))
    page.save(**fields)
    assert waiting.row().sync_from == expected
    assert fields.items() <= _Controls(page.visitor.get(page.path).text).sent.to_dict().items()


@pytest.mark.parametrize(
    ("day", "words"), [("", "Enter a day"), ("yesterday", "Enter a day"), ("2999-01-01", "yet to come")]
)
def test_what_is_no_day_is_refused(waiting: Waiting, page: Page, day: str, words: str) -> None:
    answer = page.post(since="day", day=day)
    assert words in shown(answer)
    assert ('aria-invalid="true"' in answer.text, waiting.row().sync_from) == (True, None)


def test_the_settings_are_told_that_hold_where_nobody_chose(configured: Host, clock: Clock) -> None:
    with configured.app.app_context():
        configured.ms365.settings.save({"sync_since": "30"})
    waiting = waiting_mailbox(configured, clock)
    assert "As the settings say: mail of the last 30 days" in Page(configured, waiting.mailbox_id).text()


# what Microsoft is asked for


@pytest.fixture
def ours(connected: Host) -> Page:
    """Return the page of Ana's mailbox, of which nothing was read yet."""
    return Page(connected, mailbox_id(connected))


def test_folders_that_are_not_known_yet_are_listed_by_a_button(ours: Page, simulator: Simulator) -> None:
    simulator.requests.clear()
    assert "The folders are not known yet." in ours.text()
    assert list(simulator.requests) == []
    text = shown(ours.post(do="list"))
    assert ("These are the folders" in text, "Sent Items" in text) == (True, True)
    assert row(ours.host).lease_owner is None


def test_of_a_paused_mailbox_too_so_that_people_choose_before_anything_is_read(ours: Page) -> None:
    ours.visitor.submit("/ms365/my-email", {}, to=ours.path.replace("folders", "pause"))
    assert "Sent Items" in shown(ours.post(do="list"))
    ours.save(untick=(folder_id(ours.host, "Sent Items"),))
    with ours.host.app.app_context():
        assert ours.host.ms365.tick().runs == []


def test_what_was_typed_stays_while_folders_are_listed(ours: Page) -> None:
    answer = ours.post(do="list", since="day", day="2024-03-01")
    assert _Controls(answer.text).sent["day"] == "2024-03-01"


def test_a_refusal_is_told(ours: Page, ana: User) -> None:
    ana.mailbox.fail(403, "ErrorAccessDenied", times=None)
    assert "The folders could not be listed" in shown(ours.post(do="list"))
    assert "The messages could not be counted" in shown(ours.post(do="count"))


def test_messages_are_counted_before_anything_is_read(ours: Page, ana: User) -> None:
    for year in (2020, 2024, 2025):
        ana.mailbox.deliver(subject=str(year), received_at=datetime(year, 6, 1, tzinfo=timezone.utc))
    ana.mailbox.deliver(subject="Spam", folder="junkemail")
    text = shown(ours.post(do="count", since="day", day="2024-03-01"))
    assert "About 2 messages since 1 Mar 2024, of which 0 are here." in text
    assert row(ours.host).sync_from is None


def test_the_count_is_that_of_the_folders_as_they_are_ticked(ours: Page, ana: User) -> None:
    ana.mailbox.deliver(subject="In")
    ana.mailbox.deliver(subject="Filed", folder="archive")
    with ours.host.app.app_context():
        ours.host.ms365.tick()
    ana.mailbox.deliver(subject="New")
    answer = ours.post(do="count", untick=(folder_id(ours.host, "Archive"),))
    assert "About 2 messages in these folders, of which 1 are here." in shown(answer)
    assert str(folder_id(ours.host, "Archive")) not in _Controls(answer.text).sent.getlist("read")


# deleting what is stored


def delete_path(page: Page, folder: int) -> str:
    return f"{page.path}/{folder}/delete"


@pytest.fixture
def unread(waiting: Waiting, page: Page, folders: dict[str, int]) -> int:
    """Return the id of a folder that is read no more, with three messages."""
    page.save(untick=(folders["Offers"],))
    return folders["Offers"]


def test_the_page_leads_to_a_question_that_names_what_is_lost(page: Page, unread: int, folders: dict[str, int]) -> None:
    listed = page.visitor.get(page.path).text
    assert delete_path(page, unread) in listed
    assert delete_path(page, folders["Inbox"]) not in listed
    text = shown(page.visitor.get(delete_path(page, unread)))
    assert ("Offers" in text, "Messages stored here: 3" in text) == (True, True)


def test_once_it_is_confirmed_that_folder_s_mail_is_gone(waiting: Waiting, page: Page, unread: int) -> None:
    answer = page.visitor.submit(delete_path(page, unread), {})
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{page.path}?deleted=1")
    assert "is being deleted" in shown(page.visitor.get(answer.headers["Location"]))
    assert len(waiting.all(Message.id)) == 2
    assert waiting.actions[-1] == ("mailbox.folder_mail_deleted", "ana", ADDRESS)


@pytest.mark.parametrize("folder", ["Inbox", "Zebra"])
def test_there_is_no_such_question_about_a_folder_that_is_read(
    page: Page, folders: dict[str, int], folder: str
) -> None:
    assert page.visitor.get(delete_path(page, folders[folder])).status_code == 404


def test_nor_about_a_folder_of_another_mailbox(waiting: Waiting, page: Page, unread: int, clock: Clock) -> None:
    other = waiting_mailbox(waiting.host, clock, address="other@contoso.example")
    path = f"/ms365/mailboxes/{other.mailbox_id}/folders/{unread}/delete"
    assert page.visitor.get(path).status_code == 404


def test_a_question_that_was_open_too_long_deletes_nothing(waiting: Waiting, page: Page, unread: int) -> None:
    answer = page.visitor.post(delete_path(page, unread), data={"csrf_token": "expired"})
    assert ("open too long" in answer.text, len(waiting.all(Message.id))) == (True, 5)


# who may


@pytest.mark.parametrize(
    ("columns", "permissions", "status"),
    [
        ({"kind": "system"}, {"own_mailbox"}, 404),
        ({"kind": "system"}, {"read_mail"}, 403),
        ({"kind": "user", "owner_id": "ben"}, {"own_mailbox", "manage_mailboxes", "read_mail"}, 404),
        ({"kind": "user", "owner_id": "ana"}, {"manage_mailboxes"}, 404),
        ({"kind": "user", "owner_id": "ana", "state": "disconnected"}, {"own_mailbox"}, 404),
        ({"kind": "user", "owner_id": "ana", "state": "deleting"}, {"own_mailbox"}, 404),
    ],
)
def test_only_those_whose_mailbox_it_is_may_choose(
    host: Host, clock: Clock, columns: dict[str, Any], permissions: set[str], status: int
) -> None:
    waiting = waiting_mailbox(host, clock, **columns)
    offers = waiting.folder("Offers", stored=1, selected=False)
    waiting.folder("Inbox")
    visitor = host.visitor()
    visitor.get("/ms365/settings")
    host.permissions = permissions
    paths = [f"/ms365/mailboxes/{waiting.mailbox_id}/folders{more}" for more in ("", f"/{offers}/delete")]
    answers = [getattr(visitor, method)(path).status_code for path in paths for method in ("get", "post")]
    assert (set(answers), len(waiting.all(Message.id))) == ({status}, 1)


def test_a_page_that_was_open_too_long_changes_nothing(waiting: Waiting, page: Page, folders: dict[str, int]) -> None:
    answer = page.post(csrf_token="expired", new="only")
    assert ("open too long" in answer.text, waiting.row().reads_new_folders) == (True, True)
