"""Why a file cannot be had, and what to do about it: a page in the place of the download."""

from __future__ import annotations

import math

from flask import make_response
from flask.typing import ResponseReturnValue

from flask_ms365.errors import (
    AppRefused,
    GraphError,
    MS365Error,
    NotFound,
    SignInNeeded,
    Throttled,
    TokenError,
    TokenUnavailable,
    Unavailable,
)
from flask_ms365.web.problem import problem
from flask_ms365.words import Words, counted

_TITLE = Words("This cannot be opened")
_GONE = Words("Microsoft does not have it any more, or not for this account.")
_IN_OUTLOOK = Words("It may still be open to you in Outlook.")
_A_MINUTE = 60


def content_problem(error: MS365Error, web_link: str | None) -> ResponseReturnValue:
    """Return the page that says what is wrong, with the status that programs expect.

    ``web_link`` is where the message is in Outlook.
    """
    if isinstance(error, (Throttled, Unavailable, TokenUnavailable)):
        return _later(error)
    if isinstance(error, (SignInNeeded, AppRefused)):
        return problem(_TITLE, error.message, 502, next_step=_connect_again(error))
    link = (Words("Open in Outlook"), web_link) if web_link else None
    text, status = (_GONE, 404) if isinstance(error, NotFound) else (error.words, 502)
    if isinstance(error, GraphError) and error.code == "referenceAttachment":
        status = 404  # there is nothing to be sent
    return problem(_TITLE, text, status, next_step=_IN_OUTLOOK if link else "", link=link)


def _connect_again(error: TokenError) -> str:
    if isinstance(error, SignInNeeded):
        return Words("Whoever connected this mailbox must sign in again.")
    return Words("An admin of this app must look at it.")


def _later(error: Throttled | Unavailable | TokenUnavailable) -> ResponseReturnValue:
    seconds = math.ceil(error.retry_after or _A_MINUTE)
    minutes = math.ceil(seconds / 60)
    again = counted("Try again in a minute.", "Try again in %(count)s minutes.", minutes)
    response = make_response(problem(_TITLE, error.message, 503, next_step=again))
    response.headers["Retry-After"] = str(seconds)
    return response
