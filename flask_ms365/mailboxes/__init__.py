"""What people do to mailboxes. Today: connect one's own; see how it is."""

from __future__ import annotations
