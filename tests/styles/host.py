"""The host: raw Flask, with the base template that docs/theming.md asks for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from flask import Flask, Response, send_file

from flask_ms365 import MS365
from flask_ms365.crypto import generate_key
from flask_ms365.simulator import Simulator
from tests.conftest import Host
from tests.directory import People

HERE = Path(__file__).parent
PACKAGES = HERE.parent / "browser" / "node_modules"
THEMING = HERE.parents[1] / "docs" / "theming.md"

STYLES = {
    "bootstrap": PACKAGES / "bootstrap/dist/css/bootstrap.min.css",
    "tabler": PACKAGES / "@tabler/core/dist/css/tabler.min.css",
    "pico": PACKAGES / "@picocss/pico/css/pico.min.css",
    "simple": PACKAGES / "simpledotcss/simple.min.css",
    "water": PACKAGES / "water.css/out/water.min.css",
    "legacy": HERE / "legacy.css",
}
# the legacy one knows only light
DARK_STYLES = tuple(name for name in STYLES if name != "legacy")
_BRIDGE = re.compile(r"^(\w+)[ .\d]*:\n```css\n(.*?)```", re.MULTILINE | re.DOTALL)
BRIDGES = {name.lower(): rules for name, rules in _BRIDGE.findall(THEMING.read_text(encoding="utf-8"))}


def styled_host(folder: Path, simulator: Simulator, **config: Any) -> Host:
    """Return a host in debug mode, so that it shows the gallery; ``config`` is for ``app.config``."""
    app = Flask("styles", instance_path=str(folder), template_folder=str(HERE / "templates"))
    app.debug = True
    app.config.update(
        SECRET_KEY="not secret",
        MS365_ENCRYPTION_KEYS=generate_key(),
        MS365_AUTHORITY_URL=simulator.url,
        MS365_GRAPH_URL=simulator.url,
        MS365_JOB_HOOK="external",
        **config,
    )
    app.add_url_rule("/styles/<name>.css", "style_sheet", _style_sheet)
    app.add_url_rule("/bridges/<name>.css", "bridge", _bridge)
    host = Host(app, MS365(), None)
    host.ms365.init_app(
        app,
        authorize=lambda permission: permission in host.permissions,
        current_user_id=lambda: host.user_id,
        directory=People(),
    )
    return host


def _style_sheet(name: str) -> Response:
    return send_file({**STYLES, "host": HERE / "host.css"}[name], max_age=3600)


def _bridge(name: str) -> Response:
    return Response(BRIDGES[name], mimetype="text/css")
