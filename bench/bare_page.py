"""The page that ours is measured against: what a host would write by hand for the same fields, and no more.

One form with a field for each control that our page shows, filled from one table with two reads, printed in a loop.
"""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from flask import Flask, render_template
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import FlaskForm
from jinja2 import DictLoader
from sqlalchemy import select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from wtforms import BooleanField, HiddenField, PasswordField, SelectField, StringField, SubmitField

_TEMPLATES = {
    "base.html": """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{% block title %}{% endblock %}</title>
<link rel="stylesheet" href="{{ url_for("static", filename="site.css") }}"></head>
<body><main>{% block content %}{% endblock %}</main></body>
</html>
""",
    "settings.html": """{% extends "base.html" %}
{% block title %}Settings{% endblock %}
{% block content %}
<h1>Settings</h1>
<form method="post" action="{{ url_for("settings") }}">
  {{ form.hidden_tag() }}
  {% for field in form if not field.widget.input_type == "hidden" %}
  <div class="field{% if field.errors %} invalid{% endif %}">
    {{ field.label }}
    {{ field(class_="input") }}
    {% if field.errors %}<ul>{% for text in field.errors %}<li>{{ text }}</li>{% endfor %}</ul>{% endif %}
  </div>
  {% endfor %}
</form>
{% endblock %}
""",
}


class Controls(HTMLParser):
    """The controls of the longest form of a page: name -> kind, and the options of a select."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.kinds: dict[str, str] = {}
        self.options: dict[str, list[tuple[str, str]]] = {}
        self._select = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "select":
            self._select = given["name"]
            self.options[self._select] = []
        elif tag == "option":
            self.options[self._select].append((given["value"], given["value"].title()))
        if tag in ("input", "select", "textarea", "button") and given.get("name"):
            self.kinds[given["name"]] = given.get("type", tag)


_FIELDS = {
    "checkbox": BooleanField,
    "hidden": HiddenField,
    "password": PasswordField,
    "submit": SubmitField,
}


def bare_app(folder: str, page: str) -> Flask:
    """Return an app whose ``/settings`` shows a field for each control of ``page``, filled from an SQLite file."""
    app, database = Flask("bare", root_path=folder), SQLAlchemy(model_class=type("Base", (DeclarativeBase,), {}))
    app.config.update(SECRET_KEY="not secret", SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder}/bare.db")
    app.jinja_loader = DictLoader(_TEMPLATES)
    database.init_app(app)
    controls = Controls(page)
    setting, version = _tables(database)
    form_class = type("BareForm", (FlaskForm,), _fields(controls))

    @app.get("/settings")
    def settings() -> str:
        rows = database.session.scalars(select(setting)).all()
        current = database.session.scalar(select(version.n))
        form = form_class(data={row.name: row.value for row in rows} | {"version": current})
        return render_template("settings.html", form=form)

    with app.app_context():
        database.create_all()
        database.session.add_all(
            setting(name=name, value="" if kind == "checkbox" else name) for name, kind in controls.kinds.items()
        )
        database.session.add(version(id=1, n=1))
        database.session.commit()
    return app


def _tables(database: SQLAlchemy) -> tuple[Any, Any]:
    class Setting(database.Model):  # type: ignore[name-defined, misc]
        name: Mapped[str] = mapped_column(primary_key=True)
        value: Mapped[str]

    class Version(database.Model):  # type: ignore[name-defined, misc]
        id: Mapped[int] = mapped_column(primary_key=True)
        n: Mapped[int]

    return Setting, Version


def _fields(controls: Controls) -> dict[str, Any]:
    fields = {}
    for name, kind in controls.kinds.items():
        if name == "csrf_token":  # Flask-WTF brings its own
            continue
        if kind == "select":
            fields[name] = SelectField(name, choices=controls.options[name])
        else:
            fields[name] = _FIELDS.get(kind, StringField)(name)
    return fields
