"""`clearway access marking show|change` and `access approval list|decide`: who sees one thing, and who else may."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse

    import psycopg

    from clearway.records.principal import Principal

_TLP = ("CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED")
_KINDS = "asset/N, report/N, triage/N, directive/N, rule/N, webhook/N or marked/N"


def add(rooms: Any) -> None:
    """Adds `marking` and `approval` to the commands of `access`."""
    marking = rooms.add_parser("marking", help="who sees one thing: show, change")
    kinds = marking.add_subparsers(dest="access_kind", metavar="COMMAND", required=True)
    shown = kinds.add_parser("show", help="how it is marked, and what waits to be decided")
    shown.add_argument("what", metavar="WHAT", help=_KINDS)
    change = kinds.add_parser(
        "change",
        help="narrower at once; anything else is asked of a second person",
        description="Gives something another marking: narrower at once, anything else when a second person approves.",
    )
    change.add_argument("what", metavar="WHAT", help=_KINDS)
    change.add_argument("--tlp", choices=_TLP, required=True)
    change.add_argument("--org", default="", metavar="SLUG", help="whose AMBER or RED (default: its owner's)")
    change.add_argument("--list", type=int, default=0, metavar="N", help="the recipients of TLP:RED")
    change.add_argument(
        "--embargo",
        type=int,
        default=None,
        metavar="N",
        help="under it; 0 takes it out of one (default: stays)",
    )
    change.add_argument("--why", required=True)
    approval = rooms.add_parser("approval", help="what takes two people: list, decide")
    kinds = approval.add_subparsers(dest="access_kind", metavar="COMMAND", required=True)
    listed = kinds.add_parser("list", help="what waits for a second person in your organisations")
    decide = kinds.add_parser("decide", help="approve, refuse or withdraw")
    decide.add_argument("approval", type=int, metavar="N")
    decide.add_argument("verdict", choices=("approved", "refused", "withdrawn"))
    for parser, func in ((shown, run_show), (change, run_change), (listed, run_listed), (decide, run_decide)):
        parser.add_argument("--json", action="store_true")
        parser.set_defaults(func=func)


def run_show(args: argparse.Namespace) -> int:
    """Shows how something is marked."""
    from . import approval, lowering
    from .commands import _told
    from .here import opened

    with opened(args.home) as home, home.reading("access marking show") as (db, note):
        found = lowering.one(db, home.me, *_what(args.what))
        note(found.subject, [found.aud])
        waiting = [(a, approval.worded(db, a)) for a in found.waiting]
    lines = [f"{found.name} is {found.meaning.label}, seen by {found.meaning.words}"]
    for a, words in waiting:
        then = words.then if words else None
        lines.append(
            f"  approval {a.approval} waits: {f'{then.label}, seen by {then.words}' if then else 'others'}: {a.why}"
        )
    return _told(args, found, "\n".join(lines))


def run_change(args: argparse.Namespace) -> int:
    """Narrows it, or asks a second person."""
    from msgspec import UNSET

    from . import lowering, organisation
    from .commands import _acting, _told

    with _acting(args) as db:
        me = _me(db)
        found = lowering.one(db, me, *_what(args.what))
        org = organisation.by_slug(db, args.org).org if args.org else 0
        under = UNSET if args.embargo is None else args.embargo
        made = lowering.change(
            db, me, found, lowering.chosen(found, args.tlp, org, args.list, under), args.why
        )
    after = made.marked
    if made.approval is None:
        words = f"{after.name} is {after.meaning.label} now, seen by {after.meaning.words}"
    else:
        number = made.approval.approval
        words = f"asked; a second person decides: clearway access approval decide {number} approved"
    return _told(args, made, words)


def run_listed(args: argparse.Namespace) -> int:
    """Lists what waits."""
    from . import approval
    from .commands import _acting, _told

    with _acting(args) as db:
        found = approval.listed(db, open_only=True)
        lines = []
        for a in found:
            words = approval.worded(db, a)
            what = f"{a.kind} of {a.subject}"
            if words is not None:
                now, then = (m.words if m else "some whom you are not of" for m in (words.now, words.then))
                what = f"{what}: now seen by {now}; then by {then}"
            lines.append(f"{a.approval:>6}  {what}: {a.why}")
    return _told(args, found, "\n".join(lines) or "nothing waits")


def run_decide(args: argparse.Namespace) -> int:
    """Decides."""
    from . import approval
    from .commands import _acting, _told

    with _acting(args) as db:
        found = approval.decide(db, args.approval, args.verdict)
    done = ", and carried out" if found.used else ""
    return _told(args, found, f"{found.kind} of {found.subject}: {found.verdict}{done}")


def _me(db: psycopg.Connection[Any]) -> Principal:
    import msgspec

    from clearway.records.principal import Principal

    row = db.execute("select clearway.whoami()::text").fetchone()
    assert row is not None
    return msgspec.json.decode(row[0], type=Principal)


def _what(text: str) -> tuple[str, int]:
    from clearway.records.errors import UsageError

    kind, _, number = text.partition("/")
    if not (number.isascii() and number.isdigit() and len(number) < 19):
        raise UsageError(f"{text[:60]!r} names nothing", mend=f"write {_KINDS}")
    return kind, int(number)
