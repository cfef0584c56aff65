"""`clearway directive`: the engine by hand."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .clock import Timeline
    from .decision import Decision
    from .directive import Directive

_ANSWER = ("yes", "no", "unknown")


def add_commands(subparsers: Any) -> None:
    """Register `directive …`; each command sets `func`, from arguments to an exit code."""
    from functools import partial

    from . import commands_issue, commands_report, commands_triage

    room = subparsers.add_parser(
        "directive", help="remediation directives: tables, and the row for given facts"
    )
    commands = room.add_subparsers(dest="directive_command", required=True, metavar="COMMAND")

    listing = _command(
        commands, "list", _list, "the directives that ship, and those that are addressed to you"
    )
    listing.set_defaults(name="")

    show = _command(commands, "show", _show, "one directive: its rows, options and notes")
    show.add_argument("name", metavar="NAME", help="such as bod-26-04")

    explain = _command(commands, "explain", _explain, "the row, the days and the reasons for given facts")
    explain.add_argument("name", metavar="NAME", nargs="?", default="bod-26-04", help="default: bod-26-04")
    explain.add_argument(
        "--exposed", choices=_ANSWER, default="unknown", help="reachable from public networks"
    )
    explain.add_argument("--kev", choices=_ANSWER, default=None, help="listed in CISA's KEV catalogue")
    explain.add_argument("--automatable", choices=_ANSWER, default="unknown", help="CISA SSVC: Automatable")
    explain.add_argument(
        "--impact",
        choices=("total", "partial", "unknown"),
        default="unknown",
        help="CISA SSVC: Technical Impact",
    )
    explain.add_argument("--cve", metavar="ID", default=None, help='the CVE id; "" for a finding without one')
    explain.add_argument("--policy", metavar="NAME", default="", help="what to do about missing data")
    explain.add_argument("--retier", metavar="RULE", default="", help="how a tier change moves the clock")
    explain.add_argument("--kev-added", metavar="DATE", type=_day, help="the day it was added to KEV")
    explain.add_argument("--detected", metavar="DATE", type=_day, help="the day a scan first saw it")
    explain.add_argument(
        "--as-of", metavar="DATE", type=_day, help="replay as of this day (default: today, UTC)"
    )
    explain.add_argument(
        "--standing", metavar="WORD", default="advisory", help="binding, adopted or advisory"
    )
    for part in (commands_report, commands_issue, commands_triage):
        part.add(partial(_command, commands))


def _command(
    commands: Any, name: str, func: Callable[[argparse.Namespace], int], summary: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=summary, description=summary)
    # SUPPRESS: a `--json` given before the command is not undone by a default here
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON")
    parser.set_defaults(func=func)
    return parser


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date such as 2026-12-07") from None


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def _say_json(value: object) -> None:
    import msgspec

    _say(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def _list(args: argparse.Namespace) -> int:
    from .files import load, names

    found = [load(name) for name in names()]
    addressed = _addressed(args)
    if getattr(args, "json", False):
        keys = ("id", "title", "issuer", "version", "published", "revoked", "revoked_by")
        shown: list[dict[str, Any]] = [{key: getattr(d, key) or None for key in keys} for d in found]
        for directive, told in addressed:
            shown.append({key: getattr(directive, key) or None for key in keys} | told)
        _say_json(shown)
        return 0
    for directive in found:
        revoked = f", revoked {directive.revoked} by {directive.revoked_by}" if directive.revoked else ""
        _say(f"{directive.id}  {directive.issuer}: {directive.title} ({directive.published}{revoked})")
    for directive, told in addressed:
        by = "imported by" if told["imported"] else f"from {told['authority']}, {told['standing']} for"
        _say(
            f"{directive.id}  {directive.issuer}: {directive.title} (version {directive.version} {by} "
            f"{told['organisation']} since {told['since']})"
        )
    return 0


def _addressed(args: argparse.Namespace) -> list[tuple[Directive, dict[str, Any]]]:
    """What is addressed to the organisations of whoever asks, or imported by them; nothing without a database yet."""
    from clearway.records.errors import ClearwayError

    from .commands_parts import acting, has_database

    try:
        if not has_database(args):
            return []
        from .kept.governing import bearing, usable

        with acting(args) as (db, me):
            mine = {m.org: m.slug for m in me.memberships}
            found = []
            for org, versions in sorted(bearing(db, mine).items()):
                for version in versions:
                    row = db.execute(
                        "select slug from clearway.organisation where org = %s", (version.authority,)
                    ).fetchone()
                    told = {
                        "organisation": mine[org],
                        "authority": row[0] if row else None,
                        "standing": version.standing,
                        "since": version.since,
                        "imported": version.imported,
                    }
                    table = usable(db, version.version_id, version.sha256)
                    if table is not None:
                        found.append((table, told))
            return found
    except ClearwayError as error:
        sys.stderr.write(f"what is addressed to you can't be read: {error}\n")
        return []


def _show(args: argparse.Namespace) -> int:
    from .files import load

    directive = load(args.name)
    if getattr(args, "json", False):
        _say_json(directive)
        return 0
    _say(f"{directive.short}: {directive.title}")
    _say(
        f"{directive.issuer}, {directive.published}, version {directive.version} of the data; {directive.url}"
    )
    if directive.revoked:
        _say(f"revoked on {directive.revoked} by {directive.revoked_by}")
    columns = [(point.id, point.name) for point in directive.points]
    _say("\n" + "  ".join(["row", *(f"{name:<16}" for _, name in columns), "due"]))
    for row in directive.rows:
        cells = [f"{row.when[point]:<16}" for point, _ in columns]
        _say("  ".join([f"{row.row:>3}", *cells, directive.outcome_of(row.code).name]))
    _say(f"\ndays are {directive.calendar.replace('_', ' ')}")
    _say(f"the clock starts at: {', '.join(directive.clock.starts)} (the earlier that applies)")
    _say(f"after a tier change: {', '.join(directive.clock.retier)} (the first is the default)")
    for policy in directive.policies:
        _say(f"policy {policy.id}: {policy.note}")
    for note in directive.notes:
        _say(f"- {note}")
    return 0


def _explain(args: argparse.Namespace) -> int:
    from clearway.records.clock import SystemClock, today

    from .clock import timeline
    from .decision import decide
    from .facts import on
    from .files import load
    from .standing import read_standing, word

    directive = load(args.name)
    standing = read_standing(args.standing)
    as_of: date = args.as_of or today(SystemClock())
    facts = _facts(args)
    decision = decide(directive, on(facts, as_of), args.policy, cve=facts.cve)
    line = None
    if args.detected is not None or args.kev_added is not None:
        line = timeline(directive, facts, args.policy, retier=args.retier, as_of=as_of)
        decision = line.current.decision
    wording = word(directive, decision, line.current.due, standing) if line else ""
    answer = _answer(directive, decision, line, as_of) | {
        "policy": directive.policy(args.policy).id,
        "retier": directive.retier(args.retier),
        "standing": standing,
        "wording": wording or None,
    }
    if getattr(args, "json", False):
        _say_json(answer)
    else:
        _say(wording or f"{directive.short}{_row(decision)}: {decision.name}")
        for reason in answer["reasons"]:
            _say(f"- {reason}")
        _say(f"basis: {decision.basis}")
    return 0


def _row(decision: Decision) -> str:
    return f", row {decision.row}" if decision.row is not None else ""


def _facts(args: argparse.Namespace) -> Any:
    """The arguments as dated facts. Raises UsageError where two of them contradict each other."""
    from clearway.records.errors import UsageError

    from .facts import Fact, Facts

    kev = args.kev
    if args.kev_added is not None:
        if kev in ("no", "unknown"):
            raise UsageError(f"--kev {kev} and --kev-added contradict each other", mend="give one of them")
        kev = "yes"
    if args.as_of is not None and args.detected is not None and args.detected > args.as_of:
        what = f"--detected {args.detected} is after --as-of {args.as_of}"
        raise UsageError(what, mend="give an earlier detection")
    changes = [
        Fact(point="exposed", value=args.exposed),
        Fact(point="automatable", value=args.automatable),
        Fact(point="impact", value=args.impact),
    ]
    if args.kev_added is not None:
        changes.append(Fact(point="kev", value="no"))
    changes.append(Fact(point="kev", value=kev or "unknown", dated=args.kev_added))
    return Facts(cve="CVE" if args.cve is None else args.cve, changes=tuple(changes), detected=args.detected)


def _answer(directive: Directive, decision: Decision, line: Timeline | None, as_of: date) -> dict[str, Any]:
    """The answer in the keys of `schemas/directive-explain.schema.json`."""
    current = line.current if line else None
    notice = directive.notice(as_of)
    reasons = current.reasons if current else decision.reasons
    return {
        "directive": decision.directive,
        "version": directive.version,
        "row": decision.row,
        "rows": decision.rows,
        "code": decision.code,
        "name": decision.name,
        "days": decision.days,
        "months": decision.months,
        "forensic_triage": decision.forensic_triage,
        "basis": decision.basis,
        "range": {"strictest": decision.strictest, "lenient": decision.lenient},
        "reasons": [*reasons, *([notice] if notice else [])],
        "as_of": as_of,
        "start": current.start if current else None,
        "due": current.due if current else None,
        "tiers": [
            {"since": tier.since, "start": tier.start, "due": tier.due, "code": tier.decision.code}
            | {"row": tier.decision.row, "basis": tier.decision.basis}
            for tier in (line.tiers if line else ())
        ],
    }
