"""`clearway finding apart|cross|revoke|known`: what is said of two findings, or of a finding and a public flaw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clearway.access.here import opened

from ..command_parts import adder, print_json

if TYPE_CHECKING:
    import argparse

    import psycopg

    from clearway.store.principal import Pool

    from ..kept import Finding
    from .public import Recorded, Suggestion

    Db = psycopg.Connection[Any]


def add_said(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds these commands to `clearway finding`."""
    add = adder(commands)
    apart = add("apart", "say that two findings which are not one are two flaws", run_apart)
    apart.add_argument("handling", metavar="CWF-XXXX-XXXX")
    apart.add_argument("other", metavar="CWF-XXXX-XXXX")
    apart.add_argument("--why", required=True)
    cross = add(
        "cross", "try each fix on the other's proof; both need one at E3, and a worker does it", run_cross
    )
    cross.add_argument("handling", metavar="CWF-XXXX-XXXX")
    cross.add_argument("other", metavar="CWF-XXXX-XXXX")
    revoke = add("revoke", "revoke one edge of a finding, whoever said it", run_revoke)
    revoke.add_argument("handling", metavar="CWF-XXXX-XXXX")
    revoke.add_argument("edge", type=int, metavar="NUMBER", help="as `duplicates` prints it")
    revoke.add_argument("--why", required=True)
    known = add(
        "known", "which public flaw a finding is: what is said and likely; say it, take it back", run_known
    )
    known.add_argument("handling", metavar="CWF-XXXX-XXXX")
    acts = known.add_mutually_exclusive_group()
    acts.add_argument("--is", dest="flaw", default="", metavar="CVE-…", help="it is that flaw, or its return")
    acts.add_argument("--take-back", type=int, metavar="NUMBER", help="revoke what was said")
    known.add_argument(
        "--fixed", action="append", default=[], metavar="VERSION",
        help="with --is: a version that fixes it; may be given again (default: as public records say)",
    )  # fmt: skip
    known.add_argument("--why", default="", help="with --is and --take-back")
    known.add_argument(
        "--sure",
        action="store_true",
        help="with --is: it was looked at, though no loaded record names the product",
    )


def run_apart(args: argparse.Namespace) -> int:
    """Keeps two apart; prints the number of the act; 0."""
    from .. import kept
    from . import edge

    with opened(args.home) as (pool, _, key, _me), pool.acting(key) as db:
        act = edge.apart(db, kept.one(db, args.handling), kept.one(db, args.other), args.why)
    if args.json:
        print_json({"act": act})
    else:
        print(f"done: act {act}; `clearway finding undo {act}` takes it back")
    return 0


def run_cross(args: argparse.Namespace) -> int:
    """Starts a cross-run; prints the number of the job; 0."""
    from .. import kept
    from . import at_desk

    with opened(args.home) as (pool, _, key, _me), pool.acting(key) as db:
        job = at_desk.ask(db, kept.one(db, args.handling), kept.one(db, args.other))
    if args.json:
        print_json({"job": job})
    else:
        print(f"job {job}: a worker tries each fix on the other's proof")
    return 0


def run_revoke(args: argparse.Namespace) -> int:
    """Revokes an edge; 0."""
    from .. import kept
    from . import edge

    with opened(args.home) as (pool, _, key, _me), pool.acting(key) as db:
        edge.revoke(db, kept.one(db, args.handling), args.edge, args.why)
    if args.json:
        print_json({"edge": args.edge})
    else:
        print(f"edge {args.edge} is revoked")
    return 0


def run_known(args: argparse.Namespace) -> int:
    """Says which flaw it is, takes that back, or shows what is said and likely; 0."""
    from clearway.records.errors import UsageError

    from .. import kept
    from . import public

    if (args.flaw or args.take_back is not None) and not args.why.strip():
        raise UsageError("say why", mend="give --why")
    if args.fixed and not args.flaw:
        raise UsageError("--fixed goes with --is")
    if args.sure and not args.flaw:
        raise UsageError("--sure goes with --is")
    with opened(args.home) as home:
        with home.reading("finding known") as (db, note):
            finding = kept.one(db, args.handling)
            note(f"{finding.subject}/duplicates", [finding.aud])
            if args.flaw:
                said = _recorded(args, finding)
                public.say(
                    db, finding, args.flaw, args.fixed, args.why,
                    affected=() if args.fixed else said.bounds, named=said.named, sure=args.sure,
                )  # fmt: skip
            elif args.take_back is not None:
                public.take_back(db, finding, args.take_back, args.why)
            found = public.statements(db, finding.id)
        shown = (
            ()
            if args.flaw or args.take_back is not None or not home.me.desk
            else _likely(args, home.pool, finding)
        )
    if args.json:
        print_json({"handling": finding.handling, "known": found, "suggested": shown})
        return 0
    _print(found, shown)
    return 0


def _print(found: Any, shown: tuple[Suggestion, ...]) -> None:
    from clearway.records.text import plain

    for said in found:
        gone = "revoked: " if said.revoked else ""
        fixed = f", fixed in {', '.join(said.fixed)}" if said.fixed else ""
        print(plain(f"{said.id or '':>6}  {gone}{said.verdict} {said.flaw}{fixed}: {said.reason}", 400))
    for one in shown:
        alike = [w for w, told in (("same class", one.same_class), ("same place", one.same_place)) if told]
        if one.hint is not None:
            alike.append(f"{one.hint:.0%} alike in words")
        if one.returns:
            alike.append("it fires in a fixed release")
        fixed = f", fixed in {', '.join(one.fixed)}" if one.fixed else ""
        words = "; ".join([f"this release is {one.release}{fixed}", *alike])
        print(plain(f"likely  {one.flaw}  {words}  {one.title}", 400))
    if not found and not shown:
        print("no public flaw is said to be this one")


def _recorded(args: argparse.Namespace, finding: Finding) -> Recorded:
    """What public records of the flaw say of the product; nothing where no table is loaded."""
    from clearway.advisories.table import Table
    from clearway.records.errors import ConfigError

    from . import public

    try:
        return public.recorded(Table.of_home(args.home), finding, args.flaw)
    except ConfigError:
        return public.UNRECORDED


def _likely(args: argparse.Namespace, pool: Pool, finding: Finding) -> tuple[Suggestion, ...]:
    """What public records suggest; () where no table is loaded."""
    from clearway.advisories.table import Table
    from clearway.records.errors import ConfigError

    from ..intake.reach import public_records
    from . import public
    from .hint import kept as learnt

    try:
        table = Table.of_home(args.home)
    except ConfigError:
        return ()

    def fetch(refs: Any) -> Any:
        with pool.owner() as owner:
            return public_records(owner, refs)

    with pool.owner() as owner:
        counts = learnt.read(owner)
    return public.suggest(table, finding, fetch, counts)
