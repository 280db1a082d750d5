"""Sign-in service and Graph with an app's own token: over a real tenant, too."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

import pytest

from .client import Graph, Place, Response, error_of, graph_error_of, http

IMMUTABLE = 'IdType="ImmutableId"'
NOWHERE = "11111111-2222-4333-8444-555555555555"


def discovery(place: Place, tenant: str) -> Response:
    return http.request("GET", f"{place.login}/{tenant}/v2.0/.well-known/openid-configuration")


def test_discovery_names_the_issuer_of_the_tenant(place: Place) -> None:
    assert discovery(place, place.tenant).json()["issuer"] == f"{place.login}/{place.tenant}/v2.0"


def test_discovery_of_common_has_a_literal_tenantid(place: Place) -> None:
    assert discovery(place, "common").json()["issuer"] == f"{place.login}/{{tenantid}}/v2.0"


def test_discovery_of_an_unknown_tenant_is_invalid_tenant_90002(place: Place) -> None:
    assert error_of(discovery(place, NOWHERE)) == (400, "invalid_tenant", 90002)


@pytest.mark.parametrize(("tenant", "number"), [("unknown.contoso.example", 90002), ("nonsense", 900023)])
def test_a_wrong_tenant_is_told_alike_by_discovery_and_token(place: Place, tenant: str, number: int) -> None:
    assert error_of(discovery(place, tenant)) == (400, "invalid_tenant", number)
    assert error_of(place.token(tenant)) == (400, "invalid_request", number)


def test_discovery_of_consumers_names_the_tenant_of_personal_accounts(place: Place) -> None:
    assert discovery(place, "consumers").json()["issuer"].endswith("/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0")


def test_discovery_names_the_graph_of_its_cloud(place: Place) -> None:
    assert discovery(place, place.tenant).json()["msgraph_host"] == "graph.microsoft.com"


def test_discovery_is_dated(place: Place) -> None:
    assert parsedate_to_datetime(discovery(place, place.tenant).headers["Date"])


def test_each_signing_key_names_its_issuer(place: Place) -> None:
    keys = http.request("GET", discovery(place, place.tenant).json()["jwks_uri"]).json()["keys"]
    assert all(key["kty"] == "RSA" and key["issuer"].startswith(place.login) for key in keys)


def test_an_app_only_token_comes_without_refresh_token(place: Place) -> None:
    assert set(place.token().json()) == {"token_type", "expires_in", "ext_expires_in", "access_token"}


def test_a_token_is_not_to_be_stored(place: Place) -> None:
    assert "no-store" in place.token().headers["Cache-Control"]


def test_a_wrong_secret_is_invalid_client_7000215(place: Place) -> None:
    assert error_of(place.token(client_secret="wrong")) == (401, "invalid_client", 7000215)


def test_a_missing_secret_is_invalid_client_7000216(place: Place) -> None:
    assert error_of(place.token(client_secret=None)) == (401, "invalid_client", 7000216)


def test_an_unknown_app_is_unauthorized_client_700016(place: Place) -> None:
    assert error_of(place.token(client_id=NOWHERE)) == (400, "unauthorized_client", 700016)


def test_the_tenant_id_is_no_client_id(place: Place) -> None:
    assert error_of(place.token(client_id=place.tenant)) == (400, "unauthorized_client", 700016)


def test_a_client_id_is_a_guid_or_90112(place: Place) -> None:
    assert error_of(place.token(client_id="no-such-app"))[2] == 90112


def test_a_guid_is_never_the_secret(place: Place) -> None:
    assert error_of(place.token(client_secret=NOWHERE)) == (401, "invalid_client", 7000215)


@pytest.mark.parametrize("tenant", ["common", "consumers"])
def test_app_only_over_a_shared_endpoint_is_9001023(place: Place, tenant: str) -> None:
    assert error_of(place.token(tenant)) == (400, "invalid_request", 9001023)


def test_the_token_endpoint_accepts_post_alone(place: Place) -> None:
    answer = http.request("GET", f"{place.login}/{place.tenant}/oauth2/v2.0/token")
    assert b"AADSTS900561" in answer.data


def test_an_error_carries_its_trace_ids(place: Place) -> None:
    body = place.token(client_secret="wrong").json()
    assert body["trace_id"] in body["error_description"]
    assert body["correlation_id"] in body["error_description"]


def test_me_is_not_for_app_only_tokens(graph: Graph) -> None:
    assert graph_error_of(graph.get("/me")) == (400, "BadRequest")


def test_an_invented_token_is_401(place: Place) -> None:
    answer = Graph(place.graph, "invented").get(f"/users/{place.mailbox}/mailFolders/inbox")
    assert graph_error_of(answer) == (401, "InvalidAuthenticationToken")


def test_an_error_carries_its_request_id(place: Place, home: str) -> None:
    answer = Graph(place.graph, "invented").get(f"{home}/messages")
    inner = {name.lower(): value for name, value in answer.json()["error"].items()}["innererror"]
    assert inner["request-id"] == answer.headers["request-id"]


def test_an_unknown_user_is_404(graph: Graph) -> None:
    assert graph.get("/users/nobody@nowhere.example/mailFolders/inbox").status == 404


def test_a_well_known_name_is_an_id(graph: Graph, home: str) -> None:
    inbox = graph.get(f"{home}/mailFolders/inbox").json()
    assert graph.get(f"{home}/mailFolders/{inbox['id']}").json()["displayName"] == inbox["displayName"]


def test_folders_come_in_pages(graph: Graph, home: str) -> None:
    page = graph.get(f"{home}/mailFolders?$top=2").json()
    assert len(page["value"]) == 2
    assert len(graph.get(page["@odata.nextLink"]).json()["value"]) == 2


def test_messages_come_ten_a_page(graph: Graph, home: str) -> None:
    page = graph.get(f"{home}/messages").json()
    assert len(page["value"]) == 10
    assert page["@odata.nextLink"].startswith(graph.url)


def test_select_leaves_id_and_what_was_selected(graph: Graph, home: str) -> None:
    message = graph.get(f"{home}/messages?$select=subject&$top=1").json()["value"][0]
    assert set(message) == {"@odata.etag", "id", "subject"}


def test_an_unknown_property_is_refused(graph: Graph, home: str) -> None:
    assert graph.get(f"{home}/messages?$select=nonsense").status == 400


def test_a_delta_page_has_exactly_one_link(graph: Graph, home: str) -> None:
    page = graph.get(f"{home}/mailFolders/inbox/messages/delta?$select=id", Prefer="odata.maxpagesize=2").json()
    assert ("@odata.nextLink" in page) != ("@odata.deltaLink" in page)


def test_delta_obeys_maxpagesize(graph: Graph, home: str) -> None:
    page = graph.get(f"{home}/mailFolders/inbox/messages/delta?$select=id", Prefer="odata.maxpagesize=3").json()
    assert len(page["value"]) <= 3


def test_an_empty_round_ends_in_a_delta_link(graph: Graph, home: str) -> None:
    _, link = graph.round(f"{home}/mailFolders/drafts/messages/delta?$select=id")
    assert graph.round(link)[0] == []


def test_immutable_ids_are_other_ids(graph: Graph, home: str) -> None:
    path = f"{home}/messages?$select=id&$top=1&$orderby=receivedDateTime asc".replace(" ", "%20")
    default, immutable = graph.get(path), graph.get(path, Prefer=IMMUTABLE)
    assert default.json()["value"][0]["id"] != immutable.json()["value"][0]["id"]


def test_a_preference_that_was_applied_is_named(graph: Graph, home: str) -> None:
    answer = graph.get(f"{home}/messages?$top=1", Prefer='outlook.body-content-type="text"')
    assert 'outlook.body-content-type="text"' in answer.headers["Preference-Applied"]


def test_a_text_body_has_no_tags(graph: Graph, home: str) -> None:
    path = f"{home}/messages?$top=1&$select=body"
    body = graph.get(path, Prefer='outlook.body-content-type="text"').json()["value"][0]["body"]
    assert body["contentType"] == "text"
    assert "<html" not in body["content"]


def test_an_id_in_other_letter_case_is_another_id(graph: Graph, home: str) -> None:
    message_id = graph.get(f"{home}/messages?$select=id&$top=1").json()["value"][0]["id"]
    assert graph.get(f"{home}/messages/{message_id.lower()}").status in (400, 404)


def test_mime_is_plain_text(graph: Graph, home: str) -> None:
    message_id = graph.get(f"{home}/messages?$select=id&$top=1").json()["value"][0]["id"]
    answer = graph.get(f"{home}/messages/{message_id}/$value")
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert b"Subject:" in answer.data


@pytest.mark.parametrize(("count", "status"), [(20, 200), (21, 400)])
def test_a_batch_takes_twenty_calls(graph: Graph, home: str, count: int, status: int) -> None:
    calls = [{"id": str(i), "method": "GET", "url": f"{home}/mailFolders/inbox?$select=id"} for i in range(count)]
    assert graph.send("POST", "/$batch", {"requests": calls}).status == status


def test_each_call_of_a_batch_has_its_own_status(graph: Graph, home: str) -> None:
    calls = [
        {"id": "good", "method": "GET", "url": f"{home}/mailFolders/inbox"},
        {"id": "bad", "method": "GET", "url": f"{home}/mailFolders/nonsense"},
    ]
    answer = graph.send("POST", "/$batch", {"requests": calls}).json()["responses"]
    assert {one["id"]: one["status"] for one in answer} == {"good": 200, "bad": 400}
