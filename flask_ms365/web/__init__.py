"""The pages. Views ask services; they hold no query and never talk to Microsoft while they render."""

from __future__ import annotations
