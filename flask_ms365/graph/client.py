"""Mail over Graph, as few verbs as a sync needs. One client serves one mailbox."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar
from urllib.parse import quote, urlencode

from flask_ms365.errors import Unavailable
from flask_ms365.graph.content import GraphContent
from flask_ms365.graph.decode import decode
from flask_ms365.graph.errors_map import graph_error
from flask_ms365.graph.http import GraphHttp
from flask_ms365.graph.types import (
    AttachmentData,
    Batch,
    BatchAnswer,
    DeltaPage,
    FolderData,
    MessageData,
    Page,
    User,
)
from flask_ms365.words import Words

T = TypeVar("T")

PAGE_SIZE = 200
_BATCH_SIZE = 20  # Microsoft's limit

# Ids that stay the same when a message moves; wanted on every request, inside batches too.
_IMMUTABLE = 'IdType="ImmutableId"'

MESSAGE_SELECT = (
    "changeKey,parentFolderId,internetMessageId,conversationId,subject,from,sender,toRecipients,ccRecipients,"
    "bccRecipients,replyTo,receivedDateTime,sentDateTime,isRead,isDraft,importance,flag,categories,hasAttachments,"
    "bodyPreview,body,webLink"
)
_FOLDER_SELECT = "displayName,parentFolderId,isHidden,totalItemCount"
_ATTACHMENT_SELECT = "id,name,contentType,size,isInline,microsoft.graph.fileAttachment/contentId"


class GraphClient:
    """The mailbox of ``owner``: ``me``, or ``users/{address}``."""

    def __init__(self, http: GraphHttp, *, owner: str = "me") -> None:
        self._http = http
        self._owner = owner
        self._root = f"{http.origin}/v1.0/{owner}"
        self.content = GraphContent(http, root=self._root)

    def user(self) -> User:
        """Return whose mailbox it is."""
        return self._get(f"{self._root}?$select=id,displayName,mail,userPrincipalName,proxyAddresses", User)

    def probe(self) -> None:
        """Read one property of the inbox; raise a :exc:`GraphError` where its mail cannot be read."""
        self._get(f"{self._root}/mailFolders/inbox?$select=id", FolderData)

    def folders(self) -> Iterator[FolderData]:
        """Yield every mail folder at any depth, hidden ones too."""
        query = urlencode({"includeHiddenFolders": "true", "$select": _FOLDER_SELECT}, safe="$,")
        link: str | None = f"{self._root}/mailFolders/delta?{query}"
        while link:
            page = self._get(link, Page[FolderData])
            yield from (folder for folder in page.value if folder.removed is None)
            link = page.next_link

    def well_known_folders(self, names: Sequence[str]) -> dict[str, str]:
        """Return folder id -> well-known name, for those of ``names`` that this mailbox has."""
        wanted = [(name, f"/mailFolders/{name}?$select=id") for name in names]
        # a name that a mailbox never had is "malformed" there, not missing
        answers = self._batch(wanted, FolderData, absent=(400, 404))
        return {folder.id: name for name, folder in answers if folder is not None}

    def delta(self, folder_id: str, link: str | None) -> DeltaPage:
        """Return one page of a folder's message delta: the first one, or what ``link`` leads to.

        Raise :exc:`~flask_ms365.errors.DeltaExpired` when the link is dead.
        """
        first = f"{self._root}/mailFolders/{quote(folder_id, safe='')}/messages/delta?$select={MESSAGE_SELECT}"
        return self._get(link or first, DeltaPage, prefer=f"odata.maxpagesize={PAGE_SIZE}")

    def messages(self, ids: Sequence[str]) -> dict[str, MessageData | None]:
        """Return id -> message in full, None for those that are gone."""
        return self._read_messages(ids, MESSAGE_SELECT)

    def message_folders(self, ids: Sequence[str]) -> dict[str, str | None]:
        """Return message id -> the id of the folder it is in now, None for those that are gone."""
        found = self._read_messages(ids, "id,parentFolderId")
        return {key: (message.parent_folder_id or None) if message else None for key, message in found.items()}

    def attachments(self, ids: Sequence[str]) -> dict[str, list[AttachmentData]]:
        """Return message id -> its attachments without content; a message that is gone has none."""
        requests = [(key, f"/messages/{quote(key, safe='')}/attachments?$select={_ATTACHMENT_SELECT}") for key in ids]
        return {key: page.value if page else [] for key, page in self._batch(requests, Page[AttachmentData])}

    def _read_messages(self, ids: Sequence[str], select: str) -> dict[str, MessageData | None]:
        requests = [(key, f"/messages/{quote(key, safe='')}?$select={select}") for key in ids]
        return dict(self._batch(requests, MessageData))

    def _get(self, url: str, kind: type[T], *, prefer: str = "") -> T:
        return decode(self._http.request("GET", url, headers={"Prefer": _join(_IMMUTABLE, prefer)}), kind)

    def _batch(
        self, requests: Iterable[tuple[str, str]], kind: type[T], *, absent: Sequence[int] = (404,)
    ) -> Iterator[tuple[str, T | None]]:
        """Read many things at once; yield key and value, None where Graph answers one of the statuses ``absent``."""
        waiting = list(requests)
        while waiting:
            now, waiting = waiting[:_BATCH_SIZE], waiting[_BATCH_SIZE:]
            answers = {answer.id: answer for answer in self._send_batch(now)}
            for number, (key, _) in enumerate(now):
                yield key, _batch_value(answers.get(str(number)), kind, absent)

    def _send_batch(self, requests: Sequence[tuple[str, str]]) -> list[BatchAnswer]:
        body = {
            "requests": [
                {"id": str(n), "method": "GET", "url": f"/{self._owner}{path}", "headers": {"Prefer": _IMMUTABLE}}
                for n, (_, path) in enumerate(requests)
            ]
        }
        headers = {"Content-Type": "application/json", "Prefer": _IMMUTABLE}
        answer = self._http.request(
            "POST", f"{self._http.origin}/v1.0/$batch", headers=headers, body=json.dumps(body).encode()
        )
        return decode(answer, Batch).responses


def _batch_value(answer: BatchAnswer | None, kind: type[T], absent: Sequence[int]) -> T | None:
    if answer is None:
        raise Unavailable(Words("Microsoft Graph left a part of a batch unanswered."), code="batchIncomplete")
    if answer.status in absent:
        return None
    body = bytes(answer.body)
    if answer.status != 200:
        raise graph_error(answer.status, answer.headers, body)
    return decode(body, kind)


def _join(*preferences: str) -> str:
    return ", ".join(preference for preference in preferences if preference)
