"""`clearway inventory …`, `clearway exposure …` and `clearway fleet …`: the kept fleet from the command line.

On an embedded home they act as its local administrator; elsewhere as who holds CLEARWAY_TOKEN.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from clearway.records.errors import InputError, NotFoundError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from clearway.advisories.table import Table
    from clearway.records.principal import Principal
    from clearway.store.principal import Pool

    from .listing import ExposureLine

_EXPOSED = ("public", "internal", "unknown")
_ENVIRONMENTS = ("production", "development", "unknown")
_SHOWN = 50


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `inventory`, `exposure` and `fleet`."""
    _inventory(commands)
    _exposure(commands)
    fleet = commands.add_parser(
        "fleet", help="the kept fleet as a whole", description="The kept fleet as a whole."
    )
    kinds = fleet.add_subparsers(dest="fleet_command", required=True, metavar="COMMAND")
    again = kinds.add_parser(
        "rematch", help="match everything anew", description="Matches every component of every fleet anew."
    )
    again.add_argument("--engine", choices=("duckdb", "spark"), default="duckdb")
    again.add_argument(
        "--master", default="", metavar="WHERE", help="Spark's: local[2] (default), yarn, spark://…"
    )
    again.add_argument("--json", action="store_true")
    again.set_defaults(func=run_rematch)
    setting = kinds.add_parser("setting", help="by which directive, policy and option dates are counted")
    setting.add_argument("--directive", default="", metavar="NAME")
    setting.add_argument("--policy", default="", metavar="NAME")
    setting.add_argument("--retier", default="", metavar="NAME")
    setting.add_argument("--org", default="", metavar="SLUG")
    setting.add_argument("--json", action="store_true")
    setting.set_defaults(func=run_setting)
    follow = kinds.add_parser("follow", help="bring exposures up to the advisories and the day")
    follow.add_argument("--json", action="store_true")
    follow.set_defaults(func=run_follow)


def _inventory(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    room = commands.add_parser(
        "inventory", help="what assets hold", description="What assets hold, and what re-uploads change."
    )
    kinds = room.add_subparsers(dest="inventory_command", required=True, metavar="COMMAND")
    add = kinds.add_parser(
        "add",
        help="take inventories in",
        description="Takes inventories in: SBOMs, package and product lists, scanner and agent exports; files, folders "
        "or archives. A second one of the same asset shows the difference.",
    )
    add.add_argument("inventory", nargs="+", metavar="SBOM")
    add.add_argument(
        "--asset", default="", metavar="NAME", help="default: what the document says, or the file's name"
    )
    _about_asset(add)
    add.set_defaults(func=run_add)
    watch = kinds.add_parser(
        "watch",
        help="take in what appears in a folder",
        description="Takes in what appears or changes in a folder.",
    )
    watch.add_argument("folder", metavar="FOLDER")
    watch.add_argument("--every", type=float, default=10.0, metavar="SECONDS")
    watch.add_argument("--once", action="store_true", help="look once and end")
    _about_asset(watch)
    watch.set_defaults(func=run_watch, asset="")
    listing = kinds.add_parser("list", help="assets and what is open on them")
    listing.add_argument("--name", default="", help="one asset, or a beginning with * after it")
    listing.add_argument("--org", default="", metavar="SLUG")
    listing.add_argument("--json", action="store_true")
    listing.set_defaults(func=run_list)
    show = kinds.add_parser("show", help="one asset: its inventories and what it holds")
    show.add_argument("asset", metavar="ASSET")
    show.add_argument("--org", default="", metavar="SLUG")
    show.add_argument("--json", action="store_true")
    show.set_defaults(func=run_show)
    diff = kinds.add_parser("diff", help="what one inventory changed; the newest of an asset by default")
    diff.add_argument("asset", metavar="ASSET")
    diff.add_argument("--inventory", type=int, default=0, metavar="N")
    diff.add_argument("--org", default="", metavar="SLUG")
    diff.add_argument("--json", action="store_true")
    diff.set_defaults(func=run_diff)


def _about_asset(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--exposure", choices=_EXPOSED, default="", help="of the asset; unknown counts as public"
    )
    parser.add_argument("--environment", choices=_ENVIRONMENTS, default="")
    parser.add_argument("--owner", default="", metavar="WHO")
    parser.add_argument(
        "--witness", default="", metavar="TOOL", help="which tool saw it (default: by the document)"
    )
    parser.add_argument(
        "--detected", metavar="DATE", type=_day, help="when a scan first saw its flaws (default: today)"
    )
    parser.add_argument(
        "--org", default="", metavar="SLUG", help="default: the only organisation you operate"
    )
    parser.add_argument("--distro", default="", metavar="NAME")
    parser.add_argument("--json", action="store_true")


def _exposure(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    room = commands.add_parser(
        "exposure",
        help="what is affected, and due when",
        description="What is affected, and due when. Without a sub-command, the list by due date.",
    )
    room.add_argument(
        "--due-within", metavar="DAYS", type=_days, default=None, help="such as 7d; overdue included"
    )
    room.add_argument("--overdue", action="store_true")
    _filters(room)
    room.add_argument("--sort", choices=("due", "severity", "epss", "kev", "name"), default="due")
    room.add_argument("--limit", type=int, default=_SHOWN, metavar="N")
    room.add_argument("--json", action="store_true")
    room.set_defaults(func=run_exposure)
    kinds = room.add_subparsers(dest="exposure_command", metavar="COMMAND")
    setting = kinds.add_parser("set", help="give exposures a status", description="Gives exposures a status.")
    setting.add_argument(
        "exposures", nargs="*", type=int, metavar="EXPOSURE", help="numbers; or the filters below"
    )
    _filters(setting)
    setting.add_argument(
        "--to", required=True, choices=("open", "mitigated", "fixed", "not_affected", "accepted")
    )
    setting.add_argument("--justification", default="", metavar="WORD", help="of not_affected (OpenVEX)")
    setting.add_argument("--detail", default="", metavar="TEXT")
    setting.add_argument("--until", type=_day, metavar="DATE")
    setting.add_argument("--any-version", action="store_true", help="for later versions of the component too")
    setting.add_argument("--dry-run", action="store_true", help="say how many, and do nothing")
    setting.add_argument("--json", action="store_true")
    setting.set_defaults(func=run_set)
    replay = kinds.add_parser("replay", help="how an exposure stood on a day, and why its date was that")
    replay.add_argument("exposure", type=int, metavar="EXPOSURE")
    replay.add_argument("--as-of", type=_day, required=True, metavar="DATE")
    replay.add_argument("--json", action="store_true")
    replay.set_defaults(func=run_replay)


def _filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--status", action="append", default=[], metavar="WORD", help="open by default; all for any"
    )
    parser.add_argument(
        "--asset", default="", metavar="NAME", help="one asset, or a beginning with * after it"
    )
    parser.add_argument("--flaw", default="", metavar="ID")
    parser.add_argument("--name", default="", metavar="COMPONENT")
    parser.add_argument("--org", default="", metavar="SLUG")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is not a day", mend="write YYYY-MM-DD") from None


def _days(text: str) -> int:
    number = text.removesuffix("d")
    if not number.isascii() or not number.isdigit() or len(number) > 5:
        raise UsageError(f"{text!r} is not a number of days", mend="write 7d")
    return int(number)


class _Here(NamedTuple):
    """Who acts on this home, and today."""

    pool: Pool
    key: str
    me: Principal
    day: date
    home: Any

    def org(self, slug: str, right: Any = "operate") -> int:
        """The organisation of that slug, or the only one where the caller has the right."""
        found = [m for m in self.me.memberships if right in m.rights and slug in ("", m.slug)]
        if len(found) == 1:
            return found[0].org
        if not found:
            raise NotFoundError(
                f"no organisation {slug!r} of yours" if slug else "you operate for no organisation"
            )
        raise UsageError(
            "for which organisation?", mend="--org " + ", ".join(sorted(m.slug for m in found)[:5])
        )


@contextmanager
def _here(args: argparse.Namespace) -> Iterator[_Here]:
    import msgspec

    from clearway.access import local
    from clearway.records.errors import AuthenticationError
    from clearway.records.principal import Principal as Person
    from clearway.store import server
    from clearway.store.migrate import migrate
    from clearway.store.principal import Pool

    now = datetime.now(UTC)
    with server.lease(args.home) as url:
        migrate(url)
        key = local.key(url, args.home, now=now)
        with Pool(url, size=2) as pool:
            with pool.acting(key) as db:
                row = db.execute("select clearway.whoami()::text").fetchone()
            if row is None or row[0] is None:
                raise AuthenticationError("the token is not valid", mend="set CLEARWAY_TOKEN")
            yield _Here(pool, key, msgspec.json.decode(row[0], type=Person), now.date(), args.home)


def run_add(args: argparse.Namespace) -> int:
    """Takes inventories in; returns 10 when something was set aside, else 0."""
    from clearway.advisories.table import Table
    from clearway.formats.archive import Refused

    table = Table.of_home(args.home)
    answers: list[dict[str, Any]] = []
    aside = 0
    with _here(args) as here:
        org = here.org(args.org)
        for place, data in _pieces(args.inventory):
            if isinstance(data, Refused):
                aside += 1
                _say(f"set aside: {_plain(data.place)}: {_plain(data.reason)}", sys.stderr)
                continue
            try:
                answers += _take(here, table, org, args, place, data)
            except InputError as error:
                aside += 1
                _say(f"set aside: {_plain(str(error))}", sys.stderr)
        with here.pool.owner() as owner:
            from . import marked

            marked.pending(owner, here.day)
    if not answers and not aside:
        raise UsageError(
            "no inventory among the files named", mend="name an SBOM, a package list or a scanner's export"
        )
    if args.json:
        _json(answers)
    else:
        for a in answers:
            _say(_added(a))
    return 10 if aside else 0


def _added(a: dict[str, Any]) -> str:
    if a["unchanged"]:
        return f"{_plain(a['asset'])}: unchanged"
    return (
        f"{_plain(a['asset'])}: {a['components']:,} components, {a['added']:,} added, {a['removed']:,} removed; "
        f"{a['appeared']:,} new exposures, {a['ended']:,} ended"
    )


def _pieces(paths: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """(place, bytes or Refused): plain files as they are, folders and archives by member."""
    from clearway.formats.archive import Refused, walk

    for piece in walk(list(paths)):
        yield (piece.place, piece) if isinstance(piece, Refused) else (piece.place, piece.data)


def _take(
    here: _Here, table: Table, org: int, args: argparse.Namespace, place: str, data: bytes
) -> list[dict[str, Any]]:
    from pathlib import Path

    from msgspec.structs import replace

    from clearway.formats.observed import read_fleet

    from . import observe

    found = read_fleet(data, place, args.distro)
    for row in found.set_aside[:5]:
        _say(f"note: {_plain(row.place)}: {_plain(row.reason)}", sys.stderr)
    if args.asset and len(found.observed) > 1:
        raise InputError(f"speaks of {len(found.observed):,} assets", where=place, mend="leave --asset out")
    answers = []
    for seen in found.observed:
        name = args.asset or (Path(place).stem if seen.name in ("", place) else seen.name)
        seen = replace(seen, name=name)
        if args.exposure:
            seen = replace(
                seen, exposure="" if args.exposure == "unknown" else args.exposure, exposure_by="command line"
            )
        if args.environment:
            seen = replace(seen, environment=args.environment)
        if args.owner:
            seen = replace(seen, owner=args.owner)
        if args.witness:
            seen = replace(seen, witness=replace(seen.witness, tool=args.witness))
        (done,) = observe.observe(
            here.pool, here.key, table, org, [seen], data, here.day, detected=args.detected
        )
        answers.append({"asset": done.name, "asset_id": done.asset, "made": done.made, **_counts(done.taken)})
    return answers


def _counts(taken: Any) -> dict[str, Any]:
    return {
        "inventory": taken.inventory,
        "components": taken.components,
        "added": taken.added,
        "removed": taken.removed,
        "appeared": len(taken.appeared),
        "ended": taken.ended,
        "unchanged": taken.unchanged,
    }


def run_watch(args: argparse.Namespace) -> int:
    """Takes in what appears in a folder until it is interrupted; a file that is being written is left for later."""
    import time
    from pathlib import Path

    from clearway.advisories.live_table import LiveTable
    from clearway.advisories.table import TABLE_FILE

    folder = Path(args.folder)
    if not folder.is_dir():
        raise NotFoundError("no such folder", where=args.folder, mend="check the path")
    tables = LiveTable(args.home / TABLE_FILE)
    taken: dict[str, tuple[int, int]] = {}
    seen: dict[str, tuple[int, int]] = {}
    aside = 0
    with _here(args) as here:
        org = here.org(args.org)
        while True:
            for path in sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(".")):
                status = path.stat()
                stamp = (status.st_mtime_ns, status.st_size)
                still = args.once or seen.get(str(path)) == stamp  # the same at two looks: nobody writes it
                seen[str(path)] = stamp
                if not still or taken.get(str(path)) == stamp:
                    continue
                taken[str(path)] = stamp
                try:
                    for a in _take(here, tables.current(), org, args, str(path), path.read_bytes()):
                        _say(_added(a))
                except InputError as error:
                    aside += 1
                    _say(f"set aside: {_plain(str(error))}", sys.stderr)
            if args.once:
                return 10 if aside else 0
            time.sleep(args.every)


def run_list(args: argparse.Namespace) -> int:
    """Prints the assets; returns 0."""
    import msgspec

    from . import asset

    with _here(args) as here, here.pool.acting(here.key) as db:
        org = here.org(args.org, "read") if args.org else None
        found = asset.page(db, org=org, name=args.name, limit=1_000)
    if args.json:
        _json([msgspec.to_builtins(x) for x in found])
        return 0
    for x in found:
        due = f", next due {x.earliest}" if x.earliest else ""
        _say(
            f"{x.asset.asset:>6}  {_plain(x.asset.name)}  {x.asset.exposure}, {x.asset.details.environment}: "
            f"{x.components:,} components, {x.open:,} open{due}"
        )
    return 0


def _asset(here: _Here, db: Any, text: str, slug: str) -> Any:
    from . import asset

    if text.isascii() and text.isdigit():
        return asset.one(db, int(text))
    orgs = [m.org for m in here.me.memberships if "read" in m.rights and slug in ("", m.slug)]
    found = [a for org in orgs if (a := asset.find(db, org, text)) is not None]
    if not found:
        raise NotFoundError(f"no asset {text!r}", mend="`clearway inventory list` names them")
    return found[0]


def run_show(args: argparse.Namespace) -> int:
    """Prints one asset; returns 0."""
    import msgspec

    from . import asset, inventory

    with _here(args) as here, here.pool.acting(here.key) as db:
        found = _asset(here, db, args.asset, args.org)
        documents = inventory.of_asset(db, found.asset)
        held = inventory.held(db, found.asset)
        said = asset.exposures_said(db, found.asset)
    if args.json:
        _json({"asset": msgspec.to_builtins(found), "exposures": msgspec.to_builtins(said),
               "inventories": msgspec.to_builtins(documents), "components": msgspec.to_builtins(held)})  # fmt: skip
        return 0
    _say(f"{_plain(found.name)}: {found.exposure}, {found.details.environment}; {len(held):,} components")
    for d in documents[:10]:
        _say(
            f"  {d.received:%Y-%m-%d %H:%M} UTC  {_plain(d.witness)}: {d.components:,} components, "
            f"{d.added:,} added, {d.removed:,} removed{'' if d.current else ' (replaced)'}"
        )
    return 0


def run_diff(args: argparse.Namespace) -> int:
    """Prints what an inventory changed; returns 0."""
    import msgspec

    from . import inventory

    with _here(args) as here, here.pool.acting(here.key) as db:
        found = _asset(here, db, args.asset, args.org)
        documents = inventory.of_asset(db, found.asset)
        if not documents:
            raise NotFoundError("no inventory of it yet", where=found.name)
        chosen = args.inventory or documents[0].inventory
        if chosen not in {d.inventory for d in documents}:
            raise NotFoundError(f"no inventory {chosen} of it", where=found.name)
        difference = inventory.difference(db, chosen)
    if args.json:
        _json(msgspec.to_builtins(difference))
        return 0
    for mark, rows in (("+", difference.added), ("-", difference.removed)):
        for h in rows:
            _say(f"{mark} {_plain(h.name)} {_plain(h.version)} ({_plain(h.ecosystem)})")
    for c in difference.changed:
        _say(f"~ {_plain(c.name)} {_plain(', '.join(c.before))} -> {_plain(', '.join(c.after))}")
    _say(f"{difference.appeared:,} new exposures, {difference.ended:,} ended")
    return 0


def _wanted(args: argparse.Namespace, here: _Here) -> Any:
    from .wanted import Filter

    words = tuple(args.status) or ("open",)
    due_to = None
    if getattr(args, "overdue", False):
        due_to = here.day - timedelta(days=1)
    elif getattr(args, "due_within", None) is not None:
        due_to = here.day + timedelta(days=args.due_within)
    return Filter(
        org=here.org(args.org, "read") if args.org else None,
        flaw=args.flaw,
        name=args.name,
        asset_name=args.asset,
        due_to=due_to,
        yes={} if "all" in words else {"status": words},
    )


def run_exposure(args: argparse.Namespace) -> int:
    """Prints the list; returns 0."""
    import msgspec

    from . import listing

    with _here(args) as here:
        _catch_up(here)
        with here.pool.acting(here.key) as db:
            wanted = _wanted(args, here)
            page = listing.page(db, wanted, args.sort, limit=args.limit)
            counts = listing.counts(db, wanted)
            day = here.day
    if args.json:
        _json({"exposures": msgspec.to_builtins(page.lines), "counts": msgspec.to_builtins(counts)})
        return 0
    for line in page.lines:
        _say(_line(line, day))
    more = "" if counts.exact else " at least"
    _say(f"{len(page.lines):,} of{more} {counts.total:,}")
    return 0


def _catch_up(here: _Here) -> None:
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
    fixed = f"; fixed in {', '.join(x.fixed)}" if x.fixed else ""
    possible = " (possible)" if x.verdict == "unknown" else ""
    return _plain(
        f"{x.exposure:>8}  {when} {x.tier:<4}{late}  {x.flaw}{possible}  {x.name} {x.version} on {x.asset_name}"
        f"{'' if x.status == 'open' else ' [' + x.status + ']'}{fixed}"
    )


def run_set(args: argparse.Namespace) -> int:
    """Gives a status; returns 0."""
    from . import listing, status

    said = status.Decision(
        status=args.to, justification=args.justification, detail=args.detail, until=args.until,
        any_version=args.any_version,
    )  # fmt: skip
    if not args.exposures and not (args.asset or args.flaw or args.name):
        raise UsageError("which exposures?", mend="give their numbers, or --asset, --flaw or --name")
    with _here(args) as here, here.pool.acting(here.key) as db:
        found = args.exposures or listing.ids(db, _wanted(args, here), status.MOST + 1)
        changed = () if args.dry_run else status.decide(db, found, said)
    if args.json:
        _json({"matched": len(found), "changed": list(changed), "dry_run": args.dry_run})
    elif args.dry_run:
        _say(f"{len(found):,} exposures would be {args.to}")
    else:
        _say(f"{len(changed):,} exposures are {args.to} now")
    return 0


def run_replay(args: argparse.Namespace) -> int:
    """Prints how an exposure stood on a day; returns 0."""
    import msgspec

    from . import due

    with _here(args) as here, here.pool.acting(here.key) as db:
        shown = due.replay(db, args.exposure, args.as_of)
    if args.json:
        _json(msgspec.to_builtins(shown))
        return 0
    _say(
        f"{shown.flaw}: due {shown.due or 'without a date'} ({shown.tier}, {shown.basis}) as shown on {shown.day}"
    )
    for reason in shown.again.reasons:
        _say(f"  {_plain(reason)}")
    return 0


def run_setting(args: argparse.Namespace) -> int:
    """Shows or chooses by what an organisation's dates are counted; returns 0."""
    from . import due, setting

    moved = 0
    with _here(args) as here, here.pool.acting(here.key) as db:
        org = here.org(args.org)
        before = setting.of(db, org)
        if args.directive or args.policy or args.retier:
            chosen = due.Setting(args.directive or before.directive, args.policy, args.retier)
            moved = setting.choose(db, org, chosen, here.day)
        now = setting.of(db, org)
    if args.json:
        _json({**now._asdict(), "dated": moved})
    else:
        _say(
            f"{now.directive}, policy {now.policy or 'default'}, {now.retier or 'default'}; {moved:,} dates moved"
        )
    return 0


def run_follow(args: argparse.Namespace) -> int:
    """Brings exposures up to the table and the day; returns 0."""
    import msgspec

    from clearway.advisories.table import Table

    from . import follow, marked

    table = Table.of_home(args.home)
    with _here(args) as here, here.pool.owner() as owner:
        done = follow.follow(owner, table, here.day, here.home)
        follow.tick(owner, here.day)
        marked.pending(owner, here.day)
    if args.json:
        _json(msgspec.to_builtins(done))
    else:
        _say(f"{done.versions:,} versions asked about; {done.appeared:,} new exposures, {done.ended:,} ended")
    return 0


def run_rematch(args: argparse.Namespace) -> int:
    """Matches everything anew; returns 0."""
    import msgspec

    from clearway.advisories.table import Table

    from . import follow, rematch
    from .engine import engine_of

    engine = engine_of(args.engine, args.master)
    table = Table.of_home(args.home)
    with _here(args) as here, here.pool.owner() as owner:
        follow.follow(owner, table, here.day, here.home)
        done = rematch.rematch(owner, table, here.home, here.day, engine=engine)
    if args.json:
        _json(msgspec.to_builtins(done))
    else:
        _say(
            f"{done.versions:,} versions matched anew, {done.judged:,} of them one by one: {done.changed:,} answered "
            f"otherwise; {done.appeared:,} new exposures, {done.ended:,} ended"
        )
    return 0


def _json(value: Any) -> None:
    import msgspec

    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")


def _say(text: str, stream: Any = None) -> None:
    print(text, file=stream or sys.stdout)


def _plain(text: str) -> str:
    from clearway.records.text import plain

    return plain(text)
