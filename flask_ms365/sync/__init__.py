"""The sync engine: from what Graph says to rows in the host's database, each message exactly once.

Glossary. A *run* syncs one mailbox under a *lease*. It reads each selected folder's delta in *rounds*; a round is a
chain of *pages*, and each page is one transaction: messages, handlers, cursor, lease. A *departure* is a message that
left a folder; it is only believed when Graph confirms where the message is now. ``plan.py`` decides and touches
nothing, ``store.py`` writes, ``engine.py`` drives, ``lease.py`` keeps workers apart.
"""

from __future__ import annotations
