"""Folders, messages, attachments, faults and limits over Graph. Over the simulator only."""

from __future__ import annotations

import threading
from email.message import EmailMessage

import pytest
import urllib3

from flask_ms365.simulator import Attachment

from .client import Desk, Graph, Response, graph_error_of

INBOX = "/me/mailFolders/inbox"


@pytest.fixture
def me(desk: Desk) -> Graph:
    """Graph, signed in."""
    return desk.graph()


def names(answer: Response) -> list[str]:
    return [folder["displayName"] for folder in answer.json()["value"]]


def mail_with_attachments() -> EmailMessage:
    inner = EmailMessage()
    inner["Subject"] = "Inner"
    inner.set_content("inside")
    mail = EmailMessage()
    mail["From"] = "Ada Buyer <ada@fabrikam.example>"
    mail["Subject"] = "Three"
    mail.set_content("See below")
    mail.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="Änderung.pdf")
    mail.add_attachment(
        b"GIF", maintype="image", subtype="gif", filename="logo.gif", disposition="inline", cid="<logo@1>"
    )
    mail.add_attachment(inner)
    return mail


def test_hidden_folders_are_listed_on_request(desk: Desk, me: Graph) -> None:
    desk.box.create_folder("Hidden", hidden=True)
    assert "Hidden" not in names(me.get("/me/mailFolders?$top=50"))
    assert "Hidden" in names(me.get("/me/mailFolders?$top=50&includeHiddenFolders=true"))


def test_child_folders_are_below(desk: Desk, me: Graph) -> None:
    parent = desk.box.create_folder("Projects")
    desk.box.create_folder("A/B", parent)
    assert "A/B" not in names(me.get("/me/mailFolders?$top=50"))
    assert names(me.get(f"/me/mailFolders/{parent}/childFolders")) == ["A/B"]


def test_a_folder_may_be_written_in_brackets(me: Graph) -> None:
    assert me.get("/me/mailFolders('inbox')").json()["displayName"] == "Inbox"


def test_a_search_folder_says_so(desk: Desk, me: Graph) -> None:
    folder = desk.box.create_folder("Found", search=True)
    assert me.get(f"/me/mailFolders/{folder}").json()["@odata.type"] == "#microsoft.graph.mailSearchFolder"


def test_has_attachments_ignores_inline_images(desk: Desk, me: Graph) -> None:
    image = Attachment(name="logo.gif", content_type="image/gif", is_inline=True, content_id="logo")
    message_id = desk.box.deliver(subject="Logo", html="<img src=cid:logo>", attachments=[image])
    assert me.get(f"/me/messages/{message_id}").json()["hasAttachments"] is False


def test_attachments_come_in_types(desk: Desk, me: Graph) -> None:
    message_id = desk.box.deliver(mail_with_attachments())
    found = me.get(f"/me/messages/{message_id}/attachments").json()["value"]
    assert [(a["@odata.type"].rpartition(".")[2], a["name"], a["isInline"]) for a in found] == [
        ("fileAttachment", "Änderung.pdf", False),
        ("fileAttachment", "logo.gif", True),
        ("itemAttachment", "Inner", False),
    ]


def test_a_content_id_has_no_angle_brackets_and_needs_its_type(desk: Desk, me: Graph) -> None:
    path = f"/me/messages/{desk.box.deliver(mail_with_attachments())}/attachments"
    found = me.get(f"{path}?$select=id,name,microsoft.graph.fileAttachment/contentId").json()["value"]
    assert found[1]["contentId"] == "logo@1"
    assert "contentBytes" not in found[1]
    assert me.get(f"{path}?$select=contentId").status == 400


def test_the_value_of_a_file_is_its_bytes(desk: Desk, me: Graph) -> None:
    path = f"/me/messages/{desk.box.deliver(mail_with_attachments())}/attachments"
    file_id = me.get(path).json()["value"][0]["id"]
    answer = me.get(f"{path}/{file_id}/$value")
    assert (answer.headers["Content-Type"], answer.data) == ("application/pdf", b"%PDF")


def test_an_attached_item_can_be_expanded(desk: Desk, me: Graph) -> None:
    path = f"/me/messages/{desk.box.deliver(mail_with_attachments())}/attachments"
    item_id = me.get(path).json()["value"][2]["id"]
    answer = me.get(f"{path}/{item_id}?$expand=microsoft.graph.itemattachment/item").json()
    assert answer["item"]["subject"] == "Inner"


def test_a_reference_has_no_value(desk: Desk, me: Graph) -> None:
    message_id = desk.box.deliver(subject="Link", attachments=[Attachment(name="x.docx", kind="reference")])
    path = f"/me/messages/{message_id}/attachments"
    assert me.get(f"{path}/{me.get(path).json()['value'][0]['id']}/$value").status == 405


def test_a_client_may_mark_mail_read(desk: Desk) -> None:
    message_id = desk.box.deliver(subject="Read me")
    me = desk.graph(scope="Mail.ReadWrite")
    me.send("PATCH", f"/me/messages/{message_id}", {"isRead": True, "flag": {"flagStatus": "flagged"}})
    (message,) = desk.box.messages()
    assert (message.is_read, message.flag_status) == (True, "flagged")


def test_a_client_may_move_mail(desk: Desk) -> None:
    message_id = desk.box.deliver(subject="Move me")
    me = desk.graph(scope="Mail.ReadWrite")
    answer = me.send("POST", f"/me/messages/{message_id}/move", {"destinationId": "archive"})
    assert answer.status == 201
    assert [m.folder_name for m in desk.box.messages()] == ["Archive"]


def test_deleting_twice_deletes_for_good(desk: Desk) -> None:
    message_id = desk.box.deliver(subject="Delete me")
    me = desk.graph(scope="Mail.ReadWrite")
    statuses = [me.send("DELETE", f"/me/messages/{message_id}").status for _ in range(3)]
    assert statuses == [204, 204, 404]


def test_reading_is_not_writing(desk: Desk, me: Graph) -> None:
    message_id = desk.box.deliver(subject="Read me")
    answer = me.send("PATCH", f"/me/messages/{message_id}", {"isRead": True})
    assert graph_error_of(answer) == (403, "ErrorAccessDenied")


def test_basic_mail_has_no_body(desk: Desk) -> None:
    desk.box.deliver(subject="Secret", text="body")
    me = desk.graph(scope="Mail.ReadBasic")
    assert "body" not in me.get("/me/messages").json()["value"][0]


def test_a_token_without_mail_scope_is_denied(desk: Desk) -> None:
    assert graph_error_of(desk.graph(scope="User.Read").get(INBOX)) == (403, "ErrorAccessDenied")


def test_a_shared_mailbox_needs_the_shared_scope_and_full_access(desk: Desk) -> None:
    support = desk.simulator.add_user("support@contoso.example")
    me = desk.graph(scope="Mail.Read.Shared")
    path = "/users/support@contoso.example/mailFolders/inbox"
    assert graph_error_of(me.get(path)) == (403, "ErrorAccessDenied")
    support.share_with(desk.user)
    assert me.get(path).status == 200


def test_a_mailbox_may_be_out_of_an_apps_reach(desk: Desk) -> None:
    desk.app.allowed_mailboxes = {"support@contoso.example"}
    token = desk.token(grant_type="client_credentials", scope="https://graph.microsoft.com/.default").json()
    answer = Graph(desk.simulator.url, token["access_token"]).get(f"/users/{desk.user.upn}/messages")
    assert answer.json()["error"]["message"] == "Access to OData is disabled."


def test_the_shared_scope_reads_ones_own_mail_too(desk: Desk) -> None:
    assert desk.graph(scope="Mail.Read.Shared").get(INBOX).status == 200


def test_user_read_reads_no_profile_but_ones_own(desk: Desk) -> None:
    desk.simulator.add_user("support@contoso.example")
    answer = desk.graph(scope="User.Read").get("/users/support@contoso.example")
    assert graph_error_of(answer) == (403, "Authorization_RequestDenied")


def test_a_scope_in_exchange_adds_to_what_entra_consented_to(desk: Desk) -> None:
    desk.simulator.add_user("support@contoso.example")
    desk.app.exchange_scope = {"support@contoso.example"}
    statuses = []
    for permissions in (set(), {"Mail.Read"}):
        desk.app.application_permissions = permissions
        token = desk.token(grant_type="client_credentials", scope="https://graph.microsoft.com/.default").json()
        graph = Graph(desk.simulator.url, token["access_token"])
        paths = ["/users/support@contoso.example/messages", f"/users/{desk.user.upn}/messages"]
        statuses.append([graph.get(path).status for path in paths])
    assert statuses == [[200, 403], [200, 200]]


def test_aliases_come_when_they_are_asked_for(desk: Desk) -> None:
    desk.user.aliases.append("info@contoso.example")
    me = desk.graph(scope="User.Read")
    assert "proxyAddresses" not in me.get("/me").json()
    assert "smtp:info@contoso.example" in me.get("/me?$select=proxyAddresses").json()["proxyAddresses"]


def test_a_user_without_licence_has_no_mailbox(desk: Desk, me: Graph) -> None:
    desk.user.has_mailbox = False
    assert graph_error_of(me.get(INBOX)) == (404, "MailboxNotEnabledForRESTAPI")


def test_an_expired_token_is_401(desk: Desk, me: Graph) -> None:
    desk.simulator.expire_access_tokens()
    assert graph_error_of(me.get(INBOX)) == (401, "InvalidAuthenticationToken")


def test_a_capable_client_is_challenged_for_claims(desk: Desk) -> None:
    me = desk.graph(claims='{"access_token":{"xms_cc":{"values":["cp1"]}}}')
    desk.simulator.challenge(desk.user)
    header = me.get(INBOX).headers["WWW-Authenticate"]
    assert header.count('realm=""') == 2
    assert 'error="insufficient_claims"' in header


def test_any_other_client_is_never_challenged(desk: Desk, me: Graph) -> None:
    desk.simulator.challenge(desk.user)
    assert me.get(INBOX).status == 200


@pytest.mark.parametrize("retry_after", [1, "0.249", None, "Wed, 21 Oct 2026 07:28:00 GMT", "abc"])
def test_a_throttled_call_may_say_when_to_come_back(desk: Desk, me: Graph, retry_after: int | str | None) -> None:
    desk.box.throttle(times=1, retry_after=retry_after)
    answer = me.get(INBOX)
    assert graph_error_of(answer) == (429, "ApplicationThrottled")
    assert answer.headers.get("Retry-After") == (None if retry_after is None else str(retry_after))


def test_throttling_ends_after_its_times(desk: Desk, me: Graph) -> None:
    desk.box.throttle(times=2)
    assert [me.get(INBOX).status for _ in range(3)] == [429, 429, 200]


@pytest.mark.parametrize("status", [503, 504])
def test_an_overloaded_service_has_an_empty_body(desk: Desk, me: Graph, status: int) -> None:
    desk.box.throttle(status=status)
    answer = me.get(INBOX)
    assert (answer.status, answer.data) == (status, b"")


def test_a_fifth_call_at_a_time_is_too_many(desk: Desk, me: Graph) -> None:
    with desk.box.hold() as gate:
        threads = [threading.Thread(target=me.get, args=(INBOX,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        assert gate.wait_for(calls=4)
        assert graph_error_of(me.get(INBOX)) == (429, "ApplicationThrottled")
    for thread in threads:
        thread.join()


def test_the_quota_counts_every_call(desk: Desk, me: Graph) -> None:
    desk.box.quota = 2
    assert [me.get(INBOX).status for _ in range(3)] == [200, 200, 429]


def test_each_call_of_a_batch_is_throttled_by_itself(desk: Desk, me: Graph) -> None:
    desk.box.throttle(times=1)
    calls = [{"id": str(i), "method": "GET", "url": INBOX} for i in range(2)]
    answer = me.send("POST", "/$batch", {"requests": calls}).json()["responses"]
    assert [one["status"] for one in answer] == [429, 200]


def test_a_call_of_a_batch_may_be_refused_or_left_out(desk: Desk, me: Graph) -> None:
    desk.simulator.fail_in_batch("/archive$", 429, headers={"Retry-After": "4"})
    desk.simulator.fail_in_batch("/drafts$", None)
    names = ("inbox", "archive", "drafts", "outbox")
    calls = [{"id": name, "method": "GET", "url": f"/me/mailFolders/{name}"} for name in names]
    answer = {one["id"]: one for one in me.send("POST", "/$batch", {"requests": calls}).json()["responses"]}
    assert {name: one["status"] for name, one in answer.items()} == {"inbox": 200, "archive": 429, "outbox": 200}
    assert answer["archive"]["headers"]["Retry-After"] == "4"


def test_every_third_call_may_fail(desk: Desk, me: Graph) -> None:
    desk.box.fail_every(3, 504)
    assert [me.get(INBOX).status for _ in range(6)] == [200, 200, 504, 200, 200, 504]


def test_a_list_is_counted_by_probing(desk: Desk, me: Graph) -> None:
    desk.box.deliver_many(5, body_size=200)
    path = f"{INBOX}/messages?$select=id&$top=1&$filter=receivedDateTime%20ge%202000-01-01T00:00:00Z"
    assert [len(me.get(f"{path}&$skip={skip}").json()["value"]) for skip in (4, 5)] == [1, 0]


def test_an_order_that_the_filter_does_not_begin_with_is_inefficient(me: Graph) -> None:
    path = f"{INBOX}/messages?$orderby=receivedDateTime%20desc&$filter=isRead%20eq%20false"
    assert graph_error_of(me.get(path)) == (400, "InefficientFilter")


def test_a_corrupt_message_fails_alone(desk: Desk, me: Graph) -> None:
    bad = desk.box.deliver(subject="Bad")
    desk.box.deliver(subject="Good")
    desk.box.fail_message(bad)
    assert graph_error_of(me.get(f"/me/messages/{bad}")) == (500, "ErrorCorruptData")
    assert len(me.get(f"{INBOX}/messages").json()["value"]) == 2


def test_a_connection_may_be_cut(desk: Desk, me: Graph) -> None:
    desk.box.drop_connection()
    with pytest.raises(urllib3.exceptions.ProtocolError):
        me.get(INBOX)
    assert me.get(INBOX).status == 200


def test_an_answer_is_zipped_on_request(desk: Desk, me: Graph) -> None:
    desk.box.deliver_many(3)
    answer = me.get(f"{INBOX}/messages", Accept_Encoding="gzip")
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(answer.json()["value"]) == 3


def test_a_lone_surrogate_goes_out_as_an_escape(desk: Desk, me: Graph) -> None:
    desk.box.deliver(subject="Emoji", text="x" * 254 + "🚨")
    answer = me.get(f"{INBOX}/messages?$select=bodyPreview")
    assert b"\\ud83d" in answer.data


def test_ids_are_translated(desk: Desk, me: Graph) -> None:
    immutable = desk.box.deliver(subject="Known")
    default = me.get("/me/messages").json()["value"][0]["id"]
    body = {"inputIds": [default], "sourceIdType": "restId", "targetIdType": "restImmutableEntryId"}
    answer = me.send("POST", "/me/translateExchangeIds", body).json()["value"]
    assert answer == [{"sourceId": default, "targetId": immutable}]
