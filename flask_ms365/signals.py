"""Blinker signals, sent after the commit that they tell of. The sender is the Flask app."""

from __future__ import annotations

from blinker import Namespace

_signals = Namespace()

#: settings were saved: ``changed`` (list of keys), ``actor``
settings_saved = _signals.signal("settings-saved")
#: the toggle went on or off: ``actor``
email_sync_enabled = _signals.signal("email-sync-enabled")
email_sync_disabled = _signals.signal("email-sync-disabled")
#: ``mailbox_id``
mailbox_connected = _signals.signal("mailbox-connected")
#: ``mailbox_id``, ``code`` (Microsoft's, or empty)
reconnect_needed = _signals.signal("reconnect-needed")
#: ``message_id``, ``change``
message_synced = _signals.signal("message-synced")
#: ``report`` (:class:`~flask_ms365.RunReport`)
run_finished = _signals.signal("run-finished")
