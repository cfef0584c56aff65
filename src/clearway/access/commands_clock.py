"""`clearway access clock`: how the clocks stand, and accepting one again."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse
    from datetime import datetime


def add(rooms: Any) -> None:
    """Adds `clock` to the commands of `access`."""
    parser: argparse.ArgumentParser = rooms.add_parser(
        "clock",
        help="how the clocks stand; accept one again after it was wrongly ahead",
        description="Shows the latest time that was seen beside the clocks. With --accept it says that the clock is "
        "right and what speaks against it was wrong: as the owner of the database, whoever CLEARWAY_TOKEN belongs to.",
    )
    parser.add_argument("--accept", action="store_true", help="the clock is right, and what was seen was not")
    parser.add_argument("--why", metavar="REASON", default="", help="what went wrong; it stands on the log")
    parser.add_argument("--json", action="store_true")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Shows how the clocks stand, or accepts."""
    import msgspec

    from clearway.records.errors import UsageError
    from clearway.store.connect import connect, translated
    from clearway.store.migrate import migrate
    from clearway.store.server import lease

    from . import clock, clockwatch

    if args.why and not args.accept:
        raise UsageError("--why goes with --accept", mend="add --accept")
    if args.accept and not args.why.strip():
        raise UsageError("--accept takes a reason", mend='add --why "…"')
    with lease(args.home) as url:
        migrate(url)
        with translated(), connect(url) as owner:
            made: clock.Accepted | clock.Standing = (
                clock.accept(owner, args.why, clockwatch.read())
                if args.accept
                else clock.standing(owner, clockwatch.read())
            )
    if args.json:
        sys.stdout.write(msgspec.json.encode(made).decode() + "\n")
    elif isinstance(made, clock.Accepted):
        print(
            f"accepted: the latest time seen is {_utc(made.now)} again, and was {_utc(made.was)}; entry {made.entry}"
        )
        print(
            f"{made.ended} sessions and tokens that were made meanwhile have ended; frozen embargoes wait as before"
        )
    else:
        _show(made)
    return 0


def _show(found: Any) -> None:
    from . import clock

    print(f"this machine   {_utc(found.clock)}")
    print(f"the database   {_utc(found.database)}")
    ahead = f", {clock.said(found.ahead_s)} ahead" if found.ahead_s > 1 else ""
    print(f"latest seen    {_utc(found.seen)}{ahead}" if found.seen else "latest seen    none yet")
    if found.witnessed:
        print(f"by a witness   {_utc(found.witnessed)}")
    print(f"believed       {'no: ' + found.doubt if found.doubt else 'yes'}")
    if found.unsure_s:
        unsure = clock.said(found.unsure_s)
        print(f"unsure         {unsure} that nobody can vouch for; what is kept is kept as much longer")
    if found.frozen:
        print(f"frozen         {found.frozen} embargoes; a coordinator arms each anew, or ends it")


def _utc(at: datetime) -> str:
    from datetime import UTC

    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
