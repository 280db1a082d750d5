"""Fabricated mail: pages of messages as Graph writes them, with ids that are put in while serving.

A page is a template with three marks of fixed length: whose message it is, in which folder, and of which day. So a
hundred templates make a mailbox of any size, and no two of its messages share an id.
"""

from __future__ import annotations

import json
import random
from datetime import date, timedelta

PAGE = 200
TEMPLATES = 100

_MARK, _FOLDER_MARK, _DAY_MARK = "0MARK0MARK0", "FOLDER_0_IN", "2000-02-30"  # a day that no message has
_FOLDER_ID = "AAMkAGVmMDEzMTM4LTZmYWUtNDdkNC1hMDZiLTU1OGY5OTZhYmY4OAAuAAAAAAAiQ8W967B7TKBjgx9rVEURAQ"
_NEWEST = date(2026, 1, 31)
_MEDIAN_BODY, _SPREAD = 8500, 0.8

_TEXT = (
    "the invoice for your last order is attached please let us know whether Thursday still suits everybody our team "
    "will send the figures once they have been checked by finance und mit freundlichen Grüßen señor garçon Ærø ticket "
    "delivery schedule contract review meeting agenda questions regards office support customer reference number"
)
_WORDS = _TEXT.split()
_RARE = ("Договор подписан", "会議の議事録", "Λογαριασμός", "🎉 sent from my phone")


def folder_id(mailbox: int, number: int) -> str:
    """Return the id of a folder; both numbers can be read from its end."""
    return f"{_FOLDER_ID}{mailbox:08}_{number:02}"


def folder_numbers(graph_id: str) -> tuple[int, int]:
    """Return mailbox and number of a folder's id."""
    mailbox, _, number = graph_id[-11:].partition("_")
    return int(mailbox), int(number)


def template(number: int) -> bytes:
    """Return the messages of a page, joined by commas, with marks in place of ids."""
    chance = random.Random(number)
    paragraphs = [_paragraph(chance) for _ in range(60)]
    messages = (_message(n, chance, paragraphs) for n in range(PAGE))
    return ",".join(json.dumps(each, ensure_ascii=False, separators=(",", ":")) for each in messages).encode()


def filled(page: bytes, mailbox: int, folder: int, number: int) -> bytes:
    """Return a template as page ``number`` of a folder."""
    day = _NEWEST - timedelta(days=number)
    return (
        page.replace(_MARK.encode(), b"%02d_%08d" % (folder, number))
        .replace(_FOLDER_MARK.encode(), b"%08d_%02d" % (mailbox, folder))
        .replace(_DAY_MARK.encode(), day.isoformat().encode())
    )


def _message(n: int, chance: random.Random, paragraphs: list[str]) -> dict[str, object]:
    graph_id = f"AAkALgAAAAAAHYQDEapmEc2byACqAC-EWg0AuSnn4ohtHUyf6zSBCu6a7AAEkzK2pQAAuSnn4ohtHUyfPxQ{_MARK}_{n:03}AA="
    change_key = f"CQAAABYAAAC5Kefii{_MARK}{n:03}"
    moment = f"{_DAY_MARK}T{23 - n * 24 // PAGE:02}:{chance.randrange(60):02}:{chance.randrange(60):02}Z"
    sender, body = _person(chance), _body(chance, paragraphs)
    return {
        "@odata.type": "#microsoft.graph.message",
        "@odata.etag": f'W/"{change_key}"',
        "id": graph_id,
        "createdDateTime": moment,
        "lastModifiedDateTime": moment,
        "changeKey": change_key,
        "categories": ["Blue category"] if n % 20 == 0 else [],
        "receivedDateTime": moment,
        "sentDateTime": moment,
        "hasAttachments": False,
        "internetMessageId": f"<{_MARK}.{n:03}.{chance.getrandbits(64):016x}@mail.contoso.example>",
        "subject": " ".join(chance.choices(_WORDS, k=6)),
        "bodyPreview": " ".join(chance.choices(_WORDS, k=36))[:255],
        "importance": "normal",
        "parentFolderId": _FOLDER_ID + _FOLDER_MARK,
        "conversationId": f"AAQkAGVmMDEzMTM4LTZmYWUtNDdkNC1hMDZiLTU1OGY5OTZhYmY4OAAQ{_MARK}{n // 2:03}=",
        "conversationIndex": f"AQHaq{chance.getrandbits(96):024x}==",
        "isDeliveryReceiptRequested": False,
        "isReadReceiptRequested": False,
        "isRead": n % 4 != 0,
        "isDraft": False,
        "webLink": f"https://outlook.office365.com/owa/?ItemID={graph_id}&exvsurl=1&viewmodel=ReadMessageItem",
        "inferenceClassification": "focused",
        "body": {"contentType": "html", "content": body},
        "sender": sender,
        "from": sender,
        "toRecipients": [_person(chance) for _ in range(1 + n % 3)],
        "ccRecipients": [_person(chance) for _ in range(n % 2)],
        "bccRecipients": [],
        "replyTo": [],
        "flag": {"flagStatus": "notFlagged"},
    }


def _person(chance: random.Random) -> dict[str, object]:
    name = f"{chance.choice(_WORDS).title()} {chance.choice(_WORDS).title()}"
    return {"emailAddress": {"name": name, "address": f"{chance.getrandbits(32):x}@contoso.example"}}


def _body(chance: random.Random, paragraphs: list[str]) -> str:
    size = min(int(chance.lognormvariate(0, _SPREAD) * _MEDIAN_BODY), 40 * _MEDIAN_BODY)
    text = "".join(chance.choices(paragraphs, k=1 + size // 400))
    return f'<html><head><meta http-equiv="Content-Type" content="text/html; charset=utf-8"></head><body>{text}'[:size]


def _paragraph(chance: random.Random) -> str:
    words = chance.choices(_WORDS, k=chance.randrange(50, 90))
    if chance.random() < 0.02:
        words.append(chance.choice(_RARE))
    return f'<p class="MsoNormal" style="margin:0"><span lang="EN-US">{" ".join(words)}</span></p>\r\n'
