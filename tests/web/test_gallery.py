"""The gallery of components is for developers alone."""

from __future__ import annotations

from tests.conftest import Host
from tests.visitor import Visitor

GALLERY = "/ms365/_gallery"


def test_in_production_there_is_none(visitor: Visitor) -> None:
    assert visitor.get(GALLERY).status_code == 404


def test_in_debug_mode_it_shows_every_component(host: Host, visitor: Visitor) -> None:
    host.app.debug = True
    assert "A step that is failed" in visitor.get(GALLERY).text


def test_it_is_for_those_who_manage_settings(host: Host, visitor: Visitor) -> None:
    host.app.debug = True
    host.permissions.discard("manage_settings")
    assert visitor.get(GALLERY).status_code == 403
