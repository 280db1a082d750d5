"""What waits for the visitor, above every page of ours: their own mailboxes, and for admins how many others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flask import request, url_for

from flask_ms365.mailboxes.listing import NEEDS_YOU
from flask_ms365.mailboxes.overdue import overdue_before
from flask_ms365.mailboxes.trouble import DOUBT, FAILED, OVERDUE, SIGN_IN_NEEDED
from flask_ms365.mailboxes.troubles import Mine, troubles_of
from flask_ms365.permissions import Permission
from flask_ms365.state import current_state
from flask_ms365.web.access import is_allowed
from flask_ms365.web.forms import CsrfForm
from flask_ms365.web.snapshot import current_snapshot, current_summary
from flask_ms365.words import Words, counted

_MINE = {
    SIGN_IN_NEEDED: Words("Your mailbox %(address)s needs you to sign in again."),
    FAILED: Words("Your mailbox %(address)s could not be read."),
    DOUBT: Words("Microsoft says that a folder of your mailbox %(address)s is empty. Is its mail gone?"),
    OVERDUE: Words("Your mailbox %(address)s has had no success for long."),
}
# these pages say it themselves
_ITS_PAGES = ("my_email", "mailbox")
_LIST = "mailboxes"


@dataclass(frozen=True, kw_only=True)
class NeedBanner:
    """A sentence, and the way to mend it: a link, or with ``form`` a button. ``url`` may be empty."""

    text: Words
    label: Words
    url: str
    form: CsrfForm | None = None


def need_banners() -> list[NeedBanner]:
    """Return what waits for the visitor on this page: one statement beside what the navigation asks."""
    page = (request.endpoint or "").rpartition(".")[2]
    if page == "overview":  # it lists what needs people, with a statement for each kind
        return []
    # on the page of a mailbox one's own are among the number: naming them would cost a statement
    mine = [] if page == "mailbox" else my_troubles()
    return [*_of_mine(mine, page), *_of_team(mine, page)]


def my_troubles() -> list[Mine]:
    """Return those of the visitor's own mailboxes that wait for them."""
    state, user_id = current_state(), current_state().current_user_id()
    if user_id is None or not (is_allowed(Permission.OWN_MAILBOX) or is_allowed(Permission.READ_MAIL)):
        return []
    # the numbers of all mailboxes, which the navigation has asked for, say whether any of theirs is among them
    if is_allowed(Permission.MANAGE_SETTINGS) and not current_summary().may_need_owner:
        return []
    now = state.clock()
    found = troubles_of(state.session, user_id, limit=overdue_before(current_snapshot(), now), now=now)
    has_own = is_allowed(Permission.OWN_MAILBOX)
    return [mailbox for mailbox in found if mailbox.cause in _MINE and (has_own or mailbox.kind == "system")]


def _of_mine(mine: list[Mine], page: str) -> Iterator[NeedBanner]:
    for mailbox in mine:
        if page.startswith(_ITS_PAGES) and page != _LIST:
            continue
        text = _MINE[mailbox.cause].filled(address=mailbox.address)
        if mailbox.kind == "user" and mailbox.cause == SIGN_IN_NEEDED:
            yield NeedBanner(text=text, label=Words("Sign in again"), url=url_for(".my_email_connect"), form=CsrfForm())
        else:
            yield NeedBanner(text=text, label=Words("Look at it"), url=_page_of(mailbox))


def _page_of(mailbox: Mine) -> str:
    """Return where a mailbox is mended; empty where its owner does not manage the team's."""
    if mailbox.kind == "user":
        return url_for(".my_email")
    may_mend = is_allowed(Permission.MANAGE_MAILBOXES)
    return url_for(".mailbox", mailbox_id=mailbox.mailbox_id) if may_mend else ""


def _of_team(mine: list[Mine], page: str) -> Iterator[NeedBanner]:
    if page == _LIST or not is_allowed(Permission.MANAGE_MAILBOXES):
        return
    others = current_summary().need_a_person - sum(mailbox.cause != DOUBT for mailbox in mine)
    if others > 0:
        text = counted("%(count)s mailbox needs you", "%(count)s mailboxes need you", others)
        yield NeedBanner(text=text, label=Words("Open the list"), url=url_for(".mailboxes", state=NEEDS_YOU))
