"""A directory of real mail into a mailbox: .eml, .mbox, Maildir, and any file that is a mail. A bad one is listed."""

from __future__ import annotations

import mailbox
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .mime import UnreadableMail, parse

if TYPE_CHECKING:
    from .mailbox import Mailbox

_HEADER = re.compile(rb"\A(?:\s*\n)*(?:From [^\n]*\n|>From [^\n]*\n)*[!-9;-~]+[ \t]*:")
_USUAL_NAMES = {
    "inbox": "inbox",
    "sent": "sentitems",
    "sent items": "sentitems",
    "sent mail": "sentitems",
    "drafts": "drafts",
    "trash": "deleteditems",
    "deleted items": "deleteditems",
    "junk": "junkemail",
    "spam": "junkemail",
    "archive": "archive",
    "outbox": "outbox",
}


@dataclass(frozen=True)
class LoadReport:
    """How many messages were loaded, and what could not be read, with the reason."""

    loaded: int = 0
    unreadable: list[tuple[str, str]] = field(default_factory=list)


class _Item(NamedTuple):
    name: str
    folder: tuple[str, ...]
    source: bytes
    is_read: bool = False
    is_draft: bool = False
    is_flagged: bool = False


def load_directory(box: Mailbox, directory: Path) -> LoadReport:
    """Deliver every mail below a directory; a sub-directory is a mail folder."""
    loaded, unreadable = 0, []
    for item in _items(directory, directory, ()):
        try:
            _deliver(box, item)
            loaded += 1
        except UnreadableMail as error:
            unreadable.append((item.name, str(error)))
        except Exception as error:  # whatever one odd file does to the parser, the others are still read
            unreadable.append((item.name, f"{type(error).__name__}: {error}"))
    return LoadReport(loaded, unreadable)


def _deliver(box: Mailbox, item: _Item) -> None:
    if not _HEADER.match(item.source):
        raise UnreadableMail("it does not begin with a mail header")
    mail = parse(item.source)
    box.deliver(
        mail,
        folder=_folder(box, item.folder),
        is_read=item.is_read,
        is_draft=item.is_draft,
        flag="flagged" if item.is_flagged else "notFlagged",
    )


def _folder(box: Mailbox, path: tuple[str, ...]) -> str:
    folder = box.folders.get("inbox").id if not path else box.folders.root.id
    for depth, name in enumerate(path):
        usual = _USUAL_NAMES.get(name.lower()) if depth == 0 else None
        folder = box.folders.get(usual).id if usual else _child(box, folder, name)
    return folder


def _child(box: Mailbox, parent_id: str, name: str) -> str:
    for child in box.folders.children(parent_id):
        if child.name.lower() == name.lower():
            return child.id
    return box.create_folder(name, parent_id)


def _items(directory: Path, top: Path, folder: tuple[str, ...]) -> Iterator[_Item]:
    if _is_maildir(directory):
        yield from _maildir(directory, top, folder)
    for path in sorted(directory.iterdir()):
        if path.is_dir():
            if not (_is_maildir(directory) and path.name in ("cur", "new", "tmp")):
                yield from _items(path, top, (*folder, *_folder_names(path.name)))
        elif path.suffix.lower() == ".mbox":
            yield from _mbox(path, top, folder)
        elif not path.name.startswith("."):
            yield _Item(str(path.relative_to(top)), folder, path.read_bytes())


def _is_maildir(directory: Path) -> bool:
    return (directory / "cur").is_dir() or (directory / "new").is_dir()


def _folder_names(name: str) -> tuple[str, ...]:
    """Maildir++ writes the whole path into one name: .Projects.2026"""
    return tuple(name[1:].split(".")) if name.startswith(".") else (name,)


def _maildir(directory: Path, top: Path, folder: tuple[str, ...]) -> Iterator[_Item]:
    for path in sorted([*directory.glob("cur/*"), *directory.glob("new/*")]):
        flags = path.name.rpartition("2,")[2] if "2," in path.name else ""
        yield _Item(
            str(path.relative_to(top)),
            folder,
            path.read_bytes(),
            is_read="S" in flags,
            is_draft="D" in flags,
            is_flagged="F" in flags,
        )


def _mbox(path: Path, top: Path, folder: tuple[str, ...]) -> Iterator[_Item]:
    box = mailbox.mbox(path, create=False)
    try:
        for number, key in enumerate(box.iterkeys(), start=1):
            source = box.get_bytes(key)
            status = re.search(rb"(?im)^Status: *(\w+)", source.partition(b"\n\n")[0])
            is_read = status is not None and b"R" in status[1]
            yield _Item(f"{path.relative_to(top)}:{number}", folder, source, is_read)
    finally:
        box.close()
