"""What one app holds: its services, wired by the extension and used by the pages, the command line and the jobs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from flask import current_app

from flask_ms365.errors import ConfigurationError, MS365Error
from flask_ms365.words import Words

if TYPE_CHECKING:
    from flask_ms365.check.runs import Check
    from flask_ms365.content.contents import Contents
    from flask_ms365.content.missing import MissingContents
    from flask_ms365.crypto import Keyring
    from flask_ms365.directory import HostDirectory
    from flask_ms365.identity.circuit import Circuits
    from flask_ms365.identity.host_sign_in import HostSignIn
    from flask_ms365.identity.registration import AppRegistration
    from flask_ms365.identity.sign_in import SignIn
    from flask_ms365.jobs.hook import EmailSyncJob, JobHook
    from flask_ms365.mailboxes.choices import Choices
    from flask_ms365.mailboxes.connect import Connect
    from flask_ms365.mailboxes.disconnect import Disconnect
    from flask_ms365.mailboxes.edit import Editing
    from flask_ms365.mailboxes.folder_mail import FolderMail
    from flask_ms365.mailboxes.system import SystemMailboxes
    from flask_ms365.models.base import AnySession
    from flask_ms365.permissions import Permission
    from flask_ms365.processes.choosing import Processes
    from flask_ms365.settings.drafts import Drafts
    from flask_ms365.settings.service import Settings
    from flask_ms365.sync.runner import Runner

_log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class State:
    """The services of one app."""

    session: AnySession
    keyring: Keyring
    settings: Settings
    # of a snapshot, or as the settings are now
    registration: Callable[..., AppRegistration]
    circuits: Circuits
    drafts: Drafts
    check: Check
    sign_in: SignIn
    host_sign_in: HostSignIn
    connect: Connect
    mailboxes: SystemMailboxes
    editing: Editing
    processes: Processes
    disconnect: Disconnect
    choices: Choices
    folder_mail: FolderMail
    contents: Contents
    missing_contents: MissingContents
    runner: Runner
    hook: JobHook
    job: EmailSyncJob
    clock: Callable[[], datetime]
    directory: HostDirectory
    # what the host passed
    authorize: Callable[[Permission], bool] | None = None
    current_user_id: Callable[[], str | None] = lambda: None
    # what the engine of this process was told of the toggle; None where it was told nothing, or did not take it
    told_engine: bool | None = None
    # why the engine did not take the job, for the settings page
    hook_problem: str = ""

    @property
    def engine(self) -> str:
        """The name of the engine that ticks; empty where the host's hook cannot say."""
        try:
            return self.hook.status().engine
        except Exception:  # see reconcile_job
            return ""

    def reconcile_job(self, is_on: bool) -> None:
        """Register or unregister the job. A scheduler that is out of order must not fail a save: it is a warning."""
        try:
            if is_on:
                self.hook.register(self.job)
            else:
                self.hook.unregister(self.job)
            self.told_engine, self.hook_problem = is_on, ""
        except Exception as exc:  # a hook is the host's code, with a broker behind it
            _log.warning("hook.failed", extra={"event": "hook.failed"}, exc_info=True)
            why = str(exc) if isinstance(exc, MS365Error) else type(exc).__name__
            self.told_engine = None
            self.hook_problem = Words("The job scheduler did not take the change (%(kind)s).", kind=why)

    def wake(self, mailbox_id: int | None = None) -> None:
        """Ask the engine to look now; if it cannot, the next tick does."""
        try:
            self.hook.wake(mailbox_id)
        except Exception:  # see reconcile_job
            _log.warning("hook.failed", extra={"event": "hook.failed"}, exc_info=True)


def current_state() -> State:
    """Return the state of the current app; raise :exc:`ConfigurationError` where the extension is not set up."""
    try:
        state: State = current_app.extensions["ms365.state"]
    except KeyError:
        raise ConfigurationError(
            "Flask-MS365 is not set up for this app. Call MS365().init_app(app, ...) where the app is made."
        ) from None
    return state
