"""The people of a host, as its directory tells of them; tests change who has which role."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from flask_ms365 import DirectoryEntry


@dataclass
class People:
    """A directory in memory."""

    names: dict[str, str] = field(
        default_factory=lambda: {"ana": "Ana Ruiz", "kim": "Kim Osei", "ben": "Ben Adeyemi", "kit": "Kit Osei"}
    )
    role_names: dict[str, str] = field(default_factory=lambda: {"desk": "Service desk", "sales": "Sales"})
    roles_by_user: dict[str, list[str]] = field(default_factory=lambda: {"kim": ["desk"]})

    def names_of(self, user_ids: Collection[str]) -> dict[str, str]:
        return {user_id: self.names[user_id] for user_id in user_ids if user_id in self.names}

    def search(self, text: str) -> list[DirectoryEntry]:
        return [DirectoryEntry(one, name) for one, name in self.names.items() if text.lower() in name.lower()]

    def roles(self) -> list[DirectoryEntry]:
        return [DirectoryEntry(one, name) for one, name in self.role_names.items()]

    def roles_of(self, user_id: str) -> Collection[str]:
        return self.roles_by_user.get(user_id, [])
