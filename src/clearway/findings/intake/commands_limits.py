"""`clearway finding limit`: how much of a product its receiver takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clearway.access.here import opened

from ..command_parts import adder, print_json

if TYPE_CHECKING:
    import argparse

    from .limit import Limit


def add_limits(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `limit` to `clearway finding`."""
    text = "how much of a product its receiver takes: list, set, end, confirm"
    limit = commands.add_parser("limit", help=text, description=text[0].upper() + text[1:] + ".")
    add = adder(limit.add_subparsers(dest="limit_command", metavar="COMMAND", required=True))
    add("list", "every limit that stands, by product", run_list)
    put = add("set", "say how much you take, in place of what you said before", run_set)
    put.add_argument("package", metavar="NAME")
    put.add_argument("--ecosystem", default="", help="such as PyPI")
    put.add_argument("--org", default="", metavar="SLUG", help="default: the only one that you maintain for")
    put.add_argument(
        "--per-reporter", type=int, metavar="N", help="reports in seven days from one organisation"
    )
    put.add_argument("--per-week", type=int, metavar="N", help="findings handed on in seven days")
    put.add_argument("--min-level", type=int, default=0, choices=range(7), help="evidence from which on (0)")
    put.add_argument("--note", default="", help="for reporters")
    end = add("end", "end a limit of one's own", run_end)
    end.add_argument("number", type=int, metavar="NUMBER")
    confirm = add(
        "confirm", "as a coordinator: the product is the receiver's, and the limit counts", run_confirm
    )
    confirm.add_argument("number", type=int, metavar="NUMBER")
    confirm.add_argument("--refuse", action="store_true", help="it is not: the limit ends")


def run_list(args: argparse.Namespace) -> int:
    """Prints the limits; 0."""
    from . import limit

    with opened(args.home) as (pool, _, key, _me), pool.acting(key) as db:
        found = limit.listed(db)
    return _told(args, found)


def run_set(args: argparse.Namespace) -> int:
    """Sets a limit; 0."""
    from clearway.records.errors import UsageError
    from clearway.records.principal import member_of

    from . import limit

    for name in ("per_reporter", "per_week"):
        given = getattr(args, name)
        if given is not None and not 0 <= given <= limit.MOST:
            raise UsageError(f"0 to {limit.MOST:,}", where=f"--{name.replace('_', '-')}")
    with opened(args.home) as (pool, _, key, me), pool.acting(key) as db:
        made = limit.put(
            db, member_of(me, args.org, "maintain"), args.ecosystem, args.package, per_reporter=args.per_reporter,
            per_week=args.per_week, min_level=args.min_level, note=args.note,
        )  # fmt: skip
    if args.json:
        print_json(made)
    else:
        print(f"{_line(made)}; it counts once a coordinator has confirmed it")
    return 0


def run_end(args: argparse.Namespace) -> int:
    """Ends a limit; 0."""
    from . import limit

    with opened(args.home) as (pool, _, key, _me), pool.acting(key) as db:
        limit.end(db, args.number)
        found = limit.listed(db)
    return _told(args, found)


def run_confirm(args: argparse.Namespace) -> int:
    """Confirms a limit, or refuses it; 0."""
    from . import limit

    with opened(args.home) as (pool, _, key, _me), pool.acting(key) as db:
        limit.confirm(db, args.number, holds=not args.refuse)
        found = limit.listed(db)
    return _told(args, found)


def _told(args: argparse.Namespace, found: list[Limit]) -> int:
    if args.json:
        print_json({"limits": found})
        return 0
    for one in found:
        print(_line(one) + ("" if one.confirmed else "  (not confirmed)"))
    return 0


def _line(one: Limit) -> str:
    from clearway.records.text import plain

    said = [
        f"{one.per_reporter:,} from a reporter" if one.per_reporter is not None else "",
        f"{one.per_week:,} handed on" if one.per_week is not None else "",
        f"from E{one.min_level} on" if one.min_level else "",
    ]
    product = f"{one.ecosystem} {one.package}".strip()
    note = f": {one.note}" if one.note else ""
    return plain(f"{one.id:6d}  {product}  {one.organisation}  {', '.join(filter(None, said))}{note}", 600)
