"""Mail over Graph, as few verbs as a sync needs. One client serves one mailbox."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from enum import Enum
from typing import TypeVar
from urllib.parse import quote, urlencode

from flask_ms365.errors import Unavailable
from flask_ms365.graph.batch import BatchReader, Reads
from flask_ms365.graph.content import GraphContent
from flask_ms365.graph.decode import decode
from flask_ms365.graph.http import IMMUTABLE, GraphHttp
from flask_ms365.graph.outlines import OutlinedPage, outlined
from flask_ms365.graph.quota import Quota
from flask_ms365.graph.types import AttachmentData, DeltaPage, FolderData, MessageData, Page, User
from flask_ms365.words import Words

T = TypeVar("T")
P = TypeVar("P", bound="DeltaPage | OutlinedPage")

_APART_SELECT = (
    "changeKey,parentFolderId,internetMessageId,conversationId,subject,from,sender,toRecipients,ccRecipients,"
    "bccRecipients,replyTo,receivedDateTime,sentDateTime,isRead,isDraft,importance,flag,categories,hasAttachments,"
    "bodyPreview,webLink"
)
MESSAGE_SELECT = f"{_APART_SELECT},body"
_FOLDER_SELECT = "displayName,parentFolderId,childFolderCount,isHidden,totalItemCount"
_ATTACHMENT_SELECT = "id,name,contentType,size,isInline,microsoft.graph.fileAttachment/contentId"

NEAR = 0.003  # seconds; Microsoft takes ten times as long, and more
FILTERED = 5_000  # what a delta with a filter tells at most, says Microsoft


class Select(str, Enum):
    """What a delta tells of each message."""

    ALL = MESSAGE_SELECT
    WITHOUT_BODY = _APART_SELECT
    # enough to see whether it is as we have it
    SLIM = "changeKey,parentFolderId,receivedDateTime,isRead"


@dataclass(frozen=True, kw_only=True)
class DeltaQuery:
    """What the first request of a folder's delta asks for; the links that follow carry it on."""

    select: Select = Select.ALL
    received_since: datetime | None = None
    newest_first: bool = False

    def encoded(self) -> str:
        """Return the query string."""
        options = {"$select": self.select.value}
        if self.received_since:
            options["$filter"] = _received_since(self.received_since)
        if self.newest_first:
            options["$orderby"] = "receivedDateTime desc"
        return urlencode(options, safe="$,:")


class GraphClient:
    """The mailbox of ``owner``: ``me``, or ``users/{address}``."""

    def __init__(self, http: GraphHttp, *, owner: str = "me") -> None:
        self._http = http
        self._batch = BatchReader(http=http, owner=owner, prefer=IMMUTABLE)
        self._root = f"{http.origin}/v1.0/{owner}"
        self.content = GraphContent(http, root=self._root)

    @property
    def quota(self) -> Quota:
        """How many requests may still be made now."""
        return self._http.quota

    def is_near(self) -> bool:
        """Tell whether answers come sooner than a thread is worth: a server beside us, or none to speak of."""
        return self._http.shortest_wait < NEAR

    def user(self) -> User:
        """Return whose mailbox it is."""
        return self._get(f"{self._root}?$select=id,displayName,mail,userPrincipalName,proxyAddresses", User)

    def probe(self) -> None:
        """Read one property of the inbox; raise a :exc:`GraphError` where its mail cannot be read."""
        self._get(f"{self._root}/mailFolders/inbox?$select=id", FolderData)

    def all_folders(self) -> list[FolderData]:
        """Return every mail folder at any depth, hidden ones too, level by level."""
        query = urlencode({"includeHiddenFolders": "true", "$top": 100, "$select": _FOLDER_SELECT}, safe="$,")
        level = list(self._pages(f"{self._root}/mailFolders?{query}", FolderData))
        found = []
        while level:
            found += level
            parents = [folder.id for folder in level if folder.child_folder_count and not folder.is_search]
            paths = {key: f"/mailFolders/{quote(key, safe='')}/childFolders?{query}" for key in parents}
            children = self._batch.read(paths, Page[FolderData]).found
            level = [folder for page in children.values() for folder in self._rest(page, FolderData)]
        return found

    def folder_changes(self, link: str | None) -> tuple[list[FolderData], str]:
        """Return what changed in the folder tree since ``link`` (None: all of it), and the link for the next time.

        Raise :exc:`~flask_ms365.errors.DeltaExpired` when the link is dead.
        """
        query = urlencode({"includeHiddenFolders": "true", "$select": _FOLDER_SELECT}, safe="$,")
        url: str | None = link or f"{self._root}/mailFolders/delta?{query}"
        changes: list[FolderData] = []
        seen: set[str] = set()
        while url:
            page = self._get(_unseen(url, seen), Page[FolderData], "odata.maxpagesize=100")
            self._check(page)
            changes += page.value
            url = page.next_link
        return changes, page.delta_link or ""

    def well_known_folders(self, names: Sequence[str]) -> dict[str, str]:
        """Return folder id -> well-known name, for those of ``names`` that this mailbox has."""
        paths = {name: f"/mailFolders/{name}?$select=id" for name in names}
        # a name that a mailbox never had is "malformed" there, not missing
        found = self._batch.read(paths, FolderData, absent=(400, 404)).found
        return {folder.id: name for name, folder in found.items()}

    def delta(
        self,
        folder_id: str,
        link: str | None,
        *,
        query: DeltaQuery,
        page_size: int,
        attempts: int,
        is_familiar: bool = False,
    ) -> DeltaPage | OutlinedPage:
        """Return one page of a folder's message delta: the first one, or what ``link`` leads to.

        Where it ``is_familiar``, most likely nothing on it is new. Raise
        :exc:`~flask_ms365.errors.DeltaExpired` when the link is dead.
        """
        url = link or f"{self._folder(folder_id)}/messages/delta?{query.encoded()}"
        return self._delta_page(url, outlined if is_familiar else _in_full, page_size=page_size, attempts=attempts)

    def following(self, url: str, *, page_size: int) -> DeltaPage:
        """Return the page of a message delta that a link leads to; ask once."""
        return self._delta_page(url, _in_full, page_size=page_size, attempts=1)

    def _delta_page(self, url: str, read: Callable[[bytes], P], *, page_size: int, attempts: int) -> P:
        headers = {"Prefer": f"{IMMUTABLE}, odata.maxpagesize={page_size}"}
        answer = self._http.request("GET", url, headers=headers, attempts=attempts)
        page = read(answer.body)
        self._check(page)
        page.has_immutable_ids = "immutableid" in answer.applied.lower()
        return page

    def has_more_than(self, count: int, folder_id: str, since: datetime) -> bool:
        """Tell whether more than so many messages of a folder were received since then."""
        query = {"$select": "id", "$filter": _received_since(since), "$top": 1, "$skip": count}
        url = f"{self._folder(folder_id)}/messages?{urlencode(query, safe='$,:')}"
        return bool(self._get(url, Page[MessageData]).value)

    def counts(self, folder_ids: Sequence[str], since: datetime | None) -> dict[str, int]:
        """Return folder id -> how many messages were received since then, or at all; folders that are gone have none.

        Raise a :exc:`GraphError` where one cannot be counted.
        """
        query = {"$count": "true", "$top": 1, "$select": "id"} | ({"$filter": _received_since(since)} if since else {})
        options = urlencode(query, safe="$,:")
        paths = {key: f"/mailFolders/{quote(key, safe='')}/messages?{options}" for key in folder_ids}
        reads = self._batch.read(paths, Page[MessageData])
        for error in reads.failed.values():
            raise error
        return {key: page.count or 0 for key, page in reads.found.items()}

    def messages(self, ids: Sequence[str]) -> Reads[MessageData]:
        """Return messages in full."""
        return self._read_messages(ids, MESSAGE_SELECT)

    def message_folders(self, ids: Sequence[str]) -> Reads[MessageData]:
        """Return messages with no more than the id of the folder that each is in now."""
        return self._read_messages(ids, "id,parentFolderId")

    def attachments(self, ids: Sequence[str]) -> Reads[list[AttachmentData]]:
        """Return the attachments of messages, without content; a message that is gone has none."""
        paths = {key: f"/messages/{quote(key, safe='')}/attachments?$select={_ATTACHMENT_SELECT}" for key in ids}
        reads = self._batch.read(paths, Page[AttachmentData])
        found = {key: list(self._rest(page, AttachmentData)) for key, page in reads.found.items()}
        return Reads(found=found, gone=reads.gone, failed=reads.failed)

    def _read_messages(self, ids: Sequence[str], select: str) -> Reads[MessageData]:
        paths = {key: f"/messages/{quote(key, safe='')}?$select={select}" for key in ids}
        return self._batch.read(paths, MessageData)

    def _folder(self, folder_id: str) -> str:
        return f"{self._root}/mailFolders/{quote(folder_id, safe='')}"

    def _check(self, page: Page[T] | OutlinedPage) -> None:
        """Refuse links to another host before anybody keeps them."""
        for link in (page.next_link, page.delta_link):
            if link is not None:
                self._http.check_host(link)

    def _pages(self, url: str, kind: type[T]) -> Iterator[T]:
        return self._rest(self._get(url, Page[kind]), kind)  # type: ignore[valid-type]

    def _rest(self, page: Page[T], kind: type[T]) -> Iterator[T]:
        """Yield what is on a page and on those that follow it."""
        yield from page.value
        seen: set[str] = set()
        while page.next_link:
            page = self._get(_unseen(page.next_link, seen), Page[kind])  # type: ignore[valid-type]
            yield from page.value

    def _get(self, url: str, kind: type[T], prefer: str = "") -> T:
        headers = {"Prefer": f"{IMMUTABLE}, {prefer}" if prefer else IMMUTABLE}
        return decode(self._http.request("GET", url, headers=headers).body, kind)


def _in_full(body: bytes) -> DeltaPage:
    return decode(body, DeltaPage)


def leads_nowhere() -> Unavailable:
    """Return what a chain of pages is that ends without an end, or leads in a circle."""
    return Unavailable(Words("Microsoft Graph sent a page that leads nowhere."), code="brokenPaging")


def _unseen(url: str, seen: set[str]) -> str:
    """Return ``url``, unless pages lead in a circle."""
    if url in seen:
        raise leads_nowhere()
    seen.add(url)
    return url


def _received_since(moment: datetime) -> str:
    return f"receivedDateTime ge {moment.astimezone(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
