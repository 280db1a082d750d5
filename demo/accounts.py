"""The host's people and its login page. A real host has a table of them, and hashes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from hmac import compare_digest

from flask import Blueprint, Flask, flash, redirect, render_template, request, url_for
from flask_login import LoginManager, current_user, login_required, login_user, logout_user
from werkzeug.wrappers import Response

from flask_ms365 import DirectoryEntry, Permission

pages = Blueprint("accounts", __name__)
login_manager = LoginManager()
login_manager.login_view = "accounts.login"


@dataclass(frozen=True, kw_only=True)
class User:
    """Somebody who works at Contoso Cycles, with what Flask-Login asks of a user."""

    id: str
    name: str
    password: str
    is_admin: bool = False
    roles: frozenset[str] = frozenset()
    is_authenticated: bool = True
    is_active: bool = True
    is_anonymous: bool = False

    def get_id(self) -> str:
        """Return what the session cookie and flask-ms365 know the user by."""
        return self.id


ROLES = {"desk": "Service desk", "sales": "Sales"}
USERS = {
    "ana": User(id="ana", name="Ana Ruiz", password="ana", is_admin=True),
    "kim": User(id="kim", name="Kim Osei", password="kim", roles=frozenset({"desk", "sales"})),
}


def init_app(app: Flask) -> None:
    """Add the login pages to ``app``."""
    login_manager.init_app(app)
    app.register_blueprint(pages)


@login_manager.user_loader  # type: ignore[untyped-decorator]
def load_user(user_id: str) -> User | None:
    """Return the user whom the session cookie names."""
    return USERS.get(user_id)


def is_allowed(permission: Permission) -> bool:
    """Answer flask-ms365: may the visitor do this? Admins may do all; staff have a mailbox, and read what they may."""
    if not current_user.is_authenticated:
        return False
    return current_user.is_admin or permission in {Permission.OWN_MAILBOX, Permission.READ_MAIL}


class Staff:
    """Tells flask-ms365 who works here: an admin chooses among them who reads the mail of the team."""

    def names_of(self, user_ids: Collection[str]) -> dict[str, str]:
        """Return the names of these users."""
        return {user_id: USERS[user_id].name for user_id in user_ids if user_id in USERS}

    def search(self, text: str) -> list[DirectoryEntry]:
        """Return those whose name has ``text`` in it."""
        return [DirectoryEntry(user.id, user.name) for user in USERS.values() if text.lower() in user.name.lower()]

    def roles(self) -> list[DirectoryEntry]:
        """Return all roles that somebody can have here."""
        return [DirectoryEntry(role, name) for role, name in ROLES.items()]

    def roles_of(self, user_id: str) -> Collection[str]:
        """Return the roles that somebody has."""
        return USERS[user_id].roles if user_id in USERS else ()


def current_user_id() -> str | None:
    """Tell flask-ms365 who is at the keyboard."""
    return current_user.get_id() if current_user.is_authenticated else None


@pages.get("/login")
def login() -> str:
    """Show the login form, with the passwords: this is a demo."""
    return render_template("login.html", users=USERS.values())


@pages.post("/login")
def log_in() -> Response:
    """Log in and go where the visitor was headed."""
    user = USERS.get(request.form.get("username", ""))
    if user is None or not compare_digest(user.password.encode(), request.form.get("password", "").encode()):
        flash("That is not one of the names and passwords below.")
        return redirect(url_for(".login", next=request.args.get("next")), 303)
    login_user(user)
    return redirect(_local_path(request.args.get("next")) or url_for("contacts.home"), 303)


@pages.post("/logout")
@login_required  # type: ignore[untyped-decorator]  # Flask-Login has no types
def log_out() -> Response:
    """Log out."""
    logout_user()
    return redirect(url_for(".login"), 303)


def _local_path(target: str | None) -> str | None:
    """Return ``target`` if it stays on this site. Browsers read a backslash as a slash."""
    is_local = target is not None and target.startswith("/") and not target.startswith(("//", "/\\"))
    return target if is_local else None
