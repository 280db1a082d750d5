"""The extension object: the one place that wires the rooms of the house together."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any, TypeVar

from flask import Flask, current_app
from flask_sqlalchemy import SQLAlchemy

from flask_ms365.check.chain import HostCheck
from flask_ms365.check.outcome import Outcome
from flask_ms365.check.runs import Check
from flask_ms365.check.subject import Address, Subject
from flask_ms365.cli import ms365_cli
from flask_ms365.config import apply_defaults
from flask_ms365.crypto import keyring_from
from flask_ms365.database import create_tables, host_database, own_database
from flask_ms365.errors import ConfigurationError
from flask_ms365.identity.registration import AppRegistration
from flask_ms365.identity.sign_in import SignIn
from flask_ms365.identity.tokens import Tokens
from flask_ms365.jobs.hook import JOB_ID, TICK, EmailSyncJob, JobHook, hook_from_config
from flask_ms365.jobs.start import start_with_first_request
from flask_ms365.mailboxes.connect import Connect
from flask_ms365.models import join_metadata
from flask_ms365.models.base import AnySession
from flask_ms365.permissions import Permission
from flask_ms365.settings import Settings
from flask_ms365.settings.drafts import Drafts
from flask_ms365.settings.registration import app_registration
from flask_ms365.settings.reminder import Reminder
from flask_ms365.state import State, current_state
from flask_ms365.sync.changes import Handler
from flask_ms365.sync.mailbox_client import MailboxClients
from flask_ms365.sync.report import RunReport, TickReport
from flask_ms365.sync.runner import Runner
from flask_ms365.web.access import flask_login_user_id
from flask_ms365.web.blueprint import create_blueprint
from flask_ms365.web.csp import csp_sources
from flask_ms365.web.words import NavItem, nav

HandlerT = TypeVar("HandlerT", bound=Handler)
HostCheckT = TypeVar("HostCheckT", bound=Callable[[], Outcome])
ReportT = TypeVar("ReportT", RunReport, TickReport)


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)


def _as_text(current_user_id: Callable[[], Any]) -> Callable[[], str | None]:
    """Take a host's numbers too: ids are compared as the text that they are stored as."""

    def user_id() -> str | None:
        value = current_user_id()
        return None if value is None else str(value)

    return user_id


def _subject(app: Flask, clients: MailboxClients, address: Address | None) -> Subject:
    """Return the present app as the connection check looks at it."""
    state = current_state()
    return Subject(
        snapshot=state.settings.read(),
        config=app.config,
        session=state.session,
        keyring=state.keyring,
        clients=clients,
        registration=state.registration,
        engine=state.engine,
        hook_problem=state.hook_problem,
        clock=state.clock,
        address=address,
    )


class MS365:
    """Microsoft 365 mail for Flask apps.

    One object may serve several apps; what belongs to an app is kept with the app.

    :param app: call :meth:`init_app` at once, with the remaining options
    :param clock: returns the present time, aware; tests move it
    """

    def __init__(self, app: Flask | None = None, *, clock: Callable[[], datetime] = _utc_now, **options: Any) -> None:
        self._clock = clock
        self._handlers: list[Handler] = []
        self._host_checks: list[HostCheck] = []
        if app is not None:
            self.init_app(app, **options)

    def init_app(
        self,
        app: Flask,
        *,
        db: SQLAlchemy | None = None,
        authorize: Callable[[Permission], bool] | None = None,
        current_user_id: Callable[[], str | None] | None = None,
        directory: Any = None,
        job_hook: JobHook | None = None,
    ) -> None:
        """Mount the pages and commands on ``app``. Starts no thread and asks Microsoft nothing.

        :param db: the host's Flask-SQLAlchemy; without it the extension keeps an SQLite file in the instance folder
        :param authorize: tells whether the present visitor has a :class:`Permission`; without it every page says 403
        :param current_user_id: tells who the visitor is, or None; without it Flask-Login is asked, where installed
        :param directory: names and roles of the host's users
        :param job_hook: the host's scheduler; without it ``MS365_JOB_HOOK`` decides
        :raises ConfigurationError: the app has an MS365 already, a database that was not passed, or bad config
        """
        if "ms365" in app.extensions:
            raise ConfigurationError("This app has Flask-MS365 already. Call init_app once for each app.")
        apply_defaults(app.config)
        database = own_database(app) if db is None else host_database(app, db)
        join_metadata(database.metadata)
        state = self._wire(app, database.session, job_hook)
        state.authorize, state.directory = authorize, directory
        state.current_user_id = _as_text(current_user_id) if current_user_id else flask_login_user_id
        app.extensions["ms365"] = self
        app.extensions["ms365.state"] = state
        app.register_blueprint(create_blueprint(), url_prefix=app.config["MS365_URL_PREFIX"])
        if db is None:
            create_tables(app, database)
        app.cli.add_command(ms365_cli)
        start_with_first_request(app, register_if_on=state.register_if_on, session=state.session)

    @property
    def settings(self) -> Settings:
        """The settings of the current app."""
        return current_state().settings

    def tick(self) -> TickReport:
        """Sync the mailboxes that are due, in the current app. Any engine may call this at any time."""
        return self._in_own_context(lambda state: state.runner.tick())

    def sync_mailbox(self, mailbox_id: int) -> RunReport:
        """Sync one mailbox now, unless the toggle is off, it rests, or another worker has it."""
        return self._in_own_context(lambda state: state.runner.run(mailbox_id))

    def on_message(self, handler: HandlerT) -> HandlerT:
        """Register ``handler(message, change)``, called inside the transaction that stores the message.

        What it adds to the host's ``db.session`` is stored with the message or not at all. It must not commit, roll
        back, or talk to a network. May be used before :meth:`init_app`.
        """
        self._handlers.append(handler)
        return handler

    def check(self, name: str) -> Callable[[HostCheckT], HostCheckT]:
        """Register a step of the host's own for the connection check, in the page and at the command line.

        The function takes nothing and returns what ``passed``, ``warning``, ``failed`` or ``not_checked`` of
        :mod:`flask_ms365.check` make. May be used before :meth:`init_app`.
        """

        def register(check: HostCheckT) -> HostCheckT:
            self._host_checks.append((name, check))
            return check

        return register

    def csp_sources(self) -> dict[str, list[str]]:
        """Return what a host's Content-Security-Policy must allow for our pages, by directive."""
        return csp_sources(current_state())

    def nav(self) -> list[NavItem]:
        """Return our pages that the present visitor may use, for the host's own menu.

        Each has ``label``, ``url``, ``is_current`` and ``badge`` (how many mailboxes need a person, or None).
        """
        return nav()

    def _wire(self, app: Flask, session: AnySession, job_hook: JobHook | None) -> State:
        """Make the services of one app; none of them holds the extension, and none starts anything."""
        keyring, clock = keyring_from(app.config), self._clock
        settings = Settings(
            app=app,
            session=session,
            keyring=keyring,
            clock=clock,
            after_toggle=lambda is_on: current_state().reconcile_job(is_on),
        )
        settings.deployment.check()

        def registration() -> AppRegistration:
            return app_registration(settings, app.config)

        tokens = Tokens(session=session, keyring=keyring, clock=clock)
        clients = MailboxClients(session=session, tokens=tokens, registration=registration)
        connect = Connect(
            app=app,
            session=session,
            keyring=keyring,
            sign_in=SignIn(session=session, keyring=keyring, clock=clock),
            clients=clients,
            registration=registration,
            clock=clock,
            wake=lambda mailbox_id: current_state().wake(mailbox_id),
        )
        runner = Runner(
            app=app,
            session=session,
            settings=settings,
            clients=clients,
            handlers=self._handlers,
            clock=clock,
            remind=Reminder(app=app, session=session, settings=settings, clock=clock).remind,
        )

        def tick() -> TickReport:
            with app.app_context():
                return runner.tick()

        return State(
            session=session,
            keyring=keyring,
            settings=settings,
            drafts=Drafts(session=session, keyring=keyring, clock=clock),
            check=Check(
                session=session,
                clock=clock,
                subject=lambda address: _subject(app, clients, address),
                host_checks=self._host_checks,
            ),
            registration=registration,
            connect=connect,
            runner=runner,
            hook=job_hook or hook_from_config(app),
            job=EmailSyncJob(id=JOB_ID, interval=TICK, tick=tick),
            clock=clock,
        )

    def _in_own_context(self, call: Callable[[State], ReportT]) -> ReportT:
        """Run in an app context, and so a database session, of its own: the caller's transaction is not ours to end."""
        state = current_state()
        app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
        with app.app_context():
            return call(state)
