"""`clearway finding duplicates|merge|split|undo`: what is one flaw, and the acts that say so."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from clearway.access.here import opened

from ..command_parts import adder, print_json
from .commands_said import add_said

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    import psycopg


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the commands of this part to `clearway finding`."""

    add = adder(commands)
    shown = add("duplicates", "what is one flaw with a finding, or may be, and why", run_duplicates)
    shown.add_argument("handling", metavar="CWF-XXXX-XXXX")
    merge = add("merge", "say that findings are one flaw; undone by its number", run_merge)
    merge.add_argument("handling", nargs="+", metavar="CWF-XXXX-XXXX")
    merge.add_argument("--why", required=True)
    split = add("split", "say that a finding is a flaw of its own", run_split)
    split.add_argument("handling", metavar="CWF-XXXX-XXXX")
    split.add_argument("--why", required=True)
    undo = add("undo", "undo a merge, a split or an undo", run_undo)
    undo.add_argument("act", type=int, metavar="NUMBER", help="as `merge`, `split` and `undo` print it")
    undo.add_argument("--why", required=True)
    add_said(commands)


def run_duplicates(args: argparse.Namespace) -> int:
    """Shows what is said of a finding and others; 0 whatever that is."""
    from clearway.records.text import plain

    from .. import kept
    from .view import view

    with opened(args.home) as home, home.reading("finding duplicates") as (db, note):
        finding = kept.one(db, args.handling)
        found = view(db, finding)
        note(f"{finding.subject}/duplicates", kept.audiences(db, found.shown()))
    if args.json:
        print_json(found)
        return 0
    group = [m.handling for m in found.group]
    print(f"one flaw: {', '.join(group)}" if len(group) > 1 else f"{group[0]} is alone")
    for credit in found.credits:
        print(
            f"  reported by {plain(credit.organisation, 80)} on {credit.received:%Y-%m-%d} ({credit.handling})"
        )
    for edge in found.edges:
        act = f", act {edge.act}" if edge.act else f", edge {edge.id}" if edge.id else ""
        gone = "revoked: " if edge.revoked else ""
        print(
            plain(
                f"  {gone}{edge.verdict:<10} {edge.one} {edge.other}  {edge.basis}: {edge.reason}{act}", 400
            )
        )
    for alike in found.alike:
        print(plain(f"  alike      {alike.finding.handling}  {alike.reason}  {alike.finding.title}", 300))
    for known in found.known:
        gone = "revoked: " if known.revoked else ""
        fixed = f", fixed in {', '.join(known.fixed)}" if known.fixed else ""
        print(plain(f"  {gone}{known.verdict} {known.flaw}{fixed}: {known.reason}", 400))
    return 0


def run_merge(args: argparse.Namespace) -> int:
    """Merges; prints the number of the act."""
    from .. import kept
    from . import edge

    with _acting(args) as db:
        act = edge.merge(db, [kept.one(db, name) for name in args.handling], args.why)
    return _told(args, act)


def run_split(args: argparse.Namespace) -> int:
    """Splits off; prints the number of the act."""
    from .. import kept
    from . import edge

    with _acting(args) as db:
        act = edge.split(db, kept.one(db, args.handling), args.why)
    return _told(args, act)


def run_undo(args: argparse.Namespace) -> int:
    """Undoes an act; prints the number of this one."""
    from . import edge

    with _acting(args) as db:
        act = edge.undo(db, args.act, args.why)
    return _told(args, act)


def _told(args: argparse.Namespace, act: int) -> int:
    print(
        f'{{"act": {act}}}' if args.json else f"done: act {act}; `clearway finding undo {act}` takes it back"
    )
    return 0


@contextmanager
def _acting(args: argparse.Namespace) -> Iterator[psycopg.Connection[Any]]:
    """One transaction as who acts."""
    from datetime import UTC, datetime

    from clearway.access import local
    from clearway.store.migrate import migrate
    from clearway.store.principal import Pool
    from clearway.store.server import lease

    with lease(args.home) as url:
        migrate(url)
        key = local.key(url, args.home, now=datetime.now(UTC))
        with Pool(url, size=1) as pool, pool.acting(key) as db:
            yield db
