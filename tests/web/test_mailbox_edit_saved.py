"""What saving a mailbox's name, owner and readers does beside that: it is told, undoes nobody's work, skips no mail."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event, select

from flask_ms365.models import AuditEvent, Folder, Mailbox
from tests.directory import People
from tests.identity.conftest import session_of
from tests.team import ADDRESS, NEW, Team
from tests.visitor import controls
from tests.web.conftest import main
from tests.web.editing import AUDIT, edit, host, log, people, readers, save, support, ticked

__all__ = ["host", "people", "support"]


# others at the same time


def test_who_saves_second_is_told_what_the_first_one_saved(support: Team) -> None:
    first = controls(support.visitor.get(edit(support)).text)
    save(support, label="Help desk", role=["desk"], owner="kim")
    answer = support.visitor.post(edit(support), data={**first, "label": "Support team", "person": ["ben"]})
    page = main(answer.text)
    assert answer.status_code == 200
    assert "Somebody else has changed this mailbox since you opened the page, so nothing was saved." in page
    assert "Name Help desk Owner Kim Osei" in page
    assert "Who may read it Whoever has the role Service desk" in page
    assert (support.row().label, readers(support)) == ("Help desk", {("role", "desk")})
    # what the second one typed is kept, and replaces the rest once it is saved again
    assert (controls(answer.text)["label"], ticked(answer.text)) == ("Support team", ["ben"])
    support.visitor.post(edit(support), data={**controls(answer.text), "person": ["ben"]})
    assert (support.row().label, readers(support)) == ("Support team", {("user", "ben")})


def test_who_saved_the_same_is_not_in_the_way(support: Team) -> None:
    first = controls(support.visitor.get(edit(support)).text)
    assert save(support).status_code == 303
    assert support.visitor.post(edit(support), data={**first, "label": "Help desk"}).status_code == 303


def test_a_page_that_was_open_too_long_saves_nothing_and_keeps_what_was_typed(support: Team) -> None:
    given = controls(support.visitor.get(edit(support)).text)
    sent = {**given, "csrf_token": "expired", "label": "Help desk", "person": ["kim"]}
    answer = support.visitor.post(edit(support), data=sent)
    assert "open too long" in main(answer.text)
    assert (controls(answer.text)["label"], ticked(answer.text)) == ("Help desk", ["kim"])
    assert (support.row().label, readers(support)) == ("Support", set())


# what is told


def test_the_audit_log_tells_who_changed_what(support: Team) -> None:
    save(support, label="Help desk", owner="kim", role=["desk"], everyone="y")
    save(support, label="Help desk", owner="ana", role=["desk"], who="ben", person=["ben"])
    assert sorted(log(support)) == sorted(
        [
            f"{ADDRESS} connected",
            f"{ADDRESS}: name Support → Help desk",
            f"{ADDRESS}: owner not set → Kim Osei",
            f"{ADDRESS} may now be read by: the role Service desk",
            f"{ADDRESS} may now be read by: everyone who may read mail here",
            f"{ADDRESS}: owner Kim Osei → Ana Ruiz",
            f"{ADDRESS} may now be read by: Ben Adeyemi",
            f"{ADDRESS} may no longer be read by: everyone who may read mail here",
        ]
    )
    with support.host.app.app_context():
        saved = select(AuditEvent.actor).where(AuditEvent.action.like("mailbox.reader%"))
        assert set(support.session.scalars(saved)) == {"ana"}


def test_saving_without_a_change_is_not_told(support: Team) -> None:
    before = log(support)
    assert save(support).status_code == 303
    assert log(support) == before


def test_how_it_is_read_and_its_address_are_shown_and_not_changed(support: Team) -> None:
    page = support.visitor.get(edit(support)).text
    assert "The app's own permission" in main(page)
    assert f'Another address is another mailbox: its mail is kept apart. <a class="ms365-link" href="{NEW}">' in page
    save(support, address="ana@contoso.example", access="shared")
    assert (support.row().address, support.row().access) == (ADDRESS, "application")


# no mail is skipped


def positions(team: Team) -> list[Any]:
    """Return all that says where the reading of a mailbox stands, and when it goes on."""
    with team.host.app.app_context():
        folders = select(Folder.id, Folder.delta_link, Folder.selected).order_by(Folder.id)
        mailbox = select(
            Mailbox.state,
            Mailbox.folders_link,
            Mailbox.next_due_at,
            Mailbox.sync_from,
            Mailbox.process_since,
            Mailbox.lease_epoch,
        )
        return [*map(tuple, team.session.execute(folders)), *map(tuple, team.session.execute(mailbox))]


def test_saving_touches_no_position(support: Team) -> None:
    support.read()
    before = positions(support)
    save(support, label="Help desk", owner="kim", role=["desk"])
    assert (positions(support), any(link for _, link, _ in before[:-1])) == (before, True)


def test_mail_of_a_broken_time_is_not_skipped_by_saving(support: Team, clock: Any) -> None:
    """Weakness 24 of the reference: there, saving a system mailbox skips what came while it was broken."""
    support.read()
    support.support.mailbox.fail(403, "ErrorAccessDenied", times=None)
    support.support.mailbox.deliver(subject="While it was broken")
    assert support.run().error != ""
    save(support, label="Help desk", owner="kim", role=["desk"])
    support.support.mailbox.deliver(subject="And after that")
    support.support.mailbox.stop_failing()
    clock.advance(days=1)
    assert sorted(support.read()) == ["And after that", "Help", "While it was broken"]


# who may, and what it costs


@pytest.mark.parametrize("permission", ["manage_settings", "own_mailbox", "read_mail"])
def test_only_who_manages_mailboxes_comes_in(support: Team, permission: str) -> None:
    path = edit(support)
    sent = {**controls(support.visitor.get(path).text), "person": ["kim"]}
    support.host.permissions = {permission}
    assert [support.visitor.get(path).status_code, support.visitor.post(path, data=sent).status_code] == [403, 403]
    assert readers(support) == set()


def test_a_person_s_own_mailbox_has_no_readers(team: Team) -> None:
    team.visitor.connect(team.ana)
    path = f"/ms365/mailboxes/{team.all(Mailbox.id)[0]}/edit"
    assert [team.visitor.get(path).status_code, team.visitor.post(path).status_code] == [404, 404]


def test_a_mailbox_that_is_being_deleted_is_not_edited(support: Team) -> None:
    with support.host.app.app_context():
        support.session.query(Mailbox).update({"state": "deleting"})
        support.session.commit()
    assert support.visitor.get(edit(support)).status_code == 404


def test_names_of_the_host_are_no_markup(support: Team, people: People) -> None:
    hostile = '"><script>alert(1)</script>'
    people.names = {"kim": hostile}
    people.role_names = {hostile: hostile}
    save(support, who="script", person=["kim"], role=[hostile], label=hostile)
    page = support.visitor.get(f"{edit(support)}?who=script").text
    assert ("<script>alert" in page, "<script>alert" in support.visitor.get(AUDIT).text) == (False, False)
    assert len(readers(support)) == 2


def test_many_readers_cost_no_more_statements(support: Team, people: People) -> None:
    few = statements(support)
    people.names |= {f"u{number}": f"User {number}" for number in range(40)}
    save(support, who="User", person=[f"u{number}" for number in range(40)])
    assert len(readers(support)) == 40
    assert (statements(support), few <= 8) == (few, True)


def statements(team: Team) -> int:
    path, seen = edit(team), []
    team.visitor.get(path)
    with team.host.app.app_context():
        engine = session_of(team.host).get_bind()

    def listen(connection: Any, cursor: Any, sql: str, *rest: Any) -> None:
        seen.append(sql)

    event.listen(engine, "before_cursor_execute", listen)
    assert team.visitor.get(path).status_code == 200
    event.remove(engine, "before_cursor_execute", listen)
    return len(seen)


def test_the_page_asks_microsoft_nothing(support: Team) -> None:
    before = len(support.simulator.requests)
    support.visitor.get(f"{edit(support)}?who=kim")
    save(support, label="Help desk")
    assert len(support.simulator.requests) == before
