"""The simulator: a tenant that is served over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from types import TracebackType

from .clock import Clock, utc_now
from .errors import SignInError
from .graph import Graph
from .journal import Journal, Scripts
from .server import Server
from .tenant import Tenant
from .wsgi import Application


class Simulator(Tenant):
    """A Microsoft 365 on loopback. Its `url` is both the authority and Graph::

    with Simulator() as simulator:
        app = simulator.register_app(redirect_uris=["http://localhost:5000/callback"])
        ana = simulator.add_user("ana@contoso.example", password="ana")
        ana.mailbox.deliver(subject="Hello", text="Good morning")

    `date_skew` is how far the `Date` header of its answers is ahead of the clock. The constants are path patterns for
    `fail_next` and its like.
    """

    SIGN_IN = r"^/(?!v1\.0/|_simulator/)"
    DISCOVERY = r"/openid-configuration$"
    TOKEN = r"/oauth2/v2\.0/token$"
    GRAPH = r"^/v1\.0/"

    date_skew = timedelta()

    def __init__(
        self,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        domain: str = "contoso.onmicrosoft.com",
        clock: Clock = utc_now,
    ) -> None:
        self.requests = Journal()
        self.scripts = Scripts()
        super().__init__(domain=domain, clock=clock)
        self.graph = Graph(self)
        self.application = Application(self)
        self._server = Server(self.application, host, port)

    def __enter__(self) -> Simulator:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The origin of the login service and of Graph."""
        return self._server.url

    @property
    def latency(self) -> float:
        """How many seconds every call to a mailbox takes at least."""
        return self.graph.latency

    @latency.setter
    def latency(self, seconds: float) -> None:
        self.graph.latency = seconds

    def start(self) -> Simulator:
        """Listen. A stopped simulator comes back on the same port, with everything it knew."""
        self._server.start()
        return self

    def stop(self) -> None:
        """Close the port and every connection; nothing is forgotten."""
        self._server.stop()

    def reset(self) -> None:
        """Forget everybody and everything but the address and the tenant id."""
        self.empty()
        self.latency = 0.0
        self.date_skew = timedelta()
        self.stop_failing()
        self.requests.clear()

    def fail_next(
        self,
        path_pattern: str,
        status: int,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        times: int | None = 1,
        method: str | None = None,
    ) -> None:
        """Answer the next requests whose path matches a regular expression with this; `times` None is for ever."""
        self.scripts.add(
            path_pattern, method=method, times=times, status=status, body=body, headers=dict(headers or {})
        )

    def fail_in_batch(
        self,
        path_pattern: str,
        status: int | None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        times: int | None = 1,
        method: str | None = None,
    ) -> None:
        """Answer the next calls in a `$batch` whose path matches with this; `status` None leaves their answer out."""
        self.graph.batch_scripts.add(
            path_pattern, method=method, times=times, status=status, body=body, headers=dict(headers or {})
        )

    def refuse_token(self, code: int, *, retry_after: str | None = None, times: int | None = 1) -> None:
        """Answer the next token requests with an AADSTS error, whatever they ask."""
        error = SignInError(code)
        headers = {"Retry-After": retry_after} if retry_after else {}
        self.fail_next(self.TOKEN, error.status, error.body(self.clock()), headers, times=times)

    def redirect_next(self, path_pattern: str, location: str, status: int = 302, times: int | None = 1) -> None:
        """Send the next requests whose path matches a regular expression somewhere else."""
        self.fail_next(path_pattern, status, headers={"Location": location}, times=times)

    def intercept(self, path_pattern: str, times: int | None = 1) -> None:
        """Answer the next requests whose path matches with a page of somebody else, as a hotel's Wi-Fi does."""
        page = "<!doctype html><title>Welcome</title><p>Accept the terms of this network to go on."
        self.fail_next(path_pattern, 200, page, {"Content-Type": "text/html; charset=utf-8"}, times=times)

    def drop_connection(self, path_pattern: str, times: int | None = 1, method: str | None = None) -> None:
        """Hang up on the next requests whose path matches a regular expression."""
        self.scripts.add(path_pattern, method=method, times=times, status=None, body=None, headers={})

    def stop_failing(self) -> None:
        """Forget what the next requests should meet."""
        self.scripts.clear()
        self.graph.batch_scripts.clear()

    def count(self, method: str, path: str) -> int:
        """How many requests of a method had this in their path."""
        return sum(record.method == method and path in record.path for record in self.requests)
