"""The pages of the sign-in service: plain HTML that works without JavaScript, with a keyboard and a screen reader."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from markupsafe import Markup

_PAGE = Markup(
    """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>
body {{ font: 1rem/1.5 "Segoe UI", system-ui, sans-serif; background: #f2f2f2; color: #1b1b1b; margin: 0 }}
main {{ max-width: 27rem; margin: 8vh auto; padding: 2rem; background: #fff; box-shadow: 0 2px 6px #0003 }}
h1 {{ font-size: 1.5rem; margin: 0 0 1rem }}
label {{ display: block; margin-top: .75rem }}
input {{ font: inherit; width: 100%; box-sizing: border-box; padding: .5rem; border: 1px solid #666 }}
button {{ font: inherit; padding: .5rem 1.5rem; margin: 1.25rem .5rem 0 0; border: 1px solid #666 }}
button[value=accept] {{ background: #0067b8; border-color: #0067b8; color: #fff }}
:focus-visible {{ outline: 3px solid #0067b8; outline-offset: 2px }}
.note {{ color: #555; font-size: .875rem }}
[role=alert] {{ color: #a4262c }}
</style>
</head>
<body><main>
<p class="note">Simulator of Microsoft 365. Nothing here reaches Microsoft.</p>
{content}
</main></body>
</html>
"""
)

_SIGN_IN = Markup(
    """<h1>Sign in</h1>
{problem}
<form method="post" action="{action}">
{hidden}
<label for="username">Account</label>
<input id="username" name="username" type="email" autocomplete="username" value="{username}" required{focus_name}>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required{focus_password}>
<h2>Permissions requested by {app}</h2>
<ul>
{permissions}
</ul>
{note}
<button name="action" value="accept">Accept</button>
<button name="action" value="cancel" formnovalidate>Cancel</button>
</form>"""
)


def sign_in(
    *,
    action: str,
    app: str,
    permissions: Iterable[str],
    parameters: Mapping[str, str],
    username: str = "",
    problem: str = "",
    note: str = "",
) -> str:
    """The form that asks who is there and whether the app may have what it asks for."""
    content = _SIGN_IN.format(
        action=action,
        app=app,
        username=username,
        focus_name=Markup("" if username else " autofocus"),
        focus_password=Markup(" autofocus" if username else ""),
        problem=Markup('<p role="alert">{}</p>').format(problem) if problem else "",
        note=Markup('<p class="note">{}</p>').format(note) if note else "",
        permissions=Markup("\n").join(Markup("<li>{}</li>").format(one) for one in permissions),
        hidden=_hidden(parameters),
    )
    return _PAGE.format(title="Sign in to your account", content=content)


def trouble(description: str) -> str:
    """The page that says why nobody can sign in; Microsoft sends no redirect for these errors."""
    content = Markup('<h1>Sorry, but we’re having trouble signing you in.</h1>\n<p role="alert">{}</p>')
    return _PAGE.format(title="Sign in to your account", content=content.format(description))


def need_admin_approval(*, action: str, description: str, parameters: Mapping[str, str]) -> str:
    """The page for people who may not consent; its only way on leads back to the app, with an error."""
    content = Markup(
        '<h1>Need admin approval</h1>\n<p role="alert">{}</p>\n<form method="post" action="{}">\n{}\n'
        '<button name="action" value="return">Return to the application without granting consent</button></form>'
    )
    return _PAGE.format(title="Need admin approval", content=content.format(description, action, _hidden(parameters)))


def signed_out() -> str:
    """The page after signing out."""
    return _PAGE.format(title="Sign out", content=Markup("<h1>You signed out of your account</h1>"))


def form_post(redirect_uri: str, parameters: Mapping[str, str]) -> str:
    """The page of response_mode=form_post; without JavaScript there is a button."""
    form = Markup(
        '<form method="post" action="{}">\n{}\n<button>Continue</button></form>\n'
        "<script>document.forms[0].submit()</script>"
    )
    return _PAGE.format(title="Working…", content=form.format(redirect_uri, _hidden(parameters)))


def _hidden(parameters: Mapping[str, str]) -> Markup:
    field = Markup('<input type="hidden" name="{}" value="{}">')
    return Markup("\n").join(field.format(name, value) for name, value in parameters.items())
