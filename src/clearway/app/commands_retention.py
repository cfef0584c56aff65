"""`clearway retention`: how long what is kept, and legal holds."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from pathlib import Path

    import psycopg


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `retention` with its own commands."""
    retention = commands.add_parser(
        "retention",
        help="delete what is over its term; legal holds",
        description="Without a command: deletes what is over its term, as the nightly job does: nothing on the log, "
        "and nothing that is held.",
    )
    retention.add_argument(
        "--dry-run", action="store_true", help="say how much it would be, and delete nothing"
    )
    retention.add_argument("--json", action="store_true")
    retention.set_defaults(func=run)
    own = retention.add_subparsers(dest="retention_command", metavar="COMMAND")
    term = own.add_parser("set", help="keep a kind for so many days, or for `ever`")
    term.add_argument("kind", metavar="KIND")
    term.add_argument("days", metavar="DAYS")
    term.set_defaults(func=run_set)
    hold = own.add_parser("hold", help="stop deletion of what is an organisation's, or about one subject")
    hold.add_argument("org", metavar="ORGANISATION", help="its short name")
    hold.add_argument(
        "--subject", default="", help="as the log names it: asset/17, person/4; default: everything"
    )
    hold.add_argument("--reason", required=True)
    hold.set_defaults(func=run_hold)
    lift = own.add_parser("lift", help="end a hold")
    lift.add_argument("hold", metavar="NUMBER", type=int)
    lift.add_argument("--reason", required=True)
    lift.set_defaults(func=run_lift)
    holds = own.add_parser("holds", help="the holds that stand")
    holds.add_argument("--all", action="store_true", help="and those that were lifted")
    holds.add_argument("--json", action="store_true")
    holds.set_defaults(func=run_holds)


@contextmanager
def _owner(home: Path) -> Iterator[psycopg.Connection[Any]]:
    from clearway.store import server
    from clearway.store.connect import connect, translated
    from clearway.store.migrate import migrate

    with server.lease(home) as url, translated():
        migrate(url)
        with connect(url, autocommit=True, application_name="clearway retention") as db:
            yield db


def run(args: argparse.Namespace) -> int:
    """Deletes, or says what would be; returns 0."""
    from . import retention

    with _owner(args.home) as db:

        @contextmanager
        def transaction() -> Iterator[psycopg.Connection[Any]]:
            with db.transaction():
                yield db

        found = retention.terms(db)
        done = {} if args.dry_run else retention.carry_out(transaction)
    if args.json:
        _print_json({"dry_run": args.dry_run, "deleted": done, "terms": found})
        return 0
    for one in found:
        days = "ever" if one.days is None else f"{one.days:g} days"
        if one.fixed:
            count = "by a job of its own"
        elif args.dry_run:
            count = f"{one.due:,} over it, {one.held:,} held"
        else:
            count = f"{done.get(one.kind, 0):,} deleted, {one.held:,} held"
        print(f"{one.kind:<12} {days:>10}  {count:<24}  {one.what}")
    return 0


def run_set(args: argparse.Namespace) -> int:
    """Changes a term; returns 0."""
    from clearway.records.errors import UsageError

    from . import retention

    if args.days != "ever" and not (args.days.isascii() and args.days.isdigit() and len(args.days) < 9):
        raise UsageError("a term is a number of days, or `ever`", where=args.kind)
    with _owner(args.home) as db, db.transaction():
        retention.set_term(db, args.kind, None if args.days == "ever" else int(args.days))
    print(f"{args.kind} are kept for {args.days}{'' if args.days == 'ever' else ' days'}")
    return 0


def run_hold(args: argparse.Namespace) -> int:
    """Places a hold; returns 0."""
    from . import retention

    with _owner(args.home) as db, db.transaction():
        number = retention.place_hold(db, args.org, args.subject, args.reason)
    print(f"hold {number} stands; end it with `clearway retention lift {number} --reason …`")
    return 0


def run_lift(args: argparse.Namespace) -> int:
    """Lifts a hold; returns 0."""
    from . import retention

    with _owner(args.home) as db, db.transaction():
        retention.lift_hold(db, args.hold, args.reason)
    print(f"hold {args.hold} is lifted")
    return 0


def run_holds(args: argparse.Namespace) -> int:
    """Lists holds; returns 0."""
    from clearway.records.text import plain

    from . import retention

    with _owner(args.home) as db:
        found = retention.holds(db, lifted=args.all)
    if args.json:
        _print_json(found)
        return 0
    for one in found:
        state = f"lifted {one.lifted:%Y-%m-%d}" if one.lifted else f"since {one.placed:%Y-%m-%d}"
        print(
            f"{one.hold:>5}  {state}  {one.org}  {plain(one.subject) or 'everything'}: {plain(one.reason, 200)}"
        )
    if not found:
        print("no hold stands")
    return 0


def _print_json(value: Any) -> None:
    import msgspec

    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
