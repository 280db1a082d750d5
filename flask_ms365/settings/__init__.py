"""Settings: the catalog says what there is, the deployment what they fall back to, the service what holds and why.

A *stored* value is an override that somebody saved. Without one the deployment's ``app.config`` value holds, and
without that the built-in default. Absent and empty are different.
"""

from __future__ import annotations

from flask_ms365.settings.catalog import CATALOG, SettingSpec, spec_of
from flask_ms365.settings.values import USE_DEFAULT, Changes, Effective, UseDefault

__all__ = ["CATALOG", "USE_DEFAULT", "Changes", "Effective", "SettingSpec", "UseDefault", "spec_of"]
