"""The demo host: everything that an app does to mount flask-ms365 is in this file."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from flask import Flask, redirect, request
from flask_wtf import CSRFProtect
from werkzeug.wrappers import Response

from demo import accounts, contacts, leads, tickets
from demo.database import db, tune_sqlite
from flask_ms365 import MS365
from flask_ms365.models import make_sqlite_index

ms365 = MS365()
ms365.on_message(contacts.note_contact)
ms365.process(tickets.PROCESS, options=tickets.TicketOptions)(tickets.create_ticket)
ms365.process(leads.PROCESS, options=leads.LeadOptions)(leads.create_lead)
csrf = CSRFProtect()


def create_app(
    *,
    data_dir: Path,
    authority_url: str | None = None,
    graph_url: str | None = None,
    public_base_url: str | None = None,
    job_hook: str = "apscheduler",
) -> Flask:
    """Make the back office. Without the two URLs it talks to Microsoft itself."""
    app = Flask(__name__)
    keys_file = data_dir / "encryption-keys"
    _kept(keys_file, lambda: Fernet.generate_key().decode())
    app.config.update(
        SECRET_KEY=_kept(data_dir / "secret-key", secrets.token_hex),
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{(data_dir / 'cycles.db').resolve()}",
        SESSION_COOKIE_SAMESITE="Lax",
        MS365_ENCRYPTION_KEYS_FILE=str(keys_file),
        MS365_PUBLIC_BASE_URL=public_base_url,
        MS365_AUTHORITY_URL=authority_url,
        MS365_GRAPH_URL=graph_url,
        MS365_SYNC_INTERVAL=1,
        MS365_JOB_HOOK=job_hook,
    )
    if public_base_url:
        app.before_request(partial(_to_own_address, public_base_url))
    _add_parts(app)
    app.after_request(_add_security_headers)
    return app


def _add_parts(app: Flask) -> None:
    csrf.init_app(app)
    db.init_app(app)
    accounts.init_app(app)
    for room in (contacts, tickets, leads):
        app.register_blueprint(room.pages)
    with app.app_context():
        tune_sqlite()
    ms365.init_app(
        app,
        db=db,
        authorize=accounts.is_allowed,
        current_user_id=accounts.current_user_id,
        directory=accounts.Staff(),
    )
    with app.app_context():
        db.create_all()
        with db.engine.begin() as connection:
            make_sqlite_index(connection)


def _to_own_address(public_base_url: str) -> Response | None:
    """Send whoever typed 127.0.0.1 to the name that Microsoft leads back to: a cookie belongs to one of the two."""
    if request.method != "GET" or request.host == urlsplit(public_base_url).netloc:
        return None
    return redirect(f"{public_base_url}{request.full_path.rstrip('?')}")


def _kept(path: Path, make: Callable[[], str]) -> str:
    """Return the secret in ``path``; if there is none yet, make one that only its owner can read."""
    if not path.exists():
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(make())
    return path.read_text(encoding="ascii")


def _add_security_headers(response: Response) -> Response:
    """Set a strict policy where flask-ms365 has not set its own, with the sources that its pages need."""
    policy = {
        "default-src": ["'none'"],
        "style-src": ["'self'"],
        "script-src": ["'self'"],
        "connect-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        "form-action": ["'self'"],
    }
    for directive, sources in ms365.csp_sources().items():
        policy[directive] = list(dict.fromkeys([*policy.get(directive, []), *sources]))
    text = "; ".join(f"{directive} {' '.join(sources)}" for directive, sources in policy.items())
    response.headers.setdefault("Content-Security-Policy", text)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    return response
