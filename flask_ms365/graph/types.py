"""What Graph sends, as msgspec structs that keep only what we store.

A property that Graph left out is UNSET, which is not the same as null: a partial update must not erase what is known.
"""

from __future__ import annotations

from datetime import datetime
from typing import Generic, TypeVar

from msgspec import UNSET, Raw, Struct, UnsetType, field

T = TypeVar("T")


class _Graph(Struct, rename="camel", kw_only=True, gc=False):
    """Property names as Graph spells them."""


class EmailAddress(_Graph):
    """A name and an address; either may be missing, and the address need not be one."""

    name: str | None = None
    address: str | None = None


class Person(_Graph):
    """A sender or recipient."""

    email_address: EmailAddress = field(default_factory=EmailAddress)


class Body(_Graph):
    """``content_type`` is ``html`` or ``text``."""

    content_type: str | None = None
    content: str | None = None


class Flag(_Graph):
    """``notFlagged``, ``flagged`` or ``complete``."""

    flag_status: str | None = None


class Removed(_Graph):
    """Why an item is no longer in the folder: ``changed`` or ``deleted``; a move says ``deleted`` too."""

    reason: str | None = None


class Outline(_Graph):
    """As little of a message as tells whether it is as we have it."""

    id: str
    removed: Removed | None = field(name="@removed", default=None)
    change_key: str | UnsetType | None = UNSET
    received_date_time: datetime | UnsetType | None = UNSET
    is_read: bool | UnsetType | None = UNSET


class MessageData(Outline):
    """A message as a delta page or a read gives it, whole or in part."""

    parent_folder_id: str | UnsetType | None = UNSET
    internet_message_id: str | UnsetType | None = UNSET
    conversation_id: str | UnsetType | None = UNSET
    subject: str | UnsetType | None = UNSET
    sent_from: Person | UnsetType | None = field(name="from", default=UNSET)
    sender: Person | UnsetType | None = UNSET
    to_recipients: list[Person] | UnsetType | None = UNSET
    cc_recipients: list[Person] | UnsetType | None = UNSET
    bcc_recipients: list[Person] | UnsetType | None = UNSET
    reply_to: list[Person] | UnsetType | None = UNSET
    sent_date_time: datetime | UnsetType | None = UNSET
    is_draft: bool | UnsetType | None = UNSET
    importance: str | UnsetType | None = UNSET
    flag: Flag | UnsetType | None = UNSET
    categories: list[str] | UnsetType | None = UNSET
    has_attachments: bool | UnsetType | None = UNSET
    body_preview: str | UnsetType | None = UNSET
    body: Body | UnsetType | None = UNSET
    web_link: str | UnsetType | None = UNSET


class FolderData(_Graph):
    """A mail folder, whole or in part. The search folders among them carry a type of their own."""

    id: str
    odata_type: str = field(name="@odata.type", default="")
    removed: Removed | None = field(name="@removed", default=None)
    display_name: str | UnsetType | None = UNSET
    parent_folder_id: str | UnsetType | None = UNSET
    child_folder_count: int | UnsetType | None = UNSET
    is_hidden: bool | UnsetType | None = UNSET
    total_item_count: int | UnsetType | None = UNSET

    @property
    def is_search(self) -> bool:
        """Tell a search folder, which holds no mail of its own."""
        return self.odata_type.endswith("mailSearchFolder")


class AttachmentData(_Graph):
    """An attachment without its content."""

    id: str
    odata_type: str = field(name="@odata.type", default="")
    name: str | None = None
    content_type: str | None = None
    size: int | None = None
    is_inline: bool | None = None
    content_id: str | None = None

    @property
    def kind(self) -> str:
        """Tell ``file``, ``item`` and ``reference`` apart."""
        return self.odata_type.rpartition(".")[2].removesuffix("Attachment") or "file"


class Page(_Graph, Generic[T]):
    """One page of a collection."""

    value: list[T]
    next_link: str | None = field(name="@odata.nextLink", default=None)
    delta_link: str | None = field(name="@odata.deltaLink", default=None)
    # of the whole collection, where it was asked for
    count: int | None = field(name="@odata.count", default=None)

    def __repr__(self) -> str:  # the links are secrets
        return f"<{type(self).__name__} of {len(self.value)}>"


class DeltaPage(Page[MessageData]):
    """One page of a folder's message delta: it has a next link, or the delta link that ends the round.

    Whether ids stay when messages move is told beside the page, by a header.
    """

    has_immutable_ids: bool = False


class User(_Graph):
    """Whose mailbox it is."""

    id: str
    display_name: str | None = None
    mail: str | None = None
    user_principal_name: str | None = None
    proxy_addresses: list[str] | None = None

    @property
    def addresses(self) -> set[str]:
        """Every address of the mailbox and the sign-in name, in lower case."""
        proxies = (proxy.partition(":")[2] for proxy in self.proxy_addresses or () if proxy.lower().startswith("smtp:"))
        return {name.lower() for name in (self.mail, self.user_principal_name, *proxies) if name}


class BatchAnswer(Struct):
    """One answer within a batch. Each has a status of its own, and only a good one a body of the wanted kind."""

    id: str
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: Raw = field(default_factory=Raw)


class Batch(Struct):
    """What ``$batch`` answers."""

    responses: list[BatchAnswer]
