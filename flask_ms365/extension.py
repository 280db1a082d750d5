"""The extension object: what a host app calls. ``wiring.py`` puts together what serves it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, TypeVar

from flask import Flask, current_app

from flask_ms365.config import apply_defaults
from flask_ms365.errors import ConfigurationError
from flask_ms365.state import State, current_state
from flask_ms365.sync.changes import Handler
from flask_ms365.sync.report import RunReport, TickReport

# What serves an app is imported where an app is made: a script that only names this package should not wait for it.
if TYPE_CHECKING:
    from flask_sqlalchemy import SQLAlchemy
    from wtforms import Form

    from flask_ms365.check.outcome import HostCheck, Outcome
    from flask_ms365.content.contents import Contents
    from flask_ms365.directory import Directory
    from flask_ms365.identity.host_sign_in import SignInHandler
    from flask_ms365.jobs.hook import JobHook
    from flask_ms365.mailboxes.trouble import TroubleHandler
    from flask_ms365.permissions import Permission
    from flask_ms365.processes.process import Process, ProcessFunction
    from flask_ms365.settings.service import Settings
    from flask_ms365.web.words import NavItem

HandlerT = TypeVar("HandlerT", bound=Handler)
ProcessT = TypeVar("ProcessT", bound="ProcessFunction")
SignInHandlerT = TypeVar("SignInHandlerT", bound="SignInHandler")
TroubleHandlerT = TypeVar("TroubleHandlerT", bound="TroubleHandler")
HostCheckT = TypeVar("HostCheckT", bound="Callable[[], Outcome]")
ReportT = TypeVar("ReportT", RunReport, TickReport)


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)


class MS365:
    """Microsoft 365 mail for Flask apps.

    One object may serve several apps; what belongs to an app is kept with the app.

    :param app: call :meth:`init_app` at once, with the remaining options
    :param clock: returns the present time, aware; tests move it
    """

    def __init__(self, app: Flask | None = None, *, clock: Callable[[], datetime] = _utc_now, **options: Any) -> None:
        self._clock = clock
        self._handlers: list[Handler] = []
        self._processes: dict[str, Process] = {}
        self._sign_in_handlers: list[SignInHandler] = []
        self._trouble_handlers: list[TroubleHandler] = []
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
        directory: Directory | None = None,
        job_hook: JobHook | None = None,
    ) -> None:
        """Mount the pages and commands on ``app``. Starts no thread and asks Microsoft nothing.

        :param db: the host's Flask-SQLAlchemy; without it the extension keeps an SQLite file in the instance folder
        :param authorize: tells whether the present visitor has a :class:`Permission`; without it every page says 403
        :param current_user_id: tells who the visitor is, or None; without it Flask-Login is asked, where installed
        :param directory: names and roles of the host's users; without it names are ids, and nobody has a role
        :param job_hook: the host's scheduler; without it ``MS365_JOB_HOOK`` decides
        :raises ConfigurationError: the app has an MS365 already, a database that was not passed, or bad config
        """
        if "ms365" in app.extensions:
            raise ConfigurationError("This app has Flask-MS365 already. Call init_app once for each app.")
        from flask_ms365.wiring import Host, mount

        apply_defaults(app.config)
        mount(
            app,
            Host(
                db=db,
                authorize=authorize,
                current_user_id=current_user_id,
                directory=directory,
                job_hook=job_hook,
                clock=self._clock,
                handlers=self._handlers,
                processes=self._processes,
                sign_in_handlers=self._sign_in_handlers,
                trouble_handlers=self._trouble_handlers,
                host_checks=self._host_checks,
            ),
        )
        app.extensions["ms365"] = self

    @property
    def settings(self) -> Settings:
        """The settings of the current app."""
        return current_state().settings

    @property
    def content(self) -> Contents:
        """Contents of attachments, inline images and messages as MIME, in the current app."""
        return current_state().contents

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

    def process(self, name: str, options: type[Form] | None = None) -> Callable[[ProcessT], ProcessT]:
        """Register a process that admins may choose for a mailbox of the team: ``process(message, options)``.

        It is called inside the transaction that stores the message, for the first message of each conversation that was
        received since it was chosen: once a conversation, ever. What it may not do is what :meth:`on_message` says. A
        text that it returns is shown where an admin tries it. May be used before :meth:`init_app`.

        :param name: what admins know it by, and what is stored; 50 characters at most
        :param options: a WTForms form, filled in for each mailbox; ``options`` is its ``data``, {} without a form
        :raises ConfigurationError: there is a process with this name already
        """

        def register(process: ProcessT) -> ProcessT:
            from flask_ms365.processes.process import Process, add_process

            add_process(self._processes, Process(name=name, call=process, form=options))
            return process

        return register

    def sign_in(self, handler: SignInHandlerT) -> SignInHandlerT:
        """Register ``handler(identity)``, called when somebody has signed in to the host with a Microsoft account.

        ``identity`` was verified and is allowed by the settings: ``tid``, ``oid``, ``name``, ``upn``. Who somebody is,
        is the pair ``(tid, oid)``: store it with your user and look for it alone. ``upn`` and ``name`` change and are
        given to others; who matches people by them hands out accounts. The handler logs the person in, in this same
        request, and returns a response, or None to go on to where the visitor wanted to go. The last one registered
        counts. May be used before :meth:`init_app`.
        """
        self._sign_in_handlers.append(handler)
        return handler

    def on_trouble(self, handler: TroubleHandlerT) -> TroubleHandlerT:
        """Register ``handler(trouble)``, called when something waits for people, and once more when it is over.

        ``trouble`` says what it is in plain words (``words``, ``next_step``, ``url``), whom it concerns (``user_ids``,
        and always the admins) and of which mailbox it is: see :class:`~flask_ms365.Trouble`. Send it
        to these people, and never to ``address`` alone. It is called at ticks, once a cause whatever number of
        processes there are, and may talk to a network. What it adds to the session is stored when it returns; if it
        raises, the next tick calls it again. May be used before :meth:`init_app`.
        """
        self._trouble_handlers.append(handler)
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
        from flask_ms365.web.csp import csp_sources

        return csp_sources(current_state())

    def nav(self) -> list[NavItem]:
        """Return our pages that the present visitor may use, for the host's own menu.

        Each has ``label``, ``url``, ``is_current`` and ``badge`` (how many mailboxes need a person, or None).
        """
        from flask_ms365.web.words import nav

        return nav()

    def _in_own_context(self, call: Callable[[State], ReportT]) -> ReportT:
        """Run in an app context, and so a database session, of its own: the caller's transaction is not ours to end."""
        state = current_state()
        app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
        with app.app_context():
            return call(state)
