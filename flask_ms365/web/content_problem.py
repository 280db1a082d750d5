"""Why a file cannot be had, and what to do about it: a page in the place of the download."""

from __future__ import annotations

import math
from dataclasses import dataclass

from flask import make_response
from flask.typing import ResponseReturnValue

from flask_ms365.errors import (
    AppRefused,
    GraphError,
    MS365Error,
    NotFound,
    SignInNeeded,
    Throttled,
    TokenUnavailable,
    Unavailable,
)
from flask_ms365.web.problem import problem
from flask_ms365.words import Words, counted

_TITLE = Words("This cannot be opened")
_GONE = Words("Microsoft does not have it any more, or not for this account.")
_IN_OUTLOOK = Words("You may still be able to open it in Outlook.")
_A_MINUTE = 60


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """What is wrong, in words, and the status that programs expect."""

    text: str
    next_step: str = ""
    status: int = 502
    retry_after: int | None = None


def content_problem(error: MS365Error, web_link: str | None) -> ResponseReturnValue:
    """Return the page that says what is wrong; ``web_link`` is where the message is in Outlook."""
    wrong = what_is_wrong(error)
    link = (Words("Open in Outlook"), web_link) if web_link and not wrong.next_step else None
    next_step = _IN_OUTLOOK if link else wrong.next_step
    response = make_response(problem(_TITLE, wrong.text, wrong.status, next_step=next_step, link=link))
    if wrong.retry_after is not None:
        response.headers["Retry-After"] = str(wrong.retry_after)
    return response


def what_is_wrong(error: MS365Error) -> Wrong:
    """Return what people are told of an error that content could not be had for."""
    if isinstance(error, (Throttled, Unavailable, TokenUnavailable)):
        seconds = math.ceil(error.retry_after or _A_MINUTE)
        again = counted("Try again in a minute.", "Try again in %(count)s minutes.", math.ceil(seconds / 60))
        return Wrong(text=error.message, next_step=again, status=503, retry_after=seconds)
    if isinstance(error, SignInNeeded):
        return Wrong(text=error.message, next_step=Words("Whoever connected this mailbox must sign in again."))
    if isinstance(error, AppRefused):
        return Wrong(text=error.message, next_step=Words("An admin of this app must look at it."))
    if isinstance(error, NotFound):
        return Wrong(text=_GONE, status=404)
    # a link to the cloud has nothing that could be sent
    is_link = isinstance(error, GraphError) and error.code == "referenceAttachment"
    return Wrong(text=error.words, status=404 if is_link else 502)
