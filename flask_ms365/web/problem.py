"""A whole page that says what is wrong."""

from __future__ import annotations

from flask import render_template

from flask_ms365.words import Words


def problem(
    title: str, text: str, status: int, *, next_step: str = "", link: tuple[str, str] | None = None
) -> tuple[str, int]:
    """Return the page with its status; it does not say whether the thing exists for somebody else.

    ``link`` is the words and the address of a page of Microsoft's.
    """
    return render_template("ms365/problem.html", title=title, text=text, next_step=next_step, link=link), status


def not_found() -> tuple[str, int]:
    """Return the page for what is not there, or not for this visitor."""
    return problem(Words("Not found"), Words("There is nothing here, or it is not yours to see."), 404)
