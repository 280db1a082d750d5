"""The simulator: a tenant that is served over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType

from .clock import Clock, utc_now
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
    """

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
        self.scripts.clear()
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

    def drop_connection(self, path_pattern: str, times: int | None = 1, method: str | None = None) -> None:
        """Hang up on the next requests whose path matches a regular expression."""
        self.scripts.add(path_pattern, method=method, times=times, status=None, body=None, headers={})

    def count(self, method: str, path: str) -> int:
        """How many requests of a method had this in their path."""
        return sum(record.method == method and path in record.path for record in self.requests)
