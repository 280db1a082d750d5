"""The people of a message, as its page names them: each with name and address apart, since both are a stranger's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from flask_ms365.models import Message
from flask_ms365.words import Words

_KINDS = (("to", Words("To")), ("cc", Words("Cc")), ("bcc", Words("Bcc")), ("reply_to", Words("Reply to")))


class Person(NamedTuple):
    """Somebody with a name, an address, or both; a name that is the address is left out."""

    name: str
    address: str


def people_of(message: Message) -> Iterator[tuple[Words, list[Person]]]:
    """Yield each kind of people that a message has: its words, and the people."""
    sender = _person(message.sender_name, message.sender_address)
    from_ = _person(message.from_name, message.from_address)
    if any(from_):
        yield Words("From"), [from_]
    if any(sender) and sender.address.casefold() != from_.address.casefold():
        yield Words("Sent by"), [sender]
    for kind, words in _KINDS:
        people = [_person(each["name"], each["address"]) for each in message.recipients if each["kind"] == kind]
        named = [person for person in people if any(person)]
        if named:
            yield words, named


def _person(name: str | None, address: str | None) -> Person:
    return Person("" if name == address else name or "", address or "")
