"""A host that brings everything: a help desk with an app factory, a database, accounts, migrations, CSRF protection,
a strict policy and a layout of its own. Every message becomes a ticket."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect
from werkzeug.wrappers import Response

from flask_ms365 import MS365, Change, Identity, Permission
from flask_ms365.models import Message

db = SQLAlchemy()
migrate = Migrate()
login_manager = LoginManager()
csrf = CSRFProtect()
ms365 = MS365()

desk = Blueprint("desk", __name__)
login_manager.login_view = "desk.sign_in"


class Person(db.Model, UserMixin):  # type: ignore[name-defined, misc]
    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(80), unique=True)
    is_admin = db.Column(db.Boolean)
    # who it is at Microsoft
    tid = db.Column(db.String(36))
    oid = db.Column(db.String(36))


class Ticket(db.Model):  # type: ignore[name-defined, misc]
    id = db.Column(db.Integer, primary_key=True)
    title = db.Column(db.String(200))
    message_id = db.Column(db.ForeignKey("ms365_message.id"))


@login_manager.user_loader  # type: ignore[untyped-decorator]
def load_person(person_id: str) -> Person | None:
    return db.session.get(Person, int(person_id))


@ms365.on_message
def open_ticket(message: Message, change: Change) -> None:
    if change is Change.CREATED:
        db.session.add(Ticket(title=message.subject, message_id=message.id))


@ms365.sign_in
def let_in(identity: Identity) -> ResponseReturnValue | None:
    """Log in whom an admin has entered with tenant and object id; whoever has the same name is somebody else."""
    person = db.session.scalar(db.select(Person).filter_by(tid=identity.tid, oid=identity.oid))
    if person is None:
        return redirect(url_for("desk.sign_in", unknown=1), 303)
    session.clear()
    login_user(person)
    return None


def may(permission: Permission) -> bool:
    """Admins may do everything, agents look after their own mailbox."""
    return current_user.is_authenticated and (current_user.is_admin or permission == Permission.OWN_MAILBOX)


@desk.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> ResponseReturnValue:
    if request.method == "GET":
        return render_template("sign_in.html")
    login_user(db.session.scalars(db.select(Person).filter_by(name=request.form["name"])).one())
    return redirect(request.args.get("next") or url_for("desk.tickets"), 303)


@desk.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    logout_user()
    return redirect(url_for("desk.sign_in"), 303)


@desk.get("/")
def tickets() -> ResponseReturnValue:
    return render_template("layout.html")


def allow_little(response: Response) -> Response:
    sources = {"default-src": ["'self'"], **ms365.csp_sources()}
    response.headers.setdefault("Content-Security-Policy", "; ".join(f"{k} {' '.join(v)}" for k, v in sources.items()))
    return response


def create_app(folder: Path, **config: Any) -> Flask:
    app = Flask("desk", instance_path=str(folder), root_path=str(Path(__file__).parent))
    app.config.update(
        SECRET_KEY="not secret",
        SQLALCHEMY_DATABASE_URI="sqlite:///desk.sqlite3",
        MS365_URL_PREFIX="/admin/mail",
        MS365_JOB_HOOK="external",
        **config,
    )
    db.init_app(app)
    migrate.init_app(app, db, directory=str(folder / "migrations"))
    login_manager.init_app(app)
    csrf.init_app(app)
    ms365.init_app(app, db=db, authorize=may)
    app.register_blueprint(desk)
    app.after_request(allow_little)
    return app
