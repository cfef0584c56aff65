"""`clearway inventory add` and `watch`: documents taken in."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from clearway.records.errors import InputError, NotFoundError, UsageError
from clearway.records.text import plain

from .commands_here import Here, day_of, opened, say, say_json

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from clearway.advisories.table import Table, VexClaim


EXPOSED = ("public", "internal", "unknown")
_SHOWN = 5  # rows set aside, of one document
_JUDGED = 100  # assets of one document of which is said what could not be judged
ENVIRONMENTS = ("production", "development", "unknown")


def about_asset(parser: argparse.ArgumentParser) -> None:
    """The options that say what is known of an asset beside its document."""
    parser.add_argument(
        "--exposure", choices=EXPOSED, default="", help="of the asset; unknown counts as public"
    )
    parser.add_argument("--environment", choices=ENVIRONMENTS, default="")
    parser.add_argument("--owner", default="", metavar="WHO")
    parser.add_argument(
        "--witness", default="", metavar="TOOL", help="which tool saw it (default: by the document)"
    )
    parser.add_argument(
        "--detected", metavar="DATE", type=day_of, help="when a scan first saw its flaws (default: today)"
    )
    parser.add_argument(
        "--org", default="", metavar="SLUG", help="default: the only organisation you operate"
    )
    parser.add_argument("--distro", default="", metavar="NAME")
    parser.add_argument("--json", action="store_true")


def run_add(args: argparse.Namespace) -> int:
    """Takes inventories in; returns 10 when something was set aside, else 0."""
    from clearway.advisories.table import Table
    from clearway.formats.archive import Refused

    table = Table.of_home(args.home)
    answers: list[dict[str, Any]] = []
    aside = 0
    with opened(args) as here:
        org = here.org(args.org)
        given = _given(args.apply_vex)
        for place, data in _pieces(args.inventory):
            if isinstance(data, Refused):
                aside += 1
                say(f"set aside: {plain(data.place)}: {plain(data.reason)}", sys.stderr)
                continue
            try:
                taken, refused = _take(here, table, org, args, place, data, given)
                answers += taken
                aside += refused
            except InputError as error:
                aside += 1
                say(f"set aside: {plain(str(error))}", sys.stderr)
        with here.pool.owner() as owner:
            from . import marked

            marked.pending(owner, here.day)
    if not answers and not aside:
        raise UsageError(
            "no inventory among the files named", mend="name an SBOM, a package list or a scanner's export"
        )
    if args.json:
        say_json(answers)
    else:
        for a in answers:
            say(_added(a))
    return 10 if aside else 0


def _given(paths: Sequence[str]) -> list[VexClaim]:
    """The statements in VEX documents, as `clearway match --apply-vex` reads them."""
    if not paths:
        return []
    from clearway.exposure.vex import claims_in, read_documents

    return [claim for document in read_documents(paths) for claim in claims_in(document)]


def _added(a: dict[str, Any]) -> str:
    bare = f"; {plain(a['unjudged'])}" if a["unjudged"] else ""
    if a["unchanged"]:
        return f"{plain(a['asset'])}: unchanged{bare}"
    return (
        f"{plain(a['asset'])}: {a['components']:,} components, {a['added']:,} added, {a['removed']:,} removed; "
        f"{a['appeared']:,} new exposures, {a['ended']:,} ended{bare}"
    )


def _pieces(paths: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """(place, bytes or Refused): plain files as they are, folders and archives by member."""
    from clearway.formats.archive import Refused, walk

    for piece in walk(list(paths)):
        yield (piece.place, piece) if isinstance(piece, Refused) else (piece.place, piece.data)


def _take(
    here: Here,
    table: Table,
    org: int,
    args: argparse.Namespace,
    place: str,
    data: bytes,
    given: Sequence[VexClaim] = (),
) -> tuple[list[dict[str, Any]], int]:
    """What the document changed, by asset, and how much of it was set aside."""
    from pathlib import Path

    from msgspec.structs import replace

    from clearway.formats.observed import read_fleet

    from . import asset, observe, unjudged

    found = read_fleet(data, place, args.distro)
    if args.asset and len(found.observed) > 1:
        raise InputError(f"speaks of {len(found.observed):,} assets", where=place, mend="leave --asset out")
    observed = []
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
        observed.append(seen)
    aside = [*found.set_aside]
    with here.pool.acting(here.key) as db:
        named = asset.find(db, org, args.asset) if args.asset else None
    done = observe.observe(
        here.pool, here.key, table, org, observed, data, here.day, detected=args.detected, given=given,
        whole=not found.set_aside, place=place, asset=None if named is None else named.asset, passed_over=aside,
    )  # fmt: skip
    for row in aside[:_SHOWN]:
        say(f"set aside: {plain(row.place)}: {plain(row.reason)}", sys.stderr)
    if len(aside) > _SHOWN:
        say(f"set aside: {len(aside) - _SHOWN:,} more of {plain(place)}", sys.stderr)
    with here.pool.acting(here.key) as db:
        bare = [unjudged.of_asset(db, table, one.asset, here.day).words() for one in done[:_JUDGED]]
    return [
        {"asset": one.name, "asset_id": one.asset, "made": one.made, **_counts(one.taken), "unjudged": words}
        for one, words in zip(done, [*bare, *[""] * (len(done) - len(bare))], strict=True)
    ], len(aside)


def _counts(taken: Any) -> dict[str, Any]:
    return {
        "inventory": taken.inventory,
        "components": taken.components,
        "added": taken.added,
        "removed": taken.removed,
        "appeared": len(taken.appeared),
        "ended": taken.ended,
        "dated": taken.dated,
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
    with opened(args) as here:
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
                    answers, refused = _take(here, tables.current(), org, args, str(path), path.read_bytes())
                    aside += refused
                    for a in answers:
                        say(_added(a))
                except InputError as error:
                    aside += 1
                    say(f"set aside: {plain(str(error))}", sys.stderr)
            if args.once:
                return 10 if aside else 0
            time.sleep(args.every)
