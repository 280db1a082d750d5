"""What the deployment says of the settings in ``app.config``: defaults, locks, and how much of a secret is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_ms365.config import listed, secret_text
from flask_ms365.errors import ConfigurationError
from flask_ms365.identity.certificate import read_certificate
from flask_ms365.settings.catalog import CATALOG, SettingSpec, spec_of
from flask_ms365.settings.values import Effective

_PREFIX_FROM = 16  # characters; three of a shorter secret would say too much


class Deployment:
    """The part of ``app.config`` that settings fall back to."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config = config
        # the last certificate, and what its check made of it: that takes a while, and each page asks several times
        self._certificate = ("", "")

    def is_locked(self, key: str) -> bool:
        """Tell whether ``key`` may not be changed here."""
        return key in self._config["MS365_LOCKED_SETTINGS"]

    def inherited(self, key: str) -> Effective:
        """Return what *Use default* gives; raise ConfigurationError for a default that cannot hold."""
        spec = spec_of(key)
        given = self._given(spec)
        if given is None or (spec.is_required and not str(given).strip()):
            return Effective(spec.typed(spec.default), "default")
        try:
            return Effective(spec.typed(self._check(spec, str(given))), "config")
        except ValueError as exc:
            raise ConfigurationError(f"{spec.config_key} in app.config: {exc}.") from exc

    def source_key(self, key: str) -> str:
        """Return the key of ``app.config`` that gives the default of ``key``."""
        spec = spec_of(key)
        is_in_file = spec.is_secret and self._config.get(spec.config_key) is None
        return f"{spec.config_key}_FILE" if is_in_file else spec.config_key

    @property
    def token_file(self) -> str:
        """The file that a federated credential lies in; empty where the deployment names none."""
        return str(self._config["MS365_FEDERATED_TOKEN_FILE"] or "")

    def shown_mark(self, spec: SettingSpec, secret: str) -> str:
        """Return what tells a secret from others, as the Entra portal shows it, where that gives nothing away.

        Of a certificate that is its thumbprint, of a client secret its first three characters.
        """
        if spec.kind == "certificate":
            return read_certificate(secret).thumbprint if secret else ""
        may_show = self._config["MS365_SHOW_SECRET_PREFIX"] and len(secret) >= _PREFIX_FROM
        return secret[:3] if may_show else ""

    def check(self) -> None:
        """Raise ConfigurationError for a default that the page would refuse, or a lock on what does not exist."""
        for spec in CATALOG:
            self.inherited(spec.key)
        try:
            for key in self._config["MS365_LOCKED_SETTINGS"]:
                spec_of(key)
        except KeyError as exc:
            raise ConfigurationError(f"MS365_LOCKED_SETTINGS: {exc.args[0]}") from None
        if self.inherited("credential").value == "federated" and not self.token_file:
            raise ConfigurationError("MS365_CREDENTIAL is federated, and MS365_FEDERATED_TOKEN_FILE names no file.")

    def _given(self, spec: SettingSpec) -> Any:
        if spec.is_secret:
            return secret_text(self._config, spec.config_key)
        given = self._config.get(spec.config_key)
        return given if given is None or spec.kind != "list" else ", ".join(listed(given))

    def _check(self, spec: SettingSpec, given: str) -> str:
        if spec.kind != "certificate":
            return spec.checked(given)
        if self._certificate[0] != given:
            self._certificate = given, spec.checked(given)
        return self._certificate[1]
