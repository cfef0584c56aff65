"""`clearway finding lease ask|renew|release|show|list|whose|control`: leases from the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clearway.access.here import opened

if TYPE_CHECKING:
    import argparse
    from datetime import datetime

    from .hold import Lease

# As `rule.ACTIVITIES`, which is not imported for `--help`; a test holds them equal.
ACTIVITIES = ("source-review", "fuzzing", "authenticated", "port", "passive")
_SHOWN = 50


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `lease` to `clearway finding`."""
    lease = commands.add_parser(
        "lease",
        help="say what you are about to scan: ask, renew, give back; is this scan yours?",
        description="Scan leases: who is about to look at what.",
    )
    kinds = lease.add_subparsers(dest="lease_command", metavar="COMMAND", required=True)

    def add(name: str, text: str, func: Any) -> argparse.ArgumentParser:
        parser = kinds.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        parser.add_argument("--json", action="store_true")
        parser.set_defaults(func=func)
        return parser

    ask = add(
        "ask", "ask before a scan; exit code 7 when the answer is to wait, 5 when it is refused", run_ask
    )
    ask.add_argument(
        "scope", nargs="+", metavar="SCOPE",
        help="a purl, git+https://host/owner/name@commit#src/**, a network, a host, or *.example.org",
    )  # fmt: skip
    ask.add_argument("--activity", required=True, choices=ACTIVITIES)
    ask.add_argument("--from", dest="starts", default="", metavar="TIME", help="default: now")
    ask.add_argument(
        "--until", default="", metavar="TIME", help="a day alone: to its end (default: four hours later)"
    )
    ask.add_argument(
        "--ttl", type=int, default=900, metavar="SECONDS", help="over when not renewed for so long (900)"
    )
    ask.add_argument("--rate", type=float, default=None, metavar="N", help="requests a second, at most")
    ask.add_argument(
        "--source", action="append", default=[], metavar="ADDRESS", help="where you scan from; repeatable"
    )
    ask.add_argument("--authorisation", default="", metavar="TEXT", help="reference of your authorisation")
    ask.add_argument(
        "--about", default="", metavar="ID", help="the flaw that you look for: told when it is public"
    )
    ask.add_argument("--label", default="", metavar="TEXT", help="your own name for it")
    ask.add_argument("--sealed", action="store_true", help="not even the coordinators read the scope")
    ask.add_argument("--org", default="", metavar="SLUG", help="default: the only one that you may scan for")
    renew = add("renew", "hold a lease for another while", run_renew)
    renew.add_argument("reference", metavar="CWL-XXXX-XXXX")
    renew.add_argument(
        "--fence", type=int, required=True, metavar="TOKEN", help="the token that it came with"
    )
    renew.add_argument("--ttl", type=int, default=None, metavar="SECONDS")
    release = add("release", "give a lease back", run_release)
    release.add_argument("reference", metavar="CWL-XXXX-XXXX")
    show = add("show", "one lease", run_show)
    show.add_argument("reference", metavar="CWL-XXXX-XXXX")
    add("list", "leases that you may see, the newest first", run_list)
    whose = add("whose", '"is this scan yours?": ours, claimed, withdrawn, not ours, or unknown', run_whose)
    whose.add_argument("source", metavar="ADDRESS", help="where the scan comes from")
    whose.add_argument("target", metavar="TARGET", help="what it reaches: an address, a network or a host")
    whose.add_argument("--at", default="", metavar="TIME", help="when it was seen (default: now)")
    whose.add_argument("--org", default="", metavar="SLUG")
    control = add(
        "control",
        "prove that a network, a name, a repository or a package is yours, and say who may scan it",
        run_control,
    )
    control.add_argument(
        "scope", nargs="?", default="", metavar="SCOPE", help="begins a proof; without, lists them"
    )
    control.add_argument(
        "--method", choices=("dns-txt", "well-known", "repository-file", "desk"), default="dns-txt"
    )
    control.add_argument(
        "--confirm", type=int, default=0, metavar="NUMBER", help="as a coordinator: it is theirs"
    )
    control.add_argument("--why", default="", help="with --confirm: what shows it")
    control.add_argument("--check", type=int, default=0, metavar="NUMBER", help="looks for that proof")
    control.add_argument("--end", type=int, default=0, metavar="NUMBER", help="ends that proof")
    control.add_argument("--say", type=int, default=0, metavar="NUMBER", help="says of that one who may scan")
    control.add_argument(
        "--refuse", action="store_true", help="with --say: nobody else scans it (an opt-out)"
    )
    control.add_argument(
        "--cap", type=float, default=None, metavar="N", help="with --say: requests a second, at most"
    )
    control.add_argument(
        "--authorise", action="append", default=[], metavar="SLUG", help="with --say; repeatable"
    )
    control.add_argument("--org", default="", metavar="SLUG")


def run_ask(args: argparse.Namespace) -> int:
    """Asks; 0 with a lease and when it is public, 7 when it is to wait, 5 when it is refused."""
    from clearway.advisories.table import Table
    from clearway.records.clock import SystemClock
    from clearway.records.text import plain

    from . import ask
    from .at_desk import SCANS, home_of
    from .blind import BlindKey

    asking = ask.Asking(
        activity=args.activity,
        scope=tuple(args.scope),
        starts=_time(args.starts, "--from"),
        until=_time(args.until, "--until"),
        ttl_s=args.ttl,
        rate=args.rate,
        sources=tuple(args.source),
        authorisation=args.authorisation,
        label=args.label,
        about=args.about,
        sealed=args.sealed,
    )
    table = Table.of_home(args.home) if args.about else None
    with opened(args.home) as (pool, _, key, me):
        of = home_of(me, args.org, SCANS)
        with pool.acting(key) as db:
            found = ask.ask(db, BlindKey.of_home(args.home), of, asking, table=table, clock=SystemClock())
    if args.json:
        _print(found)
    else:
        print(f"{found.answer}: {found.words}")
        if found.until is not None:
            print(f"  over at the latest {found.until:%Y-%m-%d %H:%M} UTC")
        if found.public is not None:
            print(plain(f"  {found.public.flaw} in {found.public.package} {found.public.release}", 300))
        if found.lease is not None:
            print(_line(found.lease))
            print(f"  renew with --fence {found.lease.fence}, by {found.lease.ends:%Y-%m-%d %H:%M:%S} UTC")
    return {"wait": 7, "refused": 5}.get(found.answer, 0)


def run_renew(args: argparse.Namespace) -> int:
    """Renews; ConflictError (exit code 7) once it is over."""
    from . import hold

    with opened(args.home) as (pool, _, key, _me), pool.acting(key) as db:
        found = hold.renew(db, args.reference, args.fence, args.ttl)
    _tell(args, found)
    return 0


def run_release(args: argparse.Namespace) -> int:
    """Gives a lease back."""
    from . import hold

    with opened(args.home) as (pool, _, key, _me), pool.acting(key) as db:
        found = hold.release(db, args.reference)
    _tell(args, found)
    return 0


def run_show(args: argparse.Namespace) -> int:
    """Prints a lease; 0."""
    from clearway.access.reading import audiences
    from clearway.records.text import plain

    from . import hold

    with opened(args.home) as home, home.reading("finding lease show") as (db, note):
        found = hold.one(db, args.reference)
        note(hold.subject(found.reference), audiences(db, "lease", "reference", [found.reference]))
    if args.json:
        _print(found)
        return 0
    print(_line(found))
    said = [
        ("scope", "sealed" if found.sealed else ", ".join(found.scope)),
        ("window", f"{found.starts:%Y-%m-%dT%H:%MZ} to {found.until:%Y-%m-%dT%H:%MZ}"),
        ("fence", str(found.fence)),
        ("rate", f"{found.rate:g} a second" if found.rate else ""),
        ("from", ", ".join(found.sources)),
        ("authorisation", found.authorisation),
        ("withdrawn", found.withdrawn),
    ]
    for name, words in said:
        if words:
            print(plain(f"  {name:13s} {words}", 4_000))
    return 0


def run_list(args: argparse.Namespace) -> int:
    """Lists the newest leases."""
    from clearway.access.reading import audiences

    from . import hold

    with opened(args.home) as home, home.reading("finding lease list") as (db, note):
        found = hold.newest(db, most=_SHOWN)
        note.listed("leases", "", audiences(db, "lease", "reference", (one.reference for one in found)))
    if args.json:
        _print(found)
        return 0
    for lease in found:
        print(_line(lease))
    if not found:
        print("no lease that you may see")
    return 0


def run_whose(args: argparse.Namespace) -> int:
    """Answers whether a scan is ours."""
    from clearway.records.clock import SystemClock

    from . import whose
    from .at_desk import READS, home_of
    from .blind import BlindKey

    with opened(args.home) as (pool, _, key, me):
        of = home_of(me, args.org, READS)
        with pool.acting(key) as db:
            found = whose.whose(
                db, BlindKey.of_home(args.home), of, args.source, _time(args.at, "--at"), args.target,
                clock=SystemClock(),
            )  # fmt: skip
    if args.json:
        _print(found)
    else:
        print(f"{found.answer}: {found.words}{' ' + found.reference if found.reference else ''}")
    return 0


def run_control(args: argparse.Namespace) -> int:
    """Begins, looks for, ends or lists proofs of control, or says who may scan."""
    from datetime import UTC, datetime

    from clearway.access.reading import audiences
    from clearway.records.errors import ConflictError, UsageError

    from . import control, scope
    from .at_desk import CONTROLS, home_of, looker
    from .blind import BlindKey

    if sum((bool(args.scope), bool(args.check), bool(args.end), bool(args.say), bool(args.confirm))) > 1:
        raise UsageError("one at a time: a scope, --check, --end, --say or --confirm", where="control")
    with opened(args.home) as home:
        me = home.me
        if args.check:
            with home.pool.acting(home.key) as db:
                asked = control.one(db, args.check)
            home_of(me, asked.organisation, CONTROLS)
            with looker() as looking:
                holds = looking.holds(scope.parse(asked.scope), asked.method, asked.token)
            if not holds:
                at = asked.place
                raise ConflictError(
                    "the proof is not there", where=at.name or at.url, mend=f"put {at.content} there"
                )
            with home.pool.owner() as owner:
                found = [control.prove(owner, asked, datetime.now(UTC), by=me.person)]
        else:
            with home.reading("finding lease control") as (db, note):
                if args.scope:
                    of = home_of(me, args.org, CONTROLS)
                    found = [control.begin(db, BlindKey.of_home(args.home), of, args.scope, args.method)]
                elif args.confirm:
                    found = [control.confirm(db, args.confirm, datetime.now(UTC), args.why)]
                elif args.end:
                    control.end(db, args.end)
                    found = []
                elif args.say:
                    stance: Any = "refuse" if args.refuse else "cap" if args.cap is not None else "own"
                    found = [control.say(db, args.say, stance, max_rate=args.cap, authorised=args.authorise)]
                else:
                    found = control.listed(db)
                    auds = audiences(db, "lease_control", "control", (one.id for one in found))
                    note.listed("lease-controls", "", auds)
    if args.json:
        _print(found)
        return 0
    for one in found:
        stands = "proven" if one.proven else "not proven"
        print(
            f"{one.id:>5}  {one.scope:<40} {stands}, {one.stance}{f' {one.max_rate:g}/s' if one.max_rate else ''}"
        )
        if not one.proven:
            at = one.place
            print(
                f"       put {at.content} at {at.name or at.url}"
                if at.content
                else "       a coordinator confirms it"
            )
    return 0


def _time(text: str, where: str) -> datetime | None:
    """The time that was typed, in UTC; a day alone is all of it. None for nothing. Raises UsageError."""
    from clearway.records.errors import UsageError

    from .typed import moment

    try:
        return moment(text, to_end=where == "--until")
    except ValueError:
        raise UsageError("is no time", where=where, mend="write 2026-12-01T09:00Z") from None


def _tell(args: argparse.Namespace, lease: Lease) -> None:
    if args.json:
        _print(lease)
    else:
        print(_line(lease))


def _line(lease: Lease) -> str:
    from clearway.records.text import plain

    scope = "(sealed)" if lease.sealed else ", ".join(lease.scope)
    label = f"  {lease.label}" if lease.label else ""
    label += f"  ({lease.withdrawn})" if lease.withdrawn else ""
    until = f"until {lease.until:%Y-%m-%d %H:%M} UTC"
    return plain(f"{lease.reference}  {lease.state:<9} {lease.activity:<13} {until}  {scope}{label}", 400)


def _print(found: Any) -> None:
    import msgspec

    print(msgspec.json.encode(found).decode())
