"""The door for other processes and languages: a mailbox's verbs as `POST /_simulator/{user}/{verb}` with JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from werkzeug import Request, Response

from .errors import GraphError
from .odata import moment
from .responses import json_response

if TYPE_CHECKING:
    from .simulator import Simulator

VERBS = (
    "create_folder",
    "delete",
    "delete_folder",
    "deliver",
    "deliver_many",
    "drop_connection",
    "expire_cursors",
    "fail",
    "fail_attachment",
    "fail_every",
    "fail_folder",
    "fail_message",
    "heal_folder",
    "heal_message",
    "load",
    "mark_read",
    "move",
    "move_folder",
    "rename_folder",
    "stop_failing",
    "throttle",
    "update",
)
# what JSON cannot say: a point in time is ISO 8601, a mail its MIME text
_READ: dict[str, Callable[[str], object]] = {
    "received_at": moment,
    "sent_at": moment,
    "mail": str.encode,
}


def change_mailbox(simulator: Simulator, request: Request, *, upn: str, verb: str) -> Response:
    """Run a verb of a mailbox with the arguments of the JSON body."""
    user = simulator.user(upn)
    if user is None or verb not in VERBS:
        return json_response({"error": f"There is no {verb} for {upn}.", "verbs": VERBS}, 404)
    try:
        return json_response({"result": getattr(user.mailbox, verb)(**_arguments(request))})
    except (TypeError, ValueError, LookupError, OSError, GraphError) as error:
        return json_response({"error": str(error)}, 400)


def revoke(simulator: Simulator, request: Request) -> Response:
    """Revoke the sessions of the user in the JSON body: {"user": "ana@contoso.example"}."""
    name = str(_arguments(request).get("user", ""))
    user = simulator.user(name)
    if user is None:
        return json_response({"error": f"There is no user {name}."}, 404)
    simulator.revoke(user)
    return json_response({"result": None})


def state(simulator: Simulator, request: Request) -> Response:
    """Everything there is: the tenant, the apps, the users and their messages."""
    return json_response(
        {
            "tenant_id": simulator.tenant_id,
            "tenant_domain": simulator.tenant_domain,
            "requests": len(simulator.requests),
            "apps": [
                {"client_id": app.client_id, "name": app.name, "redirect_uris": app.redirect_uris}
                for app in simulator.apps.values()
            ],
            "users": [
                {
                    "upn": user.upn,
                    "oid": user.oid,
                    "name": user.name,
                    "folders": list(user.mailbox.folders),
                    "messages": user.mailbox.messages(),
                }
                for user in simulator.users.values()
            ],
        }
    )


def _arguments(request: Request) -> dict[str, Any]:
    arguments = request.get_json(silent=True) if request.get_data() else {}
    if not isinstance(arguments, dict):
        raise ValueError("The body must be a JSON object of arguments.")
    return {name: _READ[name](value) if name in _READ else value for name, value in arguments.items()}
