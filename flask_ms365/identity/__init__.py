"""Who signs in, and the tokens that follow: clouds, the sign-in flow, ID-token checks, refresh, advice.

Authlib speaks to the authorize and token endpoints; what it leaves open is checked here.
"""

from __future__ import annotations
