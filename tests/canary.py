"""Whatever is secret must not come out: an eye on all that the tests say, in pages, headers, logs, errors and tasks.

Secret is what was sealed or proved with, what went to the token endpoint or came from it, what binds a sign-in to a
browser, where a delta goes on, and the encryption keys. Only that one browser is told what it must know; see
:func:`_told_to_others`.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from types import FrameType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from click.testing import CliRunner, Result
from sqlalchemy import event
from werkzeug.test import Client, TestResponse

from flask_ms365.crypto import Keyring
from flask_ms365.errors import MS365Error
from flask_ms365.graph import GraphClient
from flask_ms365.identity.credentials import ClientCertificate, ClientSecret, FederatedToken
from flask_ms365.identity.sign_in import SignIn
from flask_ms365.models import AuditEvent

try:
    from celery.signals import before_task_publish  # type: ignore[import-untyped]
except ImportError:
    before_task_publish = None

_OURS = "flask_ms365"
_SHOWN = 3  # characters that a page may show of a secret
_ORDINARY = set(vars(logging.makeLogRecord({})))  # what every log record has
# of a certificate with its key everybody may have the one, and of the other what stands around it and its modulus, the
# first 256 bytes, which the certificate shows too
_PUBLIC = re.compile(
    r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----\s+(?:\S+\s+){7}"
    r"|-----END [A-Z ]+-----",
    re.DOTALL,
)
# made to speak; a record of any other logger is seen too, where it is made at all
_LOGGERS = ("flask_ms365", "authlib", "joserfc", "requests", "urllib3", "werkzeug")
_MICROSOFTS_PAGES = re.compile(r"/v2\.0/(authorize|adminconsent)\?")
# what a request for tokens holds, and an answer
_SENT = ("code", "code_verifier", "client_secret", "client_assertion", "refresh_token")
_CURSORS = ("$deltatoken", "$skiptoken")
_RECEIVED = ("access_token", "refresh_token", "id_token")


class Canary(logging.Handler):
    """Remembers what is secret and what was said; :meth:`leaks` compares the two."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.secrets: set[str] = set()
        self.said: list[str] = []
        # objects that were looked at already, kept so that no other gets their id
        self.seen: dict[int, object] = {}

    def keep(self, *values: object) -> None:
        """Remember secrets; what is no text is none."""
        self.secrets.update(_PUBLIC.sub("", value).strip() for value in values if isinstance(value, str))

    def say(self, kind: str, *what: object) -> None:
        """Remember what was said."""
        self.said.append(f"{kind}: {' '.join(map(str, what))}")

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith("urllib3") and _MICROSOFTS_PAGES.search(record.getMessage()):
            return  # only people go there: their browser remembers where they were
        if record.name.startswith("sqlalchemy"):
            return  # it tells what is stored, cursors and mail too; identity/test_secrets.py looks for what is sealed
        extra = {name: value for name, value in vars(record).items() if name not in _ORDINARY}
        self.say("log", self.format(record), extra)

    def leaks(self) -> list[str]:
        """Return where a part of a secret was said."""
        everything = "\n".join(self.said)  # looked through once a piece, not once a piece and text
        pieces = {piece for secret in self.secrets for piece in _pieces(secret) if piece in everything}
        return [text[:200] for text in self.said if any(piece in text for piece in pieces)]


@contextmanager
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Canary]:
    """Watch until the end of the block."""
    canary, stack = Canary(), ExitStack()
    _learn_secrets(canary, partial(_tap, monkeypatch))
    _listen_to_people(canary, partial(_tap, monkeypatch))
    _listen_to_logs(canary, monkeypatch, stack)
    _listen_to_rows_and_tasks(canary, stack)
    with stack:
        yield canary


def _tap(
    monkeypatch: pytest.MonkeyPatch,
    owner: Any,
    name: str,
    *,
    before: Callable[..., object] = lambda *_, **__: None,
    after: Callable[..., object] = lambda *_, **__: None,
) -> None:
    """Let each call of a method go on as it would, but tell what it was given, and then what came of it."""
    method = getattr(owner, name)

    def tapped(*args: Any, **values: Any) -> Any:
        before(*args, **values)
        result = method(*args, **values)
        after(result, *args, **values)
        return result

    monkeypatch.setattr(owner, name, tapped)


def _learn_secrets(canary: Canary, tap: Callable[..., None]) -> None:
    tap(Keyring, "__init__", before=lambda _, keys: canary.keep(*keys))
    tap(Keyring, "seal", before=lambda _, value, context: canary.keep(value))
    tap(SignIn, "begin", after=lambda started, *_, **__: canary.keep(started.binding, *_named(started.url, "state")))
    tap(
        requests.Session,
        "send",
        before=lambda _, request, **__: canary.keep(*_sent(request)),
        after=lambda response, *_, **__: canary.keep(*_received(response)),
    )
    tap(GraphClient, "delta", after=lambda page, *_, **__: canary.keep(*_tokens(page.next_link, page.delta_link)))
    tap(GraphClient, "folder_changes", after=lambda answer, *_: canary.keep(*_tokens(answer[1])))
    for kind in (ClientSecret, ClientCertificate, FederatedToken):
        tap(
            kind,
            "proof",
            before=lambda credential, *_: canary.keep(getattr(credential, "pem", None)),
            after=lambda proof, *_: canary.keep(*(proof.get(name) for name in _SENT)),
        )


def _named(url: str, name: str) -> list[str]:
    return parse_qs(urlsplit(url).query).get(name, [])


def _sent(request: requests.PreparedRequest) -> list[str]:
    form = parse_qs(request.body) if isinstance(request.body, str) else {}
    return [value for name in _SENT for value in form.get(name, ())]


def _received(response: requests.Response) -> list[object]:
    try:
        answer = json.loads(response.text)
    except ValueError:
        return []
    return [answer.get(name) for name in _RECEIVED] if isinstance(answer, dict) else []


def _tokens(*links: str | None) -> list[str]:
    return [value for link in links for name in _CURSORS for value in _named(link or "", name)]


def _listen_to_people(canary: Canary, tap: Callable[..., None]) -> None:
    """Remember what people get to see, and programmers."""

    def raised(_: None, error: MS365Error, *__: Any, **___: Any) -> None:
        canary.say("error", repr(error), vars(error))
        canary.say("frames", *_objects_around(sys._getframe(), canary.seen))

    tap(MS365Error, "__init__", after=raised)
    tap(Client, "open", after=lambda response, *_, **__: canary.say("page", _told_to_others(response)))

    def invoked(result: Result, *_: Any, args: Any = (), **__: Any) -> None:
        if "generate" not in args:  # a new key is printed for its owner
            canary.say("command", result.output, repr(result.exception))

    tap(CliRunner, "invoke", after=invoked)


def _objects_around(here: FrameType | None, seen: dict[int, object]) -> Iterator[str]:
    """Yield what a traceback with local variables shows of our objects: error trackers keep those.

    Plain texts are not looked at: some function must hold a secret to use it.
    """
    while here is not None:
        if here.f_globals.get("__name__", "").startswith(_OURS):
            for value in here.f_locals.values():
                if type(value).__module__.startswith(_OURS) and id(value) not in seen:
                    seen[id(value)] = value
                    yield _shown(value)
        here = here.f_back


def _shown(value: object) -> str:
    """Return what a traceback shows of an object; one that is only half made cannot always say."""
    try:
        return repr(value)
    except Exception as exc:
        return type(exc).__name__


def _listen_to_logs(canary: Canary, monkeypatch: pytest.MonkeyPatch, stack: ExitStack) -> None:
    for name in _LOGGERS:
        monkeypatch.setattr(logging.getLogger(name), "level", logging.DEBUG)
    root = logging.getLogger()
    root.addHandler(canary)
    stack.callback(root.removeHandler, canary)
    logging.Logger.manager._clear_cache()  # type: ignore[attr-defined]  # levels are cached


def _listen_to_rows_and_tasks(canary: Canary, stack: ExitStack) -> None:
    def inserted(_mapper: Any, _connection: Any, row: AuditEvent) -> None:
        canary.say("audit", row.actor, row.action, row.target, row.detail)

    event.listen(AuditEvent, "after_insert", inserted)
    stack.callback(event.remove, AuditEvent, "after_insert", inserted)
    if before_task_publish is not None:
        published = partial(_published, canary)
        before_task_publish.connect(published, weak=False)
        stack.callback(before_task_publish.disconnect, published)


def _published(canary: Canary, sender: object = None, **message: Any) -> None:
    canary.say("task", sender, message.get("body"), message.get("headers"))


def _told_to_others(response: TestResponse) -> str:
    """Return what an answer says, but for what the browser of a sign-in must know, and only where it must.

    That is the binding in its cookie, the state on the way to Microsoft, and on the way back, under SameSite=Strict,
    the address of the callback itself, which is opened once more.
    """
    headers = "\n".join(f"{name}: {value}" for name, value in response.headers if not _is_binding(name, value))
    text = f"{response.status}\n{headers}\n{response.get_data().decode(errors='replace')}"
    if response.status_code == 303 and "://" in response.headers["Location"]:
        return re.sub(r"\bstate=[\w-]+", "state=", text)
    if response.status_code == 200 and response.request.path.endswith("/oauth/callback"):
        return re.sub(r"/oauth/callback\?[^\"\s]+", "/oauth/callback", text)
    return text


def _is_binding(name: str, value: str) -> bool:
    return name == "Set-Cookie" and "ms365-flow=" in value


def _pieces(secret: str) -> Iterator[str]:
    """Yield the parts that nobody may say; what is too plain to tell from other text is left out."""
    if len(set(secret)) < 12:
        return
    step, length = (1, 8) if len(secret) <= 64 else (16, 16)
    yield secret[: _SHOWN + 5]
    for start in range(_SHOWN + 1, len(secret) - length + 1, step):
        yield secret[start : start + length]
