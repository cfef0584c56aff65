"""`clearway exposure …`: what is affected, due when, and what was said of it."""

from __future__ import annotations

import sys
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from clearway.records.errors import UsageError
from clearway.records.text import plain
from clearway.store.labels import labels as labels_of

from . import commands_filters as filters
from .commands_here import Here, day_of, days_of, number_of, opened, say, say_json, told

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from clearway.ledger.reading import Note

    from .listing import ExposureLine
    from .page_asked import Asked
    from .wanted import Filter


_SHOWN = 50


def add_exposure(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `exposure`."""
    room = commands.add_parser(
        "exposure",
        help="what is affected, and due when",
        description="What is affected, and due when. Without a sub-command, the list by due date.",
    )
    room.add_argument(
        "--due-within", metavar="DAYS", type=days_of, default=None, help="such as 7d; overdue included"
    )
    room.add_argument("--overdue", action="store_true")
    _filters(room)
    room.add_argument("--sort", choices=("due", "severity", "epss", "kev", "name"), default="due")
    room.add_argument("--limit", type=int, default=_SHOWN, metavar="N")
    room.add_argument("--json", action="store_true")
    room.set_defaults(func=run_exposure)
    kinds = room.add_subparsers(dest="exposure_command", metavar="COMMAND")
    _add_list(kinds)
    setting = kinds.add_parser(
        "set",
        help="give exposures a status",
        description="Gives exposures a status; ends with 10 where a number is none that stands.",
    )
    setting.add_argument(
        "exposures", nargs="*", type=number_of, metavar="EXPOSURE", help="numbers; or the filters below"
    )
    _filters(setting, unless=", and with --to open every other")
    setting.add_argument(
        "--to", required=True, choices=("open", "mitigated", "fixed", "not_affected", "accepted")
    )
    setting.add_argument("--justification", default="", metavar="WORD", help="of not_affected (OpenVEX)")
    setting.add_argument("--detail", default="", metavar="TEXT")
    setting.add_argument(
        "--until", type=day_of, metavar="DATE", help="the last day on which it counts; accepted needs it"
    )
    setting.add_argument("--any-version", action="store_true", help="for later versions of the component too")
    setting.add_argument("--dry-run", action="store_true", help="say how many, and do nothing")
    setting.add_argument("--json", action="store_true")
    setting.set_defaults(func=run_set)
    right = kinds.add_parser("redate", help="set right on which day an exposure was detected")
    right.add_argument("exposure", type=number_of, metavar="EXPOSURE")
    right.add_argument("--detected", type=day_of, required=True, metavar="DATE")
    right.add_argument("--reason", required=True, metavar="TEXT")
    right.add_argument("--json", action="store_true")
    right.set_defaults(func=run_redate)
    replay = kinds.add_parser("replay", help="how an exposure stood on a day, and why its date was that")
    replay.add_argument("exposure", type=number_of, metavar="EXPOSURE")
    replay.add_argument("--as-of", type=day_of, required=True, metavar="DATE")
    replay.add_argument("--json", action="store_true")
    replay.set_defaults(func=run_replay)


def _add_list(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    every = kinds.add_parser(
        "list",
        help="the list with each filter of the page, also as CSV",
        description="The list with each filter of the page: several values of one widen it, --not-… leaves them out. "
        "What is open by default, unless it says what of statuses or of what is over.",
    )
    filters.add_facets(every, filters.EXPOSURES, any_of="status")
    every.add_argument("--suppressed", action="store_true", help="set aside: not affected, or accepted")
    every.add_argument("--not-suppressed", action="store_true", help="not set aside")
    every.add_argument("--due-within", metavar="DAYS", type=days_of, help="such as 7d; overdue included")
    every.add_argument("--overdue", action="store_true")
    every.add_argument("--due-from", type=day_of, metavar="DATE")
    every.add_argument("--due-to", type=day_of, metavar="DATE")
    _named(every)
    every.add_argument("--gone", action="store_true", help="what is over instead of what stands")
    every.add_argument("--sort", choices=("due", "severity", "epss", "kev", "name"), default="due")
    every.add_argument("--limit", type=int, metavar="N", help=f"{_SHOWN} by default; of --csv all")
    form = every.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true")
    form.add_argument("--csv", action="store_true", help="the columns of the page's CSV")
    every.set_defaults(func=run_list)


def _named(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--asset",
        default="",
        action=filters.Said,
        metavar="NAME",
        help="one asset, or a beginning with * after it",
    )
    parser.add_argument("--flaw", default="", action=filters.Said, metavar="ID")
    parser.add_argument("--name", default="", action=filters.Said, metavar="COMPONENT")


def _filters(parser: argparse.ArgumentParser, *, unless: str = "") -> None:
    parser.add_argument(
        "--status",
        action="append",
        default=[],
        metavar="WORD",
        help=f"open by default{unless}; all for any",
    )
    _named(parser)
    parser.add_argument("--org", default="", metavar="SLUG")


def _wanted(args: argparse.Namespace, here: Here, db: Any, *, one: bool = False) -> Any:
    """What the filters ask for. `one`: a whole name of an asset may mean no more than one of an organisation's.

    Raises:
        ConflictError: it does; the error says which.
    """
    from . import called
    from .wanted import STATUSES, Filter

    words = tuple(args.status) or (
        tuple(w for w in STATUSES if w != "open") if getattr(args, "to", "") == "open" else ("open",)
    )
    due_to = None
    if getattr(args, "overdue", False):
        due_to = here.day - timedelta(days=1)
    elif getattr(args, "due_within", None) is not None:
        due_to = here.day + timedelta(days=args.due_within)
    org = here.org(args.org, "read") if args.org else None
    assets = None
    if args.asset and not args.asset.endswith("*"):
        assets = tuple(found.asset for found in called.meant(db, args.asset, org))
        if one:
            for of in (
                [org] if org is not None else [m.org for m in here.me.memberships if "read" in m.rights]
            ):
                called.only(db, args.asset, [of])
    return Filter(
        org=org,
        flaw=args.flaw,
        flaws=_names(here, args.flaw) if args.flaw else (),
        name=args.name,
        asset_name=args.asset,
        assets=assets,
        due_to=due_to,
        yes={} if "all" in words else {"status": words},
    )


def _names(here: Here, flaw: str) -> tuple[str, ...]:
    """The ids that a name of a flaw leads to, as far as something is loaded."""
    from clearway.advisories.table import Table
    from clearway.records.errors import ConfigError

    from .flawview import led

    try:
        table = Table.of_home(here.home)
    except ConfigError:
        return led(None)(flaw)
    try:
        return led(table)(flaw)
    finally:
        table.close()


def run_exposure(args: argparse.Namespace) -> int:
    """Prints the list; returns 0."""
    with opened(args) as here:
        _catch_up(here)
        pairs = [*(("status", word) for word in args.status), *_texts(args)]
        if args.overdue or args.due_within is not None:
            pairs.append(("within", "overdue" if args.overdue else str(args.due_within)))
        with here.reading("exposure") as read:
            return _print(args, here, read, pairs, _wanted(args, here, read[0]), args.limit)


def run_list(args: argparse.Namespace) -> int:
    """Prints the list as the page narrows it, or writes it as CSV; returns 0."""
    if args.limit is not None and args.limit < 1:
        raise UsageError(f"{args.limit} lines", mend="from 1 on")
    with opened(args) as here:
        _catch_up(here)
        if args.csv:
            return _write(args, here)
        with here.reading("exposure list") as read:
            wanted = asked_of(args, here, read[0]).wanted
            return _print(
                args, here, read, _pairs(args, here), wanted, _SHOWN if args.limit is None else args.limit
            )


def asked_of(args: argparse.Namespace, here: Here, db: Any) -> Asked:
    """What the options of `exposure list` ask for, read as the same parameters of an address are.

    Raises:
        InputError: an outcome that no directive here has.
        NotFoundError: an organisation that is not the caller's.
    """
    from functools import partial

    from . import called, page_asked, tiers

    return page_asked.asked(
        [*_pairs(args, here), ("sort", args.sort)],
        here.me,
        here.day,
        leads=lambda flaw: _names(here, flaw),
        called=called.led(db),
        tiers=partial(tiers.known, db),
    )


def _pairs(args: argparse.Namespace, here: Here) -> list[tuple[str, str]]:
    """The options of `exposure list` as the parameters of an address."""
    pairs = [p for p in filters.pairs_of(args, here, filters.EXPOSURES) if p != ("status", "all")]
    if not (args.status or args.not_status or args.suppressed or args.not_suppressed or args.gone):
        pairs.append(("status", "open"))
    pairs += [(name, "yes") for name, said in (("suppressed", args.suppressed), ("suppressed!", args.not_suppressed),
                                              ("gone", args.gone)) if said]  # fmt: skip
    if args.overdue or args.due_within is not None:
        pairs.append(("within", "overdue" if args.overdue else str(args.due_within)))
    days = (("due_from", args.due_from), ("due_to", args.due_to))
    pairs += [(name, day.isoformat()) for name, day in days if day is not None]
    return pairs + _texts(args)


def _texts(args: argparse.Namespace) -> list[tuple[str, str]]:
    texts = (("asset_name", args.asset), ("flaw", args.flaw), ("name", args.name))
    return [(name, text) for name, text in texts if text]


def _write(args: argparse.Namespace, here: Here) -> int:
    """The whole list as CSV, or its first lines: a page after the other, each with its entry of the log."""
    from clearway.http import csv_out

    from . import api_lists, listing

    left, after = sys.maxsize if args.limit is None else args.limit, None
    begins, wanted = True, None
    while begins or (after is not None and left > 0):
        with here.reading("exposure list") as (db, note):
            wanted = wanted or asked_of(args, here, db).wanted
            page = listing.page(db, wanted, args.sort, after, min(left, listing.MOST))
            _note(note, _pairs(args, here), page.lines)
            shown = api_lists.items(db, here.me, page.lines)
            filters.write_csv(csv_out.of_records(api_lists.ExposureItem, shown, header=begins))
        left, begins = left - len(shown), False
        after = page.after if shown else None
    return 0


def _note(note: Note, pairs: list[tuple[str, str]], lines: Sequence[ExposureLine]) -> None:
    """Tells the log what was shown of the list that these parameters ask for."""
    from urllib.parse import urlencode

    note.listed("exposures", urlencode(pairs), (line.aud for line in lines))


def _print(
    args: argparse.Namespace,
    here: Here,
    read: tuple[Any, Note],
    pairs: list[tuple[str, str]],
    wanted: Filter,
    limit: int,
) -> int:
    import msgspec

    from . import listing

    db, note = read
    page = listing.page(db, wanted, args.sort, limit=limit)
    counts = listing.counts(db, wanted)
    _note(note, pairs, page.lines)
    labels = labels_of(db, (line.aud for line in page.lines)) if args.json else {}
    day = here.day
    if args.json:
        say_json(
            {"exposures": [told(line, labels) for line in page.lines], "counts": msgspec.to_builtins(counts)}
        )
        return 0
    for line in page.lines:
        say(_line(line, day))
    more = "" if counts.exact else " at least"
    say(f"{len(page.lines):,} of{more} {counts.total:,}")
    return 0


def _catch_up(here: Here) -> None:
    """What was ingested since is in the list: nobody else may be at work on this home that would see to it."""
    from clearway.advisories.table import Table
    from clearway.records.errors import ConfigError

    from . import follow

    try:
        table = Table.of_home(here.home)
    except ConfigError:  # nothing is loaded yet
        return
    try:
        with here.pool.owner() as owner:
            follow.follow(owner, table, here.day, here.home)
    finally:
        table.close()


def _line(x: ExposureLine, day: date) -> str:
    when = "no date   " if x.due is None else f"{x.due}"
    late = " OVERDUE" if x.due is not None and x.due < day and x.status == "open" else ""
    if late and x.before_listed:
        late = " due before it was listed here"
    fixed = f"; fixed in {', '.join(x.fixed)}" if x.fixed else ""
    fixed += " (a pre-release)" if x.fixed_prerelease else ""
    possible = " (possible)" if x.verdict == "unknown" else ""
    return plain(
        f"{x.exposure:>8}  {when} {x.tier:<4}{late}  {x.flaw}{possible}  {x.called} {x.version} on {x.asset_name}"
        f"{'' if x.status == 'open' else ' [' + x.status + ']'}{fixed}"
    )


def run_set(args: argparse.Namespace) -> int:
    """Gives a status; returns 10 when a number that was given is passed over, else 0."""
    from urllib.parse import urlencode

    from clearway.access.reading import audiences

    from . import listing, status, traces

    said = status.Decision(
        status=args.to, justification=args.justification, detail=args.detail, until=args.until,
        any_version=args.any_version,
    )  # fmt: skip
    narrowed = bool(args.asset or args.flaw or args.name)
    if not args.exposures and not narrowed:
        raise UsageError("which exposures?", mend="give their numbers, or --asset, --flaw or --name")
    if args.exposures and (narrowed or args.status or args.org):
        raise UsageError("numbers and filters together", mend="give one of the two")
    with opened(args) as here, here.reading("exposure set") as (db, note):
        status.check_last_day(args.until, here.day, "--until")
        found = (
            listing.standing(db, args.exposures)
            if args.exposures
            else listing.ids(db, _wanted(args, here, db, one=True), status.MOST + 1)
        )
        bare = traces.traces(db, found).bare if args.to == "fixed" else 0
        if args.dry_run:
            note.counted("exposures", urlencode(_texts(args)), audiences(db, "exposure", "exposure", found))
        changed = () if args.dry_run else status.decide(db, found, said)
    if args.json:
        say_json({"matched": len(found), "changed": list(changed), "dry_run": args.dry_run,
                  "without_evidence": bare})  # fmt: skip
    elif args.dry_run:
        say(f"{_exposures(len(found))} would be {args.to}")
    else:
        say(f"{_exposures(len(changed))} {'is' if len(changed) == 1 else 'are'} {args.to} now")
    missing = sorted({*args.exposures} - {*found})
    for number in missing:
        say(f"exposure/{number}: no such exposure that stands; passed over", sys.stderr)
    if bare:
        say(
            f"look for traces first: {bare:,} of them ask for it and have no volatile evidence; a patch before it "
            "loses what memory would tell, and stands in the workbook",
            sys.stderr,
        )
    return 10 if missing else 0


def _exposures(count: int) -> str:
    return f"{count:,} exposure{'' if count == 1 else 's'}"


def run_redate(args: argparse.Namespace) -> int:
    """Sets a day of detection right; returns 0."""
    from . import redate

    with opened(args) as here, here.reading("exposure redate") as (db, note):
        was, line = redate.redate(db, args.exposure, args.detected, args.reason, day=here.day)
        note(f"exposure/{args.exposure}", [line.aud])
    if args.json:
        say_json({"exposure": line.exposure, "was": f"{was}", "detected": f"{line.detected}",
                  "due": None if line.due is None else f"{line.due}"})  # fmt: skip
    else:
        say(f"{line.exposure}: detected {line.detected}, not {was}; due {line.due or 'without a date'}")
    return 0


def run_replay(args: argparse.Namespace) -> int:
    """Prints how an exposure stood on a day; returns 0."""
    import msgspec

    from . import due, listing

    with opened(args) as here, here.reading("exposure replay") as (db, note):
        note(f"exposure/{args.exposure}", [listing.one(db, args.exposure).aud])
        shown = due.replay(db, args.exposure, args.as_of)
    if args.json:
        say_json(msgspec.to_builtins(shown))
        return 0
    say(
        f"{shown.flaw}: due {shown.due or 'without a date'} ({shown.tier}, {shown.basis}) as shown on {shown.day}"
    )
    for reason in shown.again.reasons:
        say(f"  {plain(reason)}")
    return 0
