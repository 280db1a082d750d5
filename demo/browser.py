"""A browser without a window: cookies, redirects, and forms sent as a real one sends them. It runs no scripts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

import requests

Attributes = Mapping[str, str | None]


class JourneyError(Exception):
    """The journey cannot go on; the message says what was seen."""


@dataclass(kw_only=True)
class Control:
    """One control of a form. What is not ticked is not sent."""

    name: str
    value: str
    kind: str
    is_sent: bool


@dataclass(kw_only=True)
class Form:
    """A form of a page, as it stands when the page opens."""

    id: str | None
    action: str
    method: str
    controls: list[Control] = field(default_factory=list)

    @property
    def names(self) -> set[str]:
        """What the controls are called."""
        return {control.name for control in self.controls}

    def fill(self, values: Mapping[str, str]) -> None:
        """Type, choose or tick ``values``; a control that does not exist is an error."""
        for name, value in values.items():
            self._set(name, value)

    def data(self, button: str | None = None) -> list[tuple[str, str]]:
        """Return what a browser sends when ``button`` (``name=value``; left out: the first) is pressed."""
        return [(c.name, c.value) for c in self.controls if c.is_sent or (c is self._pressed(button) and c.name)]

    def _set(self, name: str, value: str) -> None:
        named = [control for control in self.controls if control.name == name]
        if not named:
            raise JourneyError(f"The form has no field {name!r}, only: {', '.join(sorted(self.names))}")
        for control in named:
            if control.kind in {"checkbox", "radio", "option"}:
                control.is_sent = control.value == value
            else:
                control.value = value
        if value and not any(control.value == value for control in named):
            raise JourneyError(f"The field {name!r} offers no {value!r}.")

    def _pressed(self, button: str | None) -> Control | None:
        buttons = (control for control in self.controls if control.kind == "submit")
        return next((c for c in buttons if button is None or f"{c.name}={c.value}" == button), None)


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page that was opened, with the forms on it and how it was reached."""

    url: str
    status: int
    text: str
    forms: list[Form]
    words: str
    hops: list[tuple[int, str]]

    def form_with(self, *names: str, action: str = "") -> Form:
        """Return the form that has all of these fields, and ``action`` in its address."""
        for form in self.forms:
            if form.names.issuperset(names) and action in form.action:
                return form
        raise JourneyError(f"{self.url} answered {self.status} and has no form with {', '.join(names) or action}.")


class Browser:
    """One person's browser."""

    def __init__(self) -> None:
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy must not see loopback

    def open(self, url: str) -> Page:
        """Open a page, following redirects."""
        return _page(self._session.get(url, timeout=30))

    def submit(self, page: Page, form: Form, *, button: str | None = None) -> Page:
        """Send ``form`` of ``page``, following redirects."""
        url = urljoin(page.url, form.action)
        if form.method == "post":
            origin = {"Origin": "/".join(page.url.split("/")[:3]), "Referer": page.url}
            return _page(self._session.post(url, data=form.data(button), headers=origin, timeout=30))
        return _page(self._session.get(url, params=form.data(button), timeout=30))

    def close(self) -> None:
        """Close what is open."""
        self._session.close()


def _page(response: requests.Response) -> Page:
    response.encoding = "utf-8"
    parser = _FormParser(response.url)
    parser.feed(response.text)
    parser.close()
    return Page(
        url=response.url,
        status=response.status_code,
        text=response.text,
        forms=parser.forms,
        words=" ".join("".join(parser.words).split()),
        hops=[(hop.status_code, hop.headers.get("Location", "")) for hop in response.history],
    )


class _FormParser(HTMLParser):
    """Collects forms, controls and readable words."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.forms: list[Form] = []
        self.words: list[str] = []
        self._inside: Form | None = None
        self._select: str | None = None
        self._textarea: Control | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        starters = {"form": self._form, "input": self._input, "button": self._button}
        starters |= {"select": self._start_select, "option": self._option, "textarea": self._start_textarea}
        if tag in starters:
            starters[tag](dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = None
        elif tag == "select":
            self._end_select()
        elif tag == "textarea":
            self._textarea = None

    def handle_data(self, data: str) -> None:
        if self._textarea:
            self._textarea.value += data
        self.words.append(data)

    def _form(self, attrs: Attributes) -> None:
        method = (attrs.get("method") or "get").lower()
        self._inside = Form(id=attrs.get("id"), action=attrs.get("action") or self.url, method=method)
        self.forms.append(self._inside)

    def _input(self, attrs: Attributes) -> None:
        kind = (attrs.get("type") or "text").lower()
        if kind in {"checkbox", "radio"}:
            self._add(attrs, kind, attrs.get("value") or "on", is_sent="checked" in attrs)
        elif kind not in {"reset", "file", "image"}:
            self._add(attrs, kind, attrs.get("value") or "", is_sent=kind not in {"submit", "button"})

    def _button(self, attrs: Attributes) -> None:
        kind = (attrs.get("type") or "submit").lower()
        if kind == "submit":
            self._add(attrs, kind, attrs.get("value") or "", is_sent=False)

    def _start_select(self, attrs: Attributes) -> None:
        self._select = attrs.get("name")

    def _option(self, attrs: Attributes) -> None:
        if self._select:
            self._add({"name": self._select}, "option", attrs.get("value") or "", is_sent="selected" in attrs)

    def _end_select(self) -> None:
        """A select without a chosen option sends its first."""
        options = [c for c in self._inside.controls if c.name == self._select] if self._inside else []
        if options and not any(option.is_sent for option in options):
            options[0].is_sent = True
        self._select = None

    def _start_textarea(self, attrs: Attributes) -> None:
        self._textarea = self._add(attrs, "textarea", "", is_sent=True)

    def _add(self, attrs: Attributes, kind: str, value: str, *, is_sent: bool) -> Control:
        is_named = bool(attrs.get("name")) and "disabled" not in attrs
        control = Control(name=attrs.get("name") or "", value=value, kind=kind, is_sent=is_sent and is_named)
        form = next(self._named(attrs["form"]), None) if attrs.get("form") else self._inside
        if form:
            form.controls.append(control)
        return control

    def _named(self, form_id: str | None) -> Iterator[Form]:
        return (form for form in self.forms if form.id == form_id)
