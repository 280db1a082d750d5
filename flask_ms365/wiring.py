"""Put the services of one app together: the one place that knows every room of the house."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_ms365 import signals
from flask_ms365.check.outcome import HostCheck
from flask_ms365.check.runs import Check
from flask_ms365.check.subject import Address, Subject
from flask_ms365.cli import ms365_cli
from flask_ms365.content.contents import Contents
from flask_ms365.content.missing import MissingContents
from flask_ms365.crypto import keyring_from
from flask_ms365.database import create_tables, host_database, own_database
from flask_ms365.directory import Directory, HostDirectory
from flask_ms365.errors import TokenError
from flask_ms365.identity.app_tokens import AppTokens
from flask_ms365.identity.circuit import Circuits
from flask_ms365.identity.host_sign_in import HostSignIn, SignInHandler
from flask_ms365.identity.registration import AppRegistration
from flask_ms365.identity.sign_in import SignIn
from flask_ms365.identity.tokens import Tokens
from flask_ms365.jobs.hook import JOB_ID, TICK, EmailSyncJob, JobHook, hook_from_config
from flask_ms365.jobs.process import mind_process
from flask_ms365.jobs.start import start_with_first_request
from flask_ms365.mailboxes.choices import Choices
from flask_ms365.mailboxes.connect import Connect
from flask_ms365.mailboxes.deletion import Deletion
from flask_ms365.mailboxes.delivery import Delivery
from flask_ms365.mailboxes.disconnect import Disconnect
from flask_ms365.mailboxes.edit import Editing
from flask_ms365.mailboxes.folder_mail import FolderMail
from flask_ms365.mailboxes.indexing import Indexing
from flask_ms365.mailboxes.keep_alive import KeepAlive
from flask_ms365.mailboxes.leaving import Leaving
from flask_ms365.mailboxes.notices import Notices
from flask_ms365.mailboxes.overdue import OverdueAlarm
from flask_ms365.mailboxes.retention import Retention
from flask_ms365.mailboxes.system import SystemMailboxes
from flask_ms365.mailboxes.trouble import TroubleHandler
from flask_ms365.models import join_metadata
from flask_ms365.models.base import AnySession
from flask_ms365.models.counts import tidy_counts
from flask_ms365.permissions import Permission
from flask_ms365.processes.choosing import Processes
from flask_ms365.processes.process import Process
from flask_ms365.settings.drafts import Drafts
from flask_ms365.settings.registration import allowed_accounts, app_registration
from flask_ms365.settings.reminder import Reminder
from flask_ms365.settings.service import Settings
from flask_ms365.settings.snapshot import Snapshot
from flask_ms365.state import State, current_state
from flask_ms365.sync.changes import Handler
from flask_ms365.sync.mailbox_client import MailboxClients
from flask_ms365.sync.report import TickReport
from flask_ms365.sync.runner import Runner
from flask_ms365.sync.toggle import Toggle
from flask_ms365.tally import Tally
from flask_ms365.web.access import flask_login_user_id
from flask_ms365.web.addresses import page_address
from flask_ms365.web.blueprint import create_blueprint


@dataclass(frozen=True, kw_only=True)
class Host:
    """What the host passes to ``init_app``, with the clock and what it registered at the extension."""

    db: SQLAlchemy | None
    authorize: Callable[[Permission], bool] | None
    current_user_id: Callable[[], str | None] | None
    directory: Directory | None
    job_hook: JobHook | None
    clock: Callable[[], datetime]
    handlers: Sequence[Handler]
    processes: Mapping[str, Process]
    sign_in_handlers: Sequence[SignInHandler]
    trouble_handlers: Sequence[TroubleHandler]
    host_checks: Sequence[HostCheck]


def mount(app: Flask, host: Host) -> None:
    """Add pages, commands, tables and services to ``app``; start nothing."""
    database = own_database(app) if host.db is None else host_database(app, host.db)
    join_metadata(database.metadata)
    state = _state(app, database.session, host)
    app.extensions["ms365.state"] = state
    app.register_blueprint(create_blueprint(), url_prefix=app.config["MS365_URL_PREFIX"])
    if host.db is None:
        create_tables(app, database)
    app.cli.add_command(ms365_cli)
    start_with_first_request(app, state)
    mind_process(app)


def _state(app: Flask, session: AnySession, host: Host) -> State:
    """Make the services of one app; none of them holds the extension, and none starts anything."""
    keyring, clock, directory = keyring_from(app.config), host.clock, HostDirectory(directory=host.directory)
    settings = Settings(
        app=app,
        session=session,
        keyring=keyring,
        clock=clock,
        after_toggle=lambda is_on: current_state().reconcile_job(is_on),
    )
    settings.deployment.check()

    def registration(snapshot: Snapshot | None = None) -> AppRegistration:  # no partial: its repr would tell the config
        return app_registration(settings, app.config, snapshot)

    tally = Tally()
    circuits = Circuits(session=session, clock=clock, opened=partial(_tell_refusal, app), tally=tally)
    tokens = Tokens(session=session, keyring=keyring, note_key=settings.note_key, circuits=circuits, clock=clock)
    clients = MailboxClients(
        session=session,
        tokens=tokens,
        app_tokens=AppTokens(circuits=circuits, clock=clock),
        registration=registration,
        clock=clock,
        tally=tally,
    )
    sign_in = SignIn(session=session, keyring=keyring, clock=clock)
    connecting: dict[str, Any] = {
        "app": app,
        "session": session,
        "keyring": keyring,
        "sign_in": sign_in,
        "clients": clients,
        "registration": registration,
        "clock": clock,
        "wake": lambda mailbox_id: current_state().wake(mailbox_id),
    }
    deletion, folder_mail = Deletion(session=session, clock=clock), FolderMail(session=session, clock=clock)
    leaving = Leaving(session=session, clock=clock, deletion=deletion, folder_mail=folder_mail)
    disconnect = Disconnect(app=app, session=session, clock=clock, deletion=deletion)
    missing = MissingContents(session=session, settings=settings, toggle=Toggle(settings), clock=clock)
    runner = _runner(app, session, settings, clients, missing, host, leaving)
    return State(
        session=session,
        keyring=keyring,
        settings=settings,
        drafts=Drafts(session=session, keyring=keyring, clock=clock),
        check=Check(
            session=session,
            clock=clock,
            subject=lambda address, forbidden="": _subject(app, clients, address, forbidden),
            host_checks=host.host_checks,
        ),
        registration=registration,
        circuits=circuits,
        sign_in=sign_in,
        host_sign_in=HostSignIn(
            session=session,
            sign_in=sign_in,
            registration=registration,
            allowed=lambda: allowed_accounts(settings.read_values()),
            handlers=host.sign_in_handlers,
            clock=clock,
        ),
        connect=Connect(**connecting, let_go=partial(_let_go, disconnect)),
        mailboxes=SystemMailboxes(**connecting),
        editing=Editing(session=session, directory=directory, clock=clock),
        processes=Processes(session=session, known=host.processes, clock=clock),
        disconnect=disconnect,
        choices=Choices(session=session, clients=clients, clock=clock),
        folder_mail=folder_mail,
        contents=Contents(app=app, session=session, clients=clients),
        missing_contents=missing,
        runner=runner,
        hook=host.job_hook or hook_from_config(app),
        job=EmailSyncJob(id=JOB_ID, interval=TICK, tick=_tick(app, runner)),
        clock=clock,
        authorize=host.authorize,
        current_user_id=_as_text(host.current_user_id) if host.current_user_id else flask_login_user_id,
        directory=directory,
    )


def _let_go(disconnect: Disconnect, mailbox_id: int, user_id: str) -> None:
    disconnect.end(mailbox_id, keep_mail=True, actor=user_id)


def _tell_refusal(app: Flask, error: TokenError) -> None:
    signals.tokens_held.send(app, error=error)


def _runner(
    app: Flask,
    session: AnySession,
    settings: Settings,
    clients: MailboxClients,
    missing: MissingContents,
    host: Host,
    leaving: Leaving,
) -> Runner:
    keep_alive = KeepAlive(
        app=app, session=session, tokens=clients.tokens, registration=clients.registration, clock=host.clock
    )
    indexing = Indexing(session=session, clock=host.clock)
    return Runner(
        app=app,
        session=session,
        settings=settings,
        clients=clients,
        missing=missing,
        handlers=host.handlers,
        processes=host.processes,
        clock=host.clock,
        engine=lambda: current_state().engine,
        tally=clients.tally,
        chores=[
            Reminder(app=app, session=session, clock=host.clock).remind,
            OverdueAlarm(app=app, session=session, engine=_engine, clock=host.clock).tell,
            lambda _: settings.note_key(),
            lambda _: leaving.chore(),
            lambda _: keep_alive.chore(),
            Retention(session=session, clock=host.clock).chore,
            lambda _: indexing.chore(),
            lambda _: tidy_counts(session, now=host.clock()),
            # last: it calls the host's code, which may take its time
            _notices(app, session, host).chore,
        ],
        after_mail=indexing.chore,
    )


def _notices(app: Flask, session: AnySession, host: Host) -> Notices:
    def held() -> TokenError | None:
        state = current_state()
        return state.circuits.what_holds(state.registration)

    return Notices(
        session=session,
        delivery=Delivery(app=app, session=session, handlers=host.trouble_handlers, clock=host.clock),
        held=held,
        page=lambda snapshot, endpoint, values: page_address(app, _base_url(app, snapshot), endpoint, **values),
        engine=_engine,
        clock=host.clock,
    )


def _base_url(app: Flask, snapshot: Snapshot) -> str | None:
    """Return the address that people use, where somebody has said it."""
    return app.config["MS365_PUBLIC_BASE_URL"] or snapshot.confirmed_base_url


def _engine() -> str:
    """Return who ticks in the current app."""
    return current_state().runner.engine()


def _tick(app: Flask, runner: Runner) -> Callable[[], TickReport]:
    """Return a tick that brings its own app context: engines have none."""

    def tick() -> TickReport:
        with app.app_context():
            return runner.tick()

    return tick


def _as_text(current_user_id: Callable[[], Any]) -> Callable[[], str | None]:
    """Take a host's numbers too: ids are compared as the text that they are stored as."""

    def user_id() -> str | None:
        value = current_user_id()
        return None if value is None else str(value)

    return user_id


def _subject(app: Flask, clients: MailboxClients, address: Address | None, forbidden: str) -> Subject:
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
        held=lambda: state.circuits.what_holds(state.registration),
        clock=state.clock,
        address=address,
        forbidden=forbidden,
    )
