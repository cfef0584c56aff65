"""`clearway directive triage`: the forensic workbook from the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .commands_parts import form_of, read_file, reading, say, say_json

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from datetime import datetime

_EVENT_BYTES = 50_000
_CHUNK = 1 << 20


def add(command: Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]) -> None:
    """Registers the command; `command` makes a parser from a name, a function and a summary."""
    triage = command("triage", _triage, "forensic triages: list, open, record, and the report")
    triage.add_argument("id", metavar="ID", nargs="?", type=int, help="a triage; without it, all of them")
    triage.add_argument(
        "--open", action="store_true", help="open one, about the item that the next four name"
    )
    triage.add_argument("--asset", metavar="ID", default="", help="the asset: asset/17, or any of its names")
    triage.add_argument("--flaw", metavar="CVE", default="", help="the flaw")
    triage.add_argument("--component", metavar="PURL", default="", help="the component")
    triage.add_argument(
        "--kev-added", metavar="WHEN", default="", help="a day, or an instant with its offset"
    )
    triage.add_argument(
        "--asset-name", metavar="NAME", default="", help="a name for people, of what the fleet does not keep"
    )
    triage.add_argument("--directive", metavar="NAME", default="bod-26-04", help="default: bod-26-04")
    triage.add_argument(
        "--record", metavar="FILE", default="", help="append the event in this JSON file to ID"
    )
    triage.add_argument(
        "--evidence", metavar="FILE", default="", help="with --record: hash this file into the event"
    )
    triage.add_argument("--after", metavar="N", type=int, default=None, help="how many events you have seen")
    triage.add_argument("--csv", action="store_true", help="the report as CSV")
    triage.add_argument("--oscal", action="store_true", help="the report as OSCAL assessment results")
    triage.add_argument(
        "--org", metavar="SLUG", default="", help="the organisation (default: the only one you can act for)"
    )


def _triage(args: argparse.Namespace) -> int:
    from clearway.access.reading import audiences
    from clearway.records.errors import UsageError

    from .kept import triages, who

    if args.open and args.id is not None:
        raise UsageError("--open makes a new one", mend="leave out the ID")
    if args.record and args.id is None:
        raise UsageError("--record to which triage?", mend="give its ID")
    form = form_of(args)
    if form in ("csv", "oscal") and args.id is None and not args.open:
        raise UsageError(f"--{form} of which triage?", mend="give its ID")
    event = _event(args) if args.record else b""
    with reading(args, "directive triage") as (db, me, note):
        now = who.now(db)  # not this machine's: what is recorded bears the database's time
        if args.open:
            found = triages.open_triage(
                db, me, args.org, directive=args.directive, asset=args.asset, asset_name=args.asset_name,
                flaw=args.flaw, component=args.component, kev_added=_instant(args.kev_added), now=now,
            )  # fmt: skip
        elif args.record:
            seen = triages.one(db, args.id, now=now).events if args.after is None else args.after
            found = triages.record(db, me, args.id, event, after=seen, now=now)
        elif args.id is not None:
            found = triages.one(db, args.id, now=now)
        else:
            every = triages.of_organisation(db, args.org, now=now, limit=500)
            auds = audiences(db, "triage", "triage", (one.id for one in every))
            note.listed("triage", f"organisation={args.org}", auds)
            _say_all(args, every)
            return 0
        note(f"triage/{found.id}", [triages.audience_of(db, found.id)])
    _say_one(form, found, now)
    return 0


def _instant(text: str) -> datetime:
    from datetime import date, datetime

    from clearway.records.errors import UsageError

    from .triage import kev_instant

    try:
        return kev_instant(date.fromisoformat(text)) if len(text) == 10 else datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"--kev-added {text!r} is neither a day nor an instant", mend="such as 2026-12-07"
        ) from None


def _event(args: argparse.Namespace) -> bytes:
    """The event's JSON, with the hash and size of the evidence where a file of it is given."""
    import msgspec

    from clearway.formats import strict_json
    from clearway.records.errors import InputError

    data = read_file(args.record, _EVENT_BYTES)
    if not args.evidence:
        return data
    value = strict_json.loads(data, args.record)
    if not isinstance(value, dict):
        raise InputError("not an event of a triage", where=args.record, mend="give an object")
    digest, size = _hash(args.evidence)
    return msgspec.json.encode({**value, "sha256": digest, "size_bytes": size})


def _hash(path: str) -> tuple[str, int]:
    import hashlib
    from pathlib import Path

    from clearway.records.errors import InputError, NotFoundError

    digest, size = hashlib.sha256(), 0
    try:
        with Path(path).open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
    except FileNotFoundError:
        raise NotFoundError("no such file", where=path) from None
    except OSError as error:
        raise InputError(f"can't be read: {error.strerror}", where=path) from error
    return digest.hexdigest(), size


def _say_all(args: argparse.Namespace, found: Any) -> None:
    from clearway.records.text import plain

    if getattr(args, "json", False):
        say_json(
            [{"id": t.id, "organisation": t.organisation, "opened": t.opened, "book": t.book} for t in found]
        )
        return
    for triage in found:
        book = triage.book
        state = (
            book.conclusion
            or f"{sum(s.state in ('done', 'skipped') for s in book.steps)} of {len(book.steps)} steps"
        )
        flags = f", {len(book.flags)} flags" if book.flags else ""
        about = f"{plain(book.subject.flaw, 40)} on {plain(book.subject.asset_name, 60)}"
        say(f"{triage.id}  {about}: {state}{flags}")
    if not found:
        say("no triage")


def _say_one(form: str, found: Any, now: datetime) -> None:
    from .triage_report import triage_report, triage_text

    report = triage_report(found.book, now)
    if form == "json":
        say_json(report)
    elif form == "csv":
        from .triage_csv import triage_csv

        say(triage_csv(report).decode())
    elif form == "oscal":
        from .triage_oscal import triage_oscal

        say(triage_oscal(report).decode())
    else:
        say(f"triage {found.id}, {found.events} events")
        say(triage_text(report))
