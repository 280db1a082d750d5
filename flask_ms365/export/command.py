"""``flask ms365 export``: mail goes to standard output or a file, everything else to standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import chain
from pathlib import Path

import click
from flask.cli import with_appcontext
from sqlalchemy import func, or_, select
from sqlalchemy.exc import SQLAlchemyError

from flask_ms365.audit import command_line_user, record
from flask_ms365.errors import MS365Error
from flask_ms365.export.jsonl import json_line
from flask_ms365.export.mail import Mail, Scope, content_of, count_mail, read_mail
from flask_ms365.export.mbox import mbox_entry
from flask_ms365.export.microsoft import Originals
from flask_ms365.export.output import Done, Output, Refused, ToFile, ToStream
from flask_ms365.export.rebuilt import rebuilt
from flask_ms365.models import Folder, Mailbox, write_transaction
from flask_ms365.state import State, current_state
from flask_ms365.words import visible

_REBUILT = b"X-MS365-Rebuilt: Microsoft did not give this message\n"

# a message -> how it is written, and whether Microsoft did not give it
Encode = Callable[[Mail], tuple[Iterable[bytes], bool]]


@click.command()
@click.argument("address")
@click.option("--format", "kind_of_file", type=click.Choice(["jsonl", "mbox"]), default="jsonl", show_default=True)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="A new file; else standard output.")
@click.option("--mime", "wants_mime", is_flag=True, help="mbox: each message as Microsoft has it, byte for byte.")
@click.option("--folder", "folders", multiple=True, metavar="NAME", help="Only this folder; may be given again.")
@click.option("--include-removed", is_flag=True, help="Also mail that was removed at Microsoft and is still stored.")
@click.option("--resume", is_flag=True, help="Go on with an export to --output that was interrupted.")
@click.option("--kind", type=click.Choice(["user", "system"]), help="A person's own mailbox, or the team's.")
@click.option("--owner", metavar="USER", help="The own mailbox of the user with this id.")
@with_appcontext
def export(
    address: str,
    kind_of_file: str,
    output: Path | None,
    wants_mime: bool,
    folders: tuple[str, ...],
    include_removed: bool,
    resume: bool,
    kind: str | None,
    owner: str | None,
) -> None:
    """Write the mail of a mailbox that is stored here, as JSON Lines or mbox."""
    if wants_mime and kind_of_file != "mbox":
        raise click.UsageError("--mime needs --format mbox.")
    if resume and output is None:
        raise click.UsageError("--resume needs --output: what a pipe was given is gone.")
    state = current_state()
    mailbox_id = _find(state, address, kind=kind, owner=owner)
    folder_ids = _folder_ids(state, mailbox_id, folders) if folders else None
    scope = Scope(mailbox_id=mailbox_id, folder_ids=folder_ids, with_removed=include_removed)
    what = {
        "mailbox": mailbox_id,
        "format": kind_of_file,
        "mime": wants_mime,
        "folders": list(folder_ids) if folder_ids is not None else None,
        "include_removed": include_removed,
    }
    target = _open(output, what, is_resumed=resume)
    encode = _encoder(state, kind_of_file, wants_mime=wants_mime)
    detail = {"mailbox_id": mailbox_id, "format": kind_of_file}
    trouble = _audited(state, address, detail, target, lambda: _export(state, scope, encode, target))
    _tell_end(address, target.done, trouble, can_resume=output is not None)
    sys.exit(1 if trouble or target.done.missing else 0)


def _find(state: State, address: str, *, kind: str | None, owner: str | None) -> int:
    """Return the id of the one mailbox that is meant; a person's own and the team's may have the same address."""
    meant = select(Mailbox.id, Mailbox.kind, Mailbox.owner_id).where(
        func.lower(Mailbox.address) == address.lower(), Mailbox.state != "deleting"
    )
    if kind is not None:
        meant = meant.where(Mailbox.kind == kind)
    if owner is not None:
        meant = meant.where(Mailbox.kind == "user", Mailbox.owner_id == owner)
    found = state.session.execute(meant.order_by(Mailbox.id)).all()
    state.session.commit()
    if not found:
        raise click.UsageError(f"There is no mailbox {address}.")
    if len(found) > 1:
        known = ", ".join(f"{row.kind} (owner {row.owner_id})" if row.owner_id else row.kind for row in found)
        raise click.UsageError(f"There are {len(found)} mailboxes {address}: {known}. Name one by --kind or --owner.")
    mailbox_id: int = found[0].id
    return mailbox_id


def _folder_ids(state: State, mailbox_id: int, names: Sequence[str]) -> tuple[int, ...]:
    """Return the ids of folders by their names, or by what Microsoft calls them in every language."""
    found: set[int] = set()
    for name in names:
        is_named = or_(func.lower(Folder.name) == name.lower(), Folder.well_known_name == name.lower())
        ids = state.session.scalars(select(Folder.id).where(Folder.mailbox_id == mailbox_id, is_named)).all()
        if not ids:
            raise click.UsageError(f"There is no folder {name}.")
        found.update(ids)
    state.session.commit()
    return tuple(sorted(found))


def _open(path: Path | None, what: dict[str, object], *, is_resumed: bool) -> Output:
    try:
        return ToStream() if path is None else ToFile(path, what, is_resumed=is_resumed)
    except Refused as exc:
        raise click.UsageError(str(exc)) from None
    except OSError as exc:
        raise click.UsageError(f"{path}: {exc.strerror}.") from None


def _encoder(state: State, kind_of_file: str, *, wants_mime: bool) -> Encode:
    if kind_of_file == "jsonl":
        return lambda mail: ([json_line(mail)], False)
    stored = partial(content_of, state.session)
    originals = Originals(contents=state.contents, tell=_tell) if wants_mime else None

    def encode(mail: Mail) -> tuple[Iterable[bytes], bool]:
        if originals is None:
            return mbox_entry(mail, rebuilt(mail, stored)), False
        original = originals.read(mail.message.id)
        return mbox_entry(mail, original or chain([_REBUILT], rebuilt(mail, stored))), original is None

    return encode


def _audited(state: State, address: str, detail: Mapping[str, object], target: Output, run: Callable[[], str]) -> str:
    """Write down who takes mail away, also should this be killed, and in the end how much it was."""
    before, actor = target.done.count, command_line_user()
    with write_transaction(state.session):
        record(state.session, "mailbox.export_begun", at=state.clock(), actor=actor, target=address, **detail)
    try:
        return run()
    finally:
        target.close()
        with suppress(SQLAlchemyError), write_transaction(state.session):
            count = target.done.count - before
            done = {**detail, "messages": count}
            record(state.session, "mailbox.exported", at=state.clock(), actor=actor, target=address, **done)


def _export(state: State, scope: Scope, encode: Encode, target: Output) -> str:
    """Write all messages; return what stopped it before, or nothing."""
    total = count_mail(state.session, scope, after=target.done.after)
    try:
        with _shown(total) as advance:
            for mail in read_mail(state.session, scope, after=target.done.after):
                chunks, is_missing = encode(mail)
                target.write(mail.message.id, chunks, is_missing=is_missing)
                advance(1)
            target.finish()
        return ""
    except BrokenPipeError:  # whoever reads has enough; click ends it in silence
        raise
    except KeyboardInterrupt:
        return "Interrupted."
    except MS365Error as exc:
        return exc.words
    except SQLAlchemyError as exc:
        state.session.rollback()
        return f"The database did not answer ({type(exc).__name__})."
    except OSError as exc:
        return f"{exc.strerror or type(exc).__name__}."


@contextmanager
def _shown(total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar where somebody looks."""
    if not sys.stderr.isatty():
        yield lambda count: None
        return
    with click.progressbar(length=total, file=sys.stderr, label="Messages", show_pos=True) as bar:
        yield bar.update


def _tell(text: str) -> None:
    click.echo(visible(text), err=True)


def _tell_end(address: str, done: Done, trouble: str, *, can_resume: bool) -> None:
    _tell(f"{address}: {done.count} message(s) exported.")
    if done.missing:
        more = " and more" if done.missing > len(done.missing_ids) else ""
        ids = ", ".join(map(str, done.missing_ids))
        _tell(
            f"Microsoft did not give {done.missing} of them, which were put together from what is stored: {ids}{more}."
        )
    if trouble:
        _tell(f"{trouble} Go on with --resume." if can_resume else trouble)
