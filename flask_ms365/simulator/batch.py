"""JSON batching: up to 20 calls in one, each with its own status."""

from __future__ import annotations

import json
import math
import time
from base64 import b64encode
from collections.abc import Callable
from typing import Any

from werkzeug import Request, Response
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder

from .errors import DropConnection, GraphError
from .journal import Scripts
from .representation import Json
from .responses import encode, json_response

Answer = Callable[[Request], Response]

MOST = 20
AT_ONCE = 4  # as many calls of a batch as Graph runs for a mailbox at a time
IN_BATCH = "simulator.in_batch"


def answer_batch(graph: Answer, request: Request, scripts: Scripts, latency: float) -> Response:
    """Answer each call of the batch by itself; the outer 200 says nothing about them.

    A call that a script hangs up on has no answer among the others.
    """
    done: dict[str, int] = {}
    responses = []
    items = _items(request)
    time.sleep(latency * math.ceil(len(items) / AT_ONCE))
    for item in items:
        failed = any(done.get(str(other), 424) >= 400 for other in item.get("dependsOn", ()))
        inner = _inner(item, request)
        try:
            scripted = scripts.answer(inner)
        except DropConnection:
            continue
        shown = _failed_dependency(item) if failed else _shown(item, scripted or graph(inner))
        done[str(item["id"])] = int(str(shown["status"]))
        responses.append(shown)
    return json_response({"responses": responses})


def _items(request: Request) -> list[dict[str, Any]]:
    body = request.get_json(silent=True)
    items = body.get("requests") if isinstance(body, dict) else None
    if request.method != "POST" or not isinstance(items, list) or not items:
        raise GraphError(400, "BadRequest", "Invalid batch payload format.")
    if len(items) > MOST:
        raise GraphError(400, "BadRequest", f"Number of batch request steps exceeds the maximum value of {MOST}.")
    ids = [item.get("id") for item in items]
    if None in ids or len(set(ids)) < len(ids):
        raise GraphError(400, "BadRequest", "Request ids must be present and unique.")
    return items


def _inner(item: dict[str, Any], outer: Request) -> Request:
    path, _, query = f"/v1.0/{str(item['url']).lstrip('/')}".partition("?")
    body = item.get("body")
    headers = Headers(item.get("headers", {}))
    headers["Authorization"] = outer.headers.get("Authorization", "")
    builder = EnvironBuilder(
        path=path,
        query_string=query,
        base_url=outer.host_url,
        method=item.get("method", "GET"),
        headers=headers,
        data=None if body is None else json.dumps(body),
        environ_overrides={IN_BATCH: True},
    )
    return Request(builder.get_environ())


def _shown(item: dict[str, Any], response: Response) -> Json:
    shown: Json = {"id": item["id"], "status": response.status_code}
    shown["headers"] = {name: value for name, value in response.headers.items() if name != "Content-Length"}
    content = response.get_data()
    if content:
        is_json = response.mimetype == "application/json"
        shown["body"] = json.loads(content) if is_json else b64encode(content).decode()
    return shown


def _failed_dependency(item: dict[str, Any]) -> Json:
    error = {"code": "FailedDependency", "message": "The request failed because a request it depends on failed."}
    return {"id": item["id"], "status": 424, "headers": {}, "body": json.loads(encode({"error": error}))}
