"""An admin lets somebody in to a mailbox of the team, without a mouse, with JavaScript and without."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from demo.database import db
from demo.stage import Stage
from flask_ms365.models import Folder, Mailbox, Message
from tests.browser.conftest import OpenPage
from tests.browser.test_journey import both
from tests.browser.test_keyboard import press_enter, tab_to

pytestmark = pytest.mark.browser

MESSAGES = "/ms365/messages"


@pytest.fixture
def mailbox_id(stage: Stage) -> int:
    """Return a mailbox of the team with one message."""
    with stage.app.app_context():
        now = datetime.now(timezone.utc)
        support = Mailbox(kind="system", address="support@contoso.example", created_at=now, next_due_at=now)
        db.session.add(support)
        db.session.flush()
        folder = Folder(mailbox_id=support.id, graph_id="inbox", name="Inbox", well_known_name="inbox")
        db.session.add(folder)
        db.session.flush()
        given = {"graph_id": "bell", "subject": "My bell is broken", "recipients": [], "categories": []}
        db.session.add(Message(mailbox_id=support.id, folder_id=folder.id, received_at=now, **given))
        db.session.commit()
        return support.id


@both
def test_somebody_is_found_let_in_and_put_out_again(open_page: OpenPage, mailbox_id: int, javascript: bool) -> None:
    kims = open_page(MESSAGES, user="kim")
    assert kims.get_by_text("My bell is broken").count() == 0

    page = open_page(f"/ms365/mailboxes/{mailbox_id}/edit", javascript=javascript)
    tab_to(page, "who")
    page.keyboard.type("osei")
    press_enter(page)
    tab_to(page, "label")
    page.keyboard.type("Help desk")
    tab_to(page, "person")
    page.keyboard.press("Space")
    tab_to(page, "Save")
    press_enter(page)
    page.get_by_text("What is read of this mailbox stays as it was.").wait_for()
    assert page.get_by_role("checkbox", name="Kim Osei").is_checked()
    assert page.get_by_role("textbox", name="Name", exact=True).input_value() == "Help desk"

    kims.goto(MESSAGES)
    kims.get_by_text("My bell is broken").wait_for()

    tab_to(page, "person")
    page.keyboard.press("Space")
    tab_to(page, "Save")
    press_enter(page)
    page.get_by_text("What is read of this mailbox stays as it was.").wait_for()
    kims.goto(MESSAGES)
    assert kims.get_by_text("My bell is broken").count() == 0
