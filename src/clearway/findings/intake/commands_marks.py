"""`clearway finding mark|appeal|decide|record`: how findings count for who reported them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clearway.access.here import opened

from ..command_parts import adder, print_json

if TYPE_CHECKING:
    import argparse

# As `record.MARKS`, which is not imported for `--help`; a test holds them equal.
MARKS = ("valid", "known", "duplicate", "invalid")
_FIGURES = (
    ("reported", "reported"), ("reproduced", "fired here"), ("fix_shown", "with a fix that holds"), ("valid", "valid"),
    ("known", "known before"), ("duplicate", "duplicates"), ("invalid", "invalid"), ("appealed", "under appeal"),
)  # fmt: skip


def add_marks(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds these commands to `clearway finding`."""
    add = adder(commands)
    mark = add("mark", "say how a finding counts for its reporter", run_mark)
    mark.add_argument("handling", metavar="CWF-XXXX-XXXX")
    mark.add_argument("mark", choices=MARKS)
    mark.add_argument("--why", required=True)
    appeal = add("appeal", "appeal against how a finding of one's own counts", run_appeal)
    appeal.add_argument("handling", metavar="CWF-XXXX-XXXX")
    appeal.add_argument("--why", required=True)
    decide = add("decide", "decide an appeal, as another coordinator than gave the mark", run_decide)
    decide.add_argument("appeal", type=int, metavar="NUMBER", help="as `appeal` and `status --json` tell it")
    decide.add_argument("outcome", choices=("granted", "refused"))
    decide.add_argument("--why", required=True)
    record = add("record", "how a reporter's findings have turned out", run_record)
    record.add_argument("--org", default="", metavar="SLUG", help="default: your own")


def run_mark(args: argparse.Namespace) -> int:
    """Marks a finding; 0."""
    from .. import kept
    from . import record

    with opened(args.home) as (pool, _, key, _me), pool.acting(key) as db:
        finding = kept.one(db, args.handling)
        record.give(db, finding, args.mark, args.why)
        made = record.mark_of(db, finding.id)
    if args.json:
        print_json(made)
    else:
        print(f"{finding.handling}  {args.mark}")
    return 0


def run_appeal(args: argparse.Namespace) -> int:
    """Appeals; prints the appeal's number; 0."""
    from .. import kept
    from . import record

    with opened(args.home) as (pool, _, key, _me), pool.acting(key) as db:
        number = record.appeal(db, kept.one(db, args.handling), args.why)
    if args.json:
        print_json({"id": number})
    else:
        print(f"appeal {number}: while it is open the mark does not count")
    return 0


def run_decide(args: argparse.Namespace) -> int:
    """Decides an appeal; 0."""
    from . import record

    with opened(args.home) as (pool, _, key, _me), pool.acting(key) as db:
        record.decide(db, args.appeal, args.outcome, args.why)
    if args.json:
        print_json({"id": args.appeal, "outcome": args.outcome})
    else:
        print(f"appeal {args.appeal}: {args.outcome}")
    return 0


def run_record(args: argparse.Namespace) -> int:
    """Prints the figures of a reporter; 0."""
    from clearway.records.text import plain

    from . import record

    with opened(args.home) as home, home.reading("finding record") as (db, note):
        org = record.reporter(db, home.me, args.org)
        found = record.of(db, org)
        note.counted("record", f"organisation={found.organisation}", record.audiences(db, org))
    if args.json:
        print_json(found)
        return 0
    print(plain(found.organisation, 80))
    for name, words in _FIGURES:
        print(f"  {getattr(found, name):6,}  {words}")
    return 0
