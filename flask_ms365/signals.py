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
#: ``mailbox_id``, ``keep_mail`` (False: its mail is being deleted)
mailbox_disconnected = _signals.signal("mailbox-disconnected")
#: ``mailbox_id``, ``code`` (Microsoft's, or empty)
reconnect_needed = _signals.signal("reconnect-needed")
#: Microsoft refused the app itself, or is too busy for it; no mailbox gets a new token for a while. Once for each such
#: time, whatever number of mailboxes and processes there are: ``error`` (:class:`~flask_ms365.errors.TokenError`)
tokens_held = _signals.signal("tokens-held")
#: ``message_id``, ``change``
message_synced = _signals.signal("message-synced")
#: a mailbox has had no success for six intervals and half an hour at least: ``mailbox_id``, ``cause`` (how its last run
#: failed, in the words of :class:`~flask_ms365.Result`; empty where no run came to an end), ``last_success_at`` (or
#: None). Once for each such time, and again if it needs a person since, whatever number of processes there are
mailbox_overdue = _signals.signal("mailbox-overdue")
#: a mailbox waits for a person, or no longer does: ``mailbox_id``, ``cause``. Once for each cause, whatever number of
#: processes there are; what concerns the whole app, or most mailboxes, is not told here but by ``@ms365.on_trouble``
mailbox_failing = _signals.signal("mailbox-failing")
mailbox_healed = _signals.signal("mailbox-healed")
#: ``report`` (:class:`~flask_ms365.RunReport`)
run_finished = _signals.signal("run-finished")
#: an entry of the audit log, for hosts that keep one of their own: ``at``, ``actor``, ``door`` (page, cli or code),
#: ``ip``, ``action``, ``target``, ``detail``
audit_event = _signals.signal("audit-event")
#: once for each of the last 30, 14, 7, 1 and 0 days of the client secret or certificate in use, or once a federated
#: token is stale, whatever number of processes there are: ``days_left`` (negative once it is over), ``expires_on``
secret_expiring = _signals.signal("secret-expiring")
