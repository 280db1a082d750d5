"""The simulator as a server: its log, its faults, its control door, its command line and its fixtures."""

from __future__ import annotations

import gc
import socket
import struct
import threading
import warnings
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
import urllib3

from flask_ms365.simulator import Mailbox, Simulator
from flask_ms365.simulator.__main__ import main

http = urllib3.PoolManager(retries=False, timeout=30)


def control(simulator: Simulator, path: str, **arguments: object) -> urllib3.BaseHTTPResponse:
    return http.request("POST", f"{simulator.url}/_simulator/{path}", json=arguments)


def state(simulator: Simulator) -> dict[str, Any]:
    answer: dict[str, Any] = http.request("GET", f"{simulator.url}/_simulator/state").json()
    return answer


def test_a_request_is_logged_without_its_credentials(simulator: Simulator) -> None:
    http.request("GET", f"{simulator.url}/v1.0/me?$select=id", headers={"Authorization": "Bearer x.y", "Prefer": "y=1"})
    (record,) = simulator.requests
    assert (record.method, record.path, record.query, record.status) == ("GET", "/v1.0/me", "$select=id", 401)
    assert record.headers["prefer"] == "y=1"
    assert record.headers["authorization"] == "Bearer"


def test_requests_are_counted_by_method_and_path(simulator: Simulator) -> None:
    http.request("POST", f"{simulator.url}/common/oauth2/v2.0/token", fields={})
    assert (simulator.count("POST", "/token"), simulator.count("GET", "/token")) == (1, 0)


def test_a_scripted_answer_is_given_as_often_as_said(simulator: Simulator) -> None:
    simulator.fail_next(r"/token$", 503, body={"error": "server_error"}, headers={"Retry-After": "7"}, times=2)
    answers = [http.request("POST", f"{simulator.url}/common/oauth2/v2.0/token", fields={}) for _ in range(3)]
    assert [answer.status for answer in answers] == [503, 503, 400]
    assert answers[0].headers["Retry-After"] == "7"


def test_the_server_may_hang_up(simulator: Simulator) -> None:
    simulator.drop_connection("/keys$")
    with pytest.raises(urllib3.exceptions.ProtocolError):
        http.request("GET", f"{simulator.url}/common/discovery/v2.0/keys")


def test_connections_are_kept(simulator: Simulator) -> None:
    with urllib3.HTTPConnectionPool("127.0.0.1", int(simulator.url.rpartition(":")[2])) as pool:
        for _ in range(3):
            pool.request("POST", "/common/oauth2/v2.0/token", fields={"client_id": "x"})
        assert pool.num_connections == 1


def test_a_stopped_simulator_comes_back_where_it_was() -> None:
    simulator = Simulator().start()
    url = simulator.url
    simulator.add_user("ana@contoso.example")
    simulator.stop()
    with pytest.raises(urllib3.exceptions.NewConnectionError):
        http.request("GET", f"{url}/_simulator/state")
    with simulator:
        assert simulator.url == url
        assert len(state(simulator)["users"]) == 1


def test_reset_forgets_everybody_and_keeps_the_address(simulator: Simulator) -> None:
    before = (simulator.url, simulator.tenant_id)
    simulator.add_user("ana@contoso.example")
    simulator.fail_next("/", 500)
    simulator.reset()
    assert (simulator.url, simulator.tenant_id) == before
    assert state(simulator)["users"] == []


def test_another_process_delivers_mail(simulator: Simulator, box: Mailbox) -> None:
    answer = control(
        simulator, "ana@contoso.example/deliver", subject="Order", received_at="2026-09-01T08:00:00Z"
    ).json()
    (message,) = state(simulator)["users"][0]["messages"]
    assert (message["id"], message["subject"]) == (answer["result"], "Order")
    assert message["received_at"] == "2026-09-01T08:00:00Z"


def test_another_process_delivers_a_mime_text(simulator: Simulator, box: Mailbox) -> None:
    control(simulator, "ana@contoso.example/deliver", mail="Subject: Order\n\nHello")
    assert [m.subject for m in box.messages()] == ["Order"]


def test_another_process_moves_and_reads_mail(simulator: Simulator, box: Mailbox) -> None:
    message_id = box.deliver(subject="Order")
    control(simulator, "ana@contoso.example/move", message_id=message_id, folder="archive")
    control(simulator, "ana@contoso.example/mark_read", message_id=message_id)
    assert [(m.folder_name, m.is_read) for m in box.messages()] == [("Archive", True)]


@pytest.mark.parametrize(
    ("path", "arguments", "status"),
    [
        ("nobody@contoso.example/deliver", {}, 404),
        ("ana@contoso.example/messages", {}, 404),
        ("ana@contoso.example/move", {"message_id": "x"}, 400),
        ("ana@contoso.example/deliver", {"folder": "Nowhere"}, 400),
        ("revoke", {"user": "nobody"}, 404),
        ("revoke", {"user": "ana@contoso.example"}, 200),
    ],
)
def test_the_control_door_says_what_is_wrong(
    simulator: Simulator, box: Mailbox, path: str, arguments: dict[str, object], status: int
) -> None:
    answer = control(simulator, path, **arguments)
    assert answer.status == status
    assert ("error" in answer.json()) == (status != 200)


def test_the_command_line_prints_the_configuration(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(b"Subject: One\n\nHello")
    (tmp_path / "b.png").write_bytes(b"\x89PNG")
    stop = threading.Event()
    stop.set()
    assert main(["--port", "0", "--mail", str(tmp_path), "--redirect-uri", "https://app.example/cb"], stop) == 0
    printed = capsys.readouterr().out
    for key in ("CLIENT_ID", "CLIENT_SECRET", "TENANT_ID", "AUTHORITY_URL", "GRAPH_URL"):
        assert f'MS365_{key} = "' in printed
    assert "# Redirect URI: https://app.example/cb" in printed
    assert "# 1 messages loaded, 1 files not readable" in printed
    assert "b.png" in printed


def test_every_answer_is_dated(simulator: Simulator) -> None:
    answer = http.request("GET", f"{simulator.url}/_simulator/state")
    assert parsedate_to_datetime(answer.headers["Date"])


def test_the_fixtures_give_a_fresh_mailbox(ms365_simulator: Simulator, ms365_mailbox: Mailbox) -> None:
    assert ms365_mailbox.messages() == []
    assert [user.upn for user in ms365_simulator.users.values()] == ["ana@contoso.example"]


def test_a_client_that_is_gone_leaves_nothing_open() -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", ResourceWarning)
        with Simulator(port=0) as simulator:
            for _ in range(20):
                _ask_and_vanish(simulator)
        for thread in threading.enumerate():
            if "process_request_thread" in thread.name:
                thread.join(10)
        gc.collect()
    assert [str(warning.message) for warning in told] == []


def _ask_and_vanish(simulator: Simulator) -> None:
    """Send requests and reset the connection: what is answered cannot be written any more."""
    host, port = simulator.url.removeprefix("http://").split(":")
    path = f"/{simulator.tenant_id}/discovery/v2.0/keys"
    with socket.create_connection((host, int(port))) as gone:
        gone.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode() * 20)
        gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
