"""How the sync is driven: the hook that the toggle registers with, the engines behind it, and the worker loop.

Engines only say "tick". Late, twice and in parallel are all correct, since the lease lies in the database.
"""

from __future__ import annotations
