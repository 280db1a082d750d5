"""The whole journey over HTTP, as a browser makes it, and a comparison of every message at its end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator

from sqlalchemy import select

from demo import tickets
from demo.app import ms365
from demo.browser import Browser, JourneyError, Page
from demo.contacts import OUR_DOMAIN, Contact
from demo.database import db
from demo.letters import Letters, differences, letters_in_database, letters_in_mailbox
from demo.printing import Printer
from demo.stage import Stage
from flask_ms365 import RunReport
from flask_ms365.models import Mailbox, Message
from flask_ms365.sync.report import Result

PATIENCE = 60  # seconds without any progress
OWN_VALUES = ("client_id", "client_secret", "tenant_id", "email_sync")
NEW_SUBJECT = "Re: F sharp 🔔"
PETROV = ("Grandfather Petrov", "dedushka@northwind.example")
TICKET_SUBJECT = "Twelve spokes, urgently"


class Tour:
    """Ana's first day with Microsoft 365 in the back office."""

    def __init__(self, stage: Stage, printer: Printer) -> None:
        self.stage = stage
        self.printer = printer
        self.ana = stage.people["ana"]
        self.browser = Browser()
        self.ever: Letters = {}  # what was in the mailbox at any time of the tour

    def run(self) -> bool:
        """Take every step, print each with its time, and return whether all went well."""
        self.printer.heading(f"A tour of {self.stage.url}: {len(self._letters()):,} messages wait for Ana")
        self.printer.problems([f"left out: {name} ({reason})" for name, reason in self.stage.loaded.unreadable])
        try:
            return all(self.printer.step(label, take) for label, take in self._steps())
        finally:
            self.browser.close()

    def _steps(self) -> Iterator[tuple[str, Callable[[], str]]]:
        yield "Log in to the back office", self.log_in
        yield "Open the settings page", self.open_settings
        yield "Save the settings", self.save_settings
        yield "Connect the mailbox at Microsoft", self.connect
        yield "First sync, by the app's own worker", self.sync_first
        yield "Compare every message", self.compare
        yield "Run the connection check", self.check
        yield "Use the mailbox in Outlook", self.use_mailbox
        yield "Sync again", self.sync_again
        yield "Compare every message again", self.compare
        yield "Contacts: each letter counted once", self.see_contacts
        yield "Messages: the newest is on the page", self.see_messages
        yield "A contact's own page, with the mail", self.see_contact
        yield "Add the team's mailbox, with a process", self.add_team_mailbox
        yield "A customer writes: one ticket", self.get_ticket
        yield "They write again: no second one", self.get_reply

    def log_in(self) -> str:
        """Fill in the host's own login form."""
        page = self.browser.open(f"{self.stage.url}/")
        form = page.form_with("username", "password")
        form.fill({"username": self.ana.id, "password": self.ana.password})
        page = self.browser.submit(page, form)
        _expect(self.ana.name in page.words, f"{page.url} does not greet {self.ana.name}")
        return f"hello, {self.ana.name}"

    def open_settings(self) -> str:
        """The page is there, and shows the redirect URI to copy."""
        page = self._open("/ms365/settings")
        redirect_uri = f"{self.stage.url}/ms365/oauth/callback"
        _expect(redirect_uri in page.text, f"the page does not show {redirect_uri}")
        page.form_with("csrf_token", "version", *(f"{key}-value" for key in OWN_VALUES))
        return f"redirect URI {redirect_uri}"

    def save_settings(self) -> str:
        """One save stores the three values and turns the sync on."""
        page = self._open("/ms365/settings")
        form = page.form_with("client_id-value")
        form.fill({f"{key}-use_default": "" for key in OWN_VALUES if f"{key}-use_default" in form.names})
        form.fill(self._typed_values())
        page = self.browser.submit(page, form)
        _expect([status for status, _ in page.hops] == [303], f"refused: {page.status} {page.words[:500]}")
        self._expect_saved(page)
        return "303; the values show again, the secret does not"

    def connect(self) -> str:
        """Sign in at Microsoft, come back connected."""
        page = self._open("/ms365/my-email")
        page = self.browser.submit(page, page.form_with(action="/my-email/connect"))
        form = page.form_with("username", "password")
        form.fill({"username": self.ana.address, "password": self.ana.password})
        page = self.browser.submit(page, form, button="action=accept")
        is_back = page.url.startswith(f"{self.stage.url}/ms365/my-email")
        _expect(is_back and self.ana.address in page.words, f"not connected: {page.url} {page.words[:500]}")
        return f"signed in as {self.ana.address}"

    def sync_first(self) -> str:
        """Nobody pushes: the embedded worker finds the mailbox by itself."""
        started = time.perf_counter()
        self._wait_for_worker()
        count = len(self._stored_ids())
        return f"{count:,} messages, {count / (time.perf_counter() - started):,.0f} a second"

    def check(self) -> str:
        """Run the connection check: every step of it has passed by now."""
        page = self._open("/ms365/check")
        page = self.browser.submit(page, page.form_with("csrf_token", action="/check"))
        passed = page.words.count("PASSED")
        _expect(passed >= 10 and "FAILED" not in page.words, f"the check found something: {page.words[:1500]}")
        return f"{passed} steps passed"

    def use_mailbox(self) -> str:
        """Do what people do in Outlook, as far as there is mail to do it with."""
        box = self.ana.mailbox
        inbox = [record for record in box.messages() if record.folder_name == "Inbox"]
        for record in inbox[:1]:
            box.mark_read(record.id, not record.is_read)
        for record in inbox[1:2]:
            box.move(record.id, "archive")
        for record in inbox[2:3]:
            box.delete(record.id)
        box.deliver(subject=NEW_SUBJECT, text="I heard it to the harbour.\n", sender=PETROV, to=[self.ana.address])
        return f"{min(len(inbox), 3)} changed (read, moved, deleted), one new"

    def sync_again(self) -> str:
        """Ask for a run now rather than wait for the next minute."""
        with self.stage.app.app_context():
            mailbox_id = self._mailbox_id()
        report = self._sync_now(mailbox_id)
        _expect(report.result is Result.DONE, f"{report.result}: {report.error}")
        return ", ".join(f"{count} {change.name.lower()}" for change, count in report.changes.items())

    def compare(self) -> str:
        """Hold each message of the database against the mailbox."""
        expected, actual = self._letters(), self._stored()
        self.ever |= expected
        self.printer.folders(expected, actual)
        found = list(differences(expected, actual))
        self.printer.problems(found)
        _expect(not found, f"{len(found):,} differences")
        return f"{len(actual):,} messages agree in every field"

    def see_contacts(self) -> str:
        """The host's own table was written in the same transactions, so it must add up."""
        with self.stage.app.app_context():
            contacts = db.session.scalars(select(Contact).where(Contact.mailbox_id == self._mailbox_id()))
            counted = {contact.address: contact.letters for contact in contacts}
        senders = ((letter.from_[1] or "").lower() for letter in self.ever.values())
        expected = Counter(address for address in senders if address and not address.endswith(OUR_DOMAIN))
        _expect(counted == expected, f"counted {counted}, in the mailbox {dict(expected)}")
        page = self._open("/")
        _expect(all(address in page.words for address in expected), "the page does not show all of them")
        return f"{len(counted)} people, {sum(counted.values())} letters"

    def see_messages(self) -> str:
        """What Petrov wrote a moment ago is on the first page."""
        page = self._open("/ms365/messages")
        _expect(NEW_SUBJECT in page.words, f"{NEW_SUBJECT!r} is not on {page.url}")
        return page.url

    def see_contact(self) -> str:
        """The page is the host's, and brings the mail with one line of its template."""
        page = self._open(f"/contacts/{PETROV[1]}")
        _expect(NEW_SUBJECT in page.words, f"{NEW_SUBJECT!r} is not on {page.url}")
        return page.url

    def add_team_mailbox(self) -> str:
        """The app reads it by its own permission, and new mail there is to open tickets."""
        page = self._open("/ms365/mailboxes/new")
        form = page.form_with("address", "process")
        address = self.stage.support.address
        form.fill({"address": address, "label": "Support", "access": "application", "process": tickets.PROCESS})
        page = self.browser.submit(page, form)
        form = page.form_with("options-priority")
        form.fill({"options-priority": "high", "options-assignee": "kim"})
        page = self.browser.submit(page, form, button="do=save")
        _expect("Saved" in page.words, f"not saved: {page.url} {page.words[:500]}")
        return f"{address}: {tickets.PROCESS}, high, for Kim"

    def get_ticket(self) -> str:
        """The ticket is stored with the message that it came by."""
        self._write_to_support(TICKET_SUBJECT)
        page = self._open("/tickets")
        _expect(page.words.count(TICKET_SUBJECT) == 1, f"{TICKET_SUBJECT!r} is not there once: {page.words[:500]}")
        page = self._open(f"/tickets/{self._ticket_numbers()[0]}")
        _expect("Read the message" in page.words, "the ticket has no link to its message")
        return page.url

    def get_reply(self) -> str:
        """A reply belongs to the conversation, and so to its ticket."""
        self._write_to_support(f"Re: {TICKET_SUBJECT}")
        numbers = self._ticket_numbers()
        _expect(len(numbers) == 1, f"there are {len(numbers)} tickets")
        return "still one ticket; the reply is stored"

    def _write_to_support(self, subject: str) -> None:
        sender = ("Marta Ek", "marta@fabrikam.example")
        self.stage.support.mailbox.deliver(subject=subject, text="Please.\n", sender=sender, thread="spokes")
        with self.stage.app.app_context():
            mailbox_id = db.session.scalars(select(Mailbox.id).where(Mailbox.kind == "system")).one()
        report = self._sync_now(mailbox_id)
        _expect(report.result is Result.DONE, f"{report.result}: {report.error}")
        with self.stage.app.app_context():
            stored = db.session.scalar(select(Message.id).filter_by(mailbox_id=mailbox_id, subject=subject))
        _expect(stored is not None, f"{subject!r} is not stored")

    def _ticket_numbers(self) -> list[int]:
        with self.stage.app.app_context():
            return list(db.session.scalars(select(tickets.Ticket.id)))

    def _open(self, path: str) -> Page:
        page = self.browser.open(f"{self.stage.url}{path}")
        _expect(page.status == 200, f"{page.url} answered {page.status}: {page.words[:200]}")
        return page

    def _typed_values(self) -> dict[str, str]:
        return {
            "client_id-value": self.stage.client_id,
            "client_secret-value": self.stage.client_secret,
            "tenant_id-value": self.stage.tenant_id,
            "email_sync-value": "y",
        }

    def _expect_saved(self, page: Page) -> None:
        shown = dict(page.form_with("client_id-value").data())
        wanted = self._typed_values() | {"client_secret-value": ""}
        wrong = [name for name, value in wanted.items() if shown.get(name) != value]
        _expect(not wrong, f"not shown as saved: {', '.join(wrong)}")
        _expect(self.stage.client_secret not in page.text, "the page shows the secret")

    def _letters(self) -> Letters:
        return letters_in_mailbox(self.ana.mailbox)

    def _mailbox_id(self) -> int:
        """Return the mailbox of this tour; a data folder that was used before has older ones."""
        mine = select(Mailbox.id).where(Mailbox.owner_id == self.ana.id)
        return db.session.scalars(mine.order_by(Mailbox.id.desc()).limit(1)).one()

    def _stored(self) -> Letters:
        with self.stage.app.app_context():
            return letters_in_database(self._mailbox_id())

    def _stored_ids(self) -> set[str]:
        query = select(Message.graph_id).where(Message.removed_at.is_(None))
        with self.stage.app.app_context():
            return set(db.session.scalars(query.where(Message.mailbox_id == self._mailbox_id())))

    def _wait_for_worker(self) -> None:
        """Wait until the database holds what the mailbox holds; give up when nothing has moved for a minute."""
        wanted = set(self._letters())
        stored, moved_at = self._stored_ids(), time.monotonic()
        with self.printer.progress(len(wanted)) as show:
            while stored != wanted:
                before, stored = stored, self._stored_ids()
                moved_at = moved_at if stored == before else time.monotonic()
                is_stuck = time.monotonic() - moved_at > PATIENCE
                _expect(not is_stuck, f"stuck at {len(stored)} of {len(wanted)} messages; {self._last_error()}")
                show(len(stored & wanted))
                time.sleep(0.1)

    def _last_error(self) -> str:
        with self.stage.app.app_context():
            mailbox = db.session.get_one(Mailbox, self._mailbox_id())
            return f"the mailbox is {mailbox.state}: {mailbox.last_error or 'no error'}"

    def _sync_now(self, mailbox_id: int) -> RunReport:
        """Run one sync; where the worker has the mailbox just then, wait for it."""
        give_up_at = time.monotonic() + PATIENCE
        while True:
            with self.stage.app.app_context():
                report = ms365.sync_mailbox(mailbox_id)
            if report.result is not Result.TAKEN or time.monotonic() > give_up_at:
                return report
            time.sleep(0.2)


def _expect(is_so: bool, otherwise: str) -> None:
    if not is_so:
        raise JourneyError(otherwise)
