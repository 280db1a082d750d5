"""What an entry of the audit log says, for people. A new action needs a sentence here, else its name is shown."""

from __future__ import annotations

from typing import Any

from flask_ms365.settings import SettingSpec, spec_of
from flask_ms365.words import Words, visible

# area of the page's filter -> its name, and the first parts of the actions in it
AREAS: dict[str, tuple[Words, tuple[str, ...]]] = {
    "settings": (Words("Settings"), ("setting", "base_url", "consent")),
    "mailboxes": (Words("Mailboxes"), ("mailbox",)),
    "check": (Words("Connection check"), ("check",)),
    "keys": (Words("Encryption keys"), ("keys",)),
    "sign_in": (Words("Sign in with Microsoft"), ("user", "sign_in")),
}
DOORS: dict[str, Words] = {"page": Words("Page"), "cli": Words("Command line"), "code": Words("Code of the app")}

_SENTENCES: dict[str, Words] = {
    "base_url.confirmed": Words("Address that people use confirmed: %(target)s"),
    "check.run": Words("Connection check run"),
    "consent.given": Words("Admin consent given at Microsoft"),
    "keys.forgotten": Words("Secrets under the lost key %(target)s given up"),
    "keys.rotated": Words("Secrets sealed with the key %(target)s"),
    "mailbox.added": Words("%(target)s added"),
    "mailbox.connected": Words("%(target)s connected"),
    "mailbox.disconnected": Words("%(target)s disconnected"),
    "mailbox.export_begun": Words("Export of the mail of %(target)s begun"),
    "mailbox.exported": Words("Mail of %(target)s exported, messages: %(messages)s"),
    "mailbox.mail_deleted": Words("Mail of %(target)s deleted"),
    "mailbox.process_chosen": Words("%(target)s: the process %(process)s switched on"),
    "mailbox.process_off": Words("%(target)s: the process %(process)s switched off"),
    "mailbox.process_options_changed": Words("%(target)s: other options for the process %(process)s"),
    "mailbox.paused": Words("%(target)s paused"),
    "mailbox.resumed": Words("%(target)s resumed"),
    "mailbox.sync_asked": Words("%(target)s: to be read now"),
    "mailbox.restarted": Words("%(target)s: to be read again from the start"),
    "mailbox.folders_chosen": Words("%(target)s: other folders chosen"),
    "mailbox.sync_from_chosen": Words("%(target)s: another day chosen since when mail is read"),
    "mailbox.folder_mail_deleted": Words("%(target)s: mail of the folder %(folder)s deleted"),
    "sign_in.refused": Words("%(target)s may not sign in to this app, and was refused"),
    "mailbox.message_skipped": Words("%(target)s: a message that could not be read is skipped"),
    "mailbox.removal_believed": Words("%(target)s: the missing mail of a folder taken for removed"),
    "user.signed_in": Words("%(target)s signed in with Microsoft"),
}
# what of a mailbox was changed, from what to what
_CHANGES: dict[str, Words] = {
    "mailbox.renamed": Words("%(target)s: name %(old)s → %(new)s"),
    "mailbox.owner_changed": Words("%(target)s: owner %(old)s → %(new)s"),
    "mailbox.reader_added": Words("%(target)s may now be read by: %(reader)s"),
    "mailbox.reader_removed": Words("%(target)s may no longer be read by: %(reader)s"),
}


def area_of(action: str) -> str:
    """Return the name of the area that an action belongs to."""
    prefix = action.partition(".")[0]
    return next((label for label, prefixes in AREAS.values() if prefix in prefixes), visible(prefix))


def sentence(event: Any) -> Words:
    """Return what happened; of a secret never more than how it starts."""
    if event.action == "setting.saved":
        return _setting_saved(event.target or "", event.detail)
    target = visible(event.target)
    if event.action in _SENTENCES:
        folder, process = (visible(event.detail.get(name)) for name in ("folder", "process"))
        told = _SENTENCES[event.action].filled(
            target=target, folder=folder, process=process, messages=str(event.detail.get("messages", ""))
        )
        command = visible(event.detail.get("command"))
        return Words("%(event)s by %(command)s", event=told, command=command) if command else told
    if event.action in _CHANGES:
        old, new = (visible(event.detail.get(name)) or Words("not set") for name in ("old", "new"))
        return _CHANGES[event.action].filled(target=target, old=old, new=new, reader=_reader(event.detail))
    return Words("%(action)s: %(target)s", action=visible(event.action), target=target)


def _reader(detail: dict[str, Any]) -> str:
    name = visible(detail.get("name"))
    if detail.get("kind") == "everyone":
        return Words("everyone who may read mail here")
    return Words("the role %(role)s", role=name) if detail.get("kind") == "role" else name


def _setting_saved(key: str, detail: dict[str, Any]) -> Words:
    old, new = detail.get("old"), detail.get("new")
    try:
        spec = spec_of(key)
    except KeyError:  # of another version of this extension
        return Words("%(label)s: %(old)s → %(new)s", label=visible(key), old=visible(str(old)), new=visible(str(new)))
    if spec.kind == "certificate":
        return _certificate_saved(spec.label, old, new)
    if spec.is_secret:
        return _secret_saved(spec.label, old, new)
    default = detail.get("default")
    values = {"old": _value(spec, old, default), "new": _value(spec, new, default)}
    return Words("%(label)s: %(old)s → %(new)s", label=spec.label, **values)


def _secret_saved(label: str, old: Any, new: Any) -> Words:
    if not new:
        return Words("%(label)s removed", label=label)
    prefix = visible(new["starts_with"])
    if old and prefix:
        return Words("%(label)s replaced, starts with %(prefix)s", label=label, prefix=prefix)
    if old:
        return Words("%(label)s replaced", label=label)
    if prefix:
        return Words("%(label)s stored, starts with %(prefix)s", label=label, prefix=prefix)
    return Words("%(label)s stored", label=label)


def _certificate_saved(label: str, old: Any, new: Any) -> Words:
    if not new:
        return Words("%(label)s removed", label=label)
    values = {"label": label, "thumbprint": visible(new["thumbprint"])}
    if old:
        return Words("%(label)s replaced, thumbprint %(thumbprint)s", **values)
    return Words("%(label)s stored, thumbprint %(thumbprint)s", **values)


def _value(spec: SettingSpec, told: str | None, default: str | None) -> str:
    if told is not None:
        return _in_words(spec, told)
    return Words("default (%(value)s)", value=_in_words(spec, default)) if default else Words("not set")


def _in_words(spec: SettingSpec, text: str) -> str:
    if not text:
        return Words("empty")
    if spec.kind == "toggle":
        return Words("On") if spec.typed(text) else Words("Off")
    if spec.unit:
        return Words("%(number)s %(unit)s", number=visible(text), unit=spec.unit)
    return dict(spec.choices).get(text, visible(text))
