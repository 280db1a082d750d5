"""The plainest client there is: what the tests say goes over the wire as it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import urllib3

from flask_ms365.simulator import App, Mailbox, Simulator, User

Response = urllib3.BaseHTTPResponse

REDIRECT_URI = "http://localhost:5000/ms365/oauth/callback"
SCOPE = "openid profile offline_access User.Read Mail.Read"
http = urllib3.PoolManager(maxsize=8, retries=False, timeout=30)


@dataclass(frozen=True)
class Place:
    """Where the claims are tested: the simulator, or a real tenant."""

    login: str
    graph: str
    tenant: str
    client_id: str
    client_secret: str
    mailbox: str
    scope: str

    def token(self, tenant: str | None = None, **changed: str | None) -> Response:
        """Ask for a token; app-only unless told otherwise."""
        fields = {
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "grant_type": "client_credentials",
            "scope": self.scope,
            **changed,
        }
        url = f"{self.login}/{tenant or self.tenant}/oauth2/v2.0/token"
        return post(url, {name: value for name, value in fields.items() if value is not None})


@dataclass(frozen=True)
class Graph:
    """Graph with a token; paths are below /v1.0."""

    url: str
    token: str

    def get(self, path: str, **headers: str) -> Response:
        """GET a path, or a link as it came."""
        return self.send("GET", path, **headers)

    def send(self, method: str, path: str, body: object = None, **headers: str) -> Response:
        """Send a request; `Prefer` and the like are keywords."""
        url = path if path.startswith("http") else f"{self.url}/v1.0{path}"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"Authorization": f"Bearer {self.token}", **named}
        return http.request(method, url, headers=sent, json=body)

    def round(self, path: str, **headers: str) -> tuple[list[dict[str, Any]], str]:
        """Follow the pages of a delta query: all its values and the delta link."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.get(path, **headers).json()
            found += page["value"]
            if "@odata.deltaLink" in page:
                return found, page["@odata.deltaLink"]
            path = page["@odata.nextLink"]


@dataclass(frozen=True)
class Desk:
    """A person at a browser: what needs a delegated sign-in, and what only the simulator can be told."""

    simulator: Simulator
    app: App
    user: User

    @property
    def box(self) -> Mailbox:
        """The person's mailbox."""
        return self.user.mailbox

    def discovery(self, tenant: str | None = None) -> Response:
        """The discovery document of a tenant."""
        tenant = tenant or self.simulator.tenant_id
        return http.request("GET", f"{self.simulator.url}/{tenant}/v2.0/.well-known/openid-configuration")

    def app_only(self, tenant: str | None = None, **changed: str | None) -> Response:
        """Ask for a token of the app's own."""
        fields = {"grant_type": "client_credentials", "scope": "https://graph.microsoft.com/.default"}
        return self.token(tenant, **fields | changed)

    def authorize(self, tenant: str | None = None, **changed: str | None) -> Response:
        """Open the sign-in form."""
        url = self.authorize_url(**changed)
        return http.request("GET", url.replace(self.simulator.tenant_id, tenant) if tenant else url, redirect=False)

    def authorize_url(self, **changed: str | None) -> str:
        """The address of the sign-in form."""
        fields = {
            "client_id": self.app.client_id,
            "response_type": "code",
            "redirect_uri": REDIRECT_URI,
            "scope": SCOPE,
            "state": "s-42",
            "nonce": "n-42",
            **changed,
        }
        query = urlencode({name: value for name, value in fields.items() if value is not None})
        return f"{self.simulator.url}/{self.simulator.tenant_id}/oauth2/v2.0/authorize?{query}"

    def accept(self, action: str = "accept", password: str = "ana", **changed: str | None) -> Response:
        """Fill in the form."""
        fields = {"username": self.user.upn, "password": password, "action": action}
        return post(self.authorize_url(**changed), fields)

    def code(self, **changed: str | None) -> str:
        """Sign in, and take the code from the redirect."""
        return query_of(self.accept("accept", "ana", **changed))["code"]

    def token(self, tenant: str | None = None, **changed: str | None) -> Response:
        """Ask for a token with the app's secret."""
        fields = {"client_id": self.app.client_id, "client_secret": self.app.client_secret, **changed}
        url = f"{self.simulator.url}/{tenant or self.simulator.tenant_id}/oauth2/v2.0/token"
        return post(url, {name: value for name, value in fields.items() if value is not None})

    def consent_for_all(
        self,
        action: str = "accept",
        path: str = "v2.0/adminconsent",
        scope: str = "https://graph.microsoft.com/.default",
    ) -> Response:
        """Fill in the form of admin consent."""
        fields = {
            "client_id": self.app.client_id,
            "redirect_uri": REDIRECT_URI,
            "scope": scope,
            "username": self.user.upn,
            "password": "ana",
            "action": action,
        }
        return post(f"{self.simulator.url}/{self.simulator.tenant_id}/{path}", fields)

    def redeem(self, code: str, **changed: str | None) -> Response:
        """Redeem a code."""
        return self.token(**{"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT_URI} | changed)

    def refresh(self, refresh_token: str, **changed: str | None) -> Response:
        """Use a refresh token."""
        return self.token(**{"grant_type": "refresh_token", "refresh_token": refresh_token} | changed)

    def graph(self, **changed: str | None) -> Graph:
        """Graph, signed in as the person."""
        return Graph(self.simulator.url, self.redeem(self.code(**changed)).json()["access_token"])


def post(url: str, fields: dict[str, str], **headers: str) -> Response:
    """POST a form."""
    # urllib3 types every further keyword as str
    return http.request_encode_body(
        "POST",
        url,
        fields=fields,
        headers=headers,
        encode_multipart=False,
        redirect=False,  # type: ignore[arg-type]
    )


def query_of(response: Response) -> dict[str, str]:
    """The parameters of a redirect."""
    return {name: values[0] for name, values in parse_qs(urlsplit(response.headers["Location"]).query).items()}


def error_of(response: Response) -> tuple[int, str, int]:
    """Status, error and AADSTS number of a refused token request."""
    body = response.json()
    return response.status, body["error"], body["error_codes"][0]


def page_error_of(response: Response) -> tuple[bool, int]:
    """Whether a browser stays on Microsoft's page, and the AADSTS number there."""
    found = re.search(rb"AADSTS(\d+)", response.data)
    return "Location" not in response.headers, int(found[1]) if found else 0


def redirect_error_of(response: Response) -> tuple[str, int]:
    """The error that the app gets back, and its AADSTS number."""
    back = query_of(response)
    return back["error"], int(back["error_description"].partition(":")[0].removeprefix("AADSTS"))


def graph_error_of(response: Response) -> tuple[int, str]:
    """Status and code of a refused Graph call."""
    return response.status, response.json()["error"]["code"]
