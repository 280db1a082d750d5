"""Ways to get something wrong, each on the desk of an admin who had it right."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

from flask_ms365.settings import USE_DEFAULT
from flask_ms365.settings.values import UseDefault
from flask_ms365.simulator import Simulator
from tests.check.conftest import Desk

Arrange = Callable[[Desk], None]


def settings(**changes: str | UseDefault) -> Arrange:
    return lambda desk: desk.save(**changes)


def registered(**values: object) -> Arrange:
    """Let the app registration have other values."""

    def arrange(desk: Desk) -> None:
        for name, value in values.items():
            setattr(desk.app, name, value)

    return arrange


def restarted(**config: object) -> Arrange:
    return lambda desk: desk.restart(**config)


def days_from_now(days: int) -> str:
    return (date.today() + timedelta(days=days)).isoformat()


def another_tenant(desk: Desk) -> None:
    desk.save(tenant_id=desk.simulator.add_tenant("fabrikam.example"))


def single_tenant_app_elsewhere(desk: Desk) -> None:
    other = desk.simulator.add_tenant("fabrikam.example")
    desk.app.installed_in.add(other)
    desk.app.sign_in_audience = "AzureADMyOrg"
    desk.save(tenant_id=other)


def tenant_of_another_cloud(desk: Desk) -> None:
    desk.save(tenant_id=desk.simulator.add_tenant_of_another_cloud("fabrikam.example", "usgov"))


def tenant_of_china(desk: Desk) -> None:
    desk.simulator.add_tenant_of_another_cloud("fabrikam.example", "china")
    desk.save(tenant_id="fabrikam.example")


def gcc_high_instead_of_dod(desk: Desk) -> None:
    desk.simulator.cloud = "usgov_dod"
    desk.save(cloud="usgov")


def client_id_pasted_twice(desk: Desk) -> None:
    desk.save(client_id=desk.simulator.tenant_id)


def mistyped_secret(desk: Desk) -> None:
    desk.save(client_secret=desk.app.client_secret[:-1] + ("a" if desk.app.client_secret[-1] != "a" else "b"))


def half_a_secret(desk: Desk) -> None:
    desk.save(client_secret=desk.app.client_secret[:20])


def first_secret_is_wrong(desk: Desk) -> None:
    desk.save(client_secret=USE_DEFAULT)
    mistyped_secret(desk)


def sync_without_worker(desk: Desk) -> None:
    desk.save(email_sync="1")
    desk.pass_time(minutes=20)


def silent_worker(desk: Desk) -> None:
    desk.save(email_sync="1")
    desk.tick()
    desk.pass_time(hours=3)


def no_mailbox_any_more(desk: Desk) -> None:
    desk.connect()
    desk.ana.has_mailbox = False


def graph_is_blocked(desk: Desk) -> None:
    desk.connect()
    desk.simulator.drop_connection(Simulator.GRAPH, times=None)


def sign_in_revoked(desk: Desk) -> None:
    desk.connect()
    desk.simulator.revoke(desk.ana)
    desk.simulator.expire_access_tokens()


def consent_withdrawn(desk: Desk) -> None:
    desk.connect()
    desk.app.withdraw_consent()
    desk.simulator.expire_access_tokens()


def sign_in_of_a_disabled_user(desk: Desk) -> None:
    desk.connect()
    desk.ana.is_enabled = False
    desk.simulator.expire_access_tokens()
