"""`clearway inventory …`: what assets hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clearway.records.errors import NotFoundError
from clearway.records.text import plain
from clearway.store.labels import labels as labels_of

from . import commands_filters as filters
from .commands_here import Here, asset_named, opened, say, say_json, table_of, told
from .commands_take import about_asset, run_add, run_watch

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from clearway.store.keyset import Condition

    from .api_asset_list import AssetItem


_PAGE = 1_000  # assets of one statement
_NAMED = 50  # exposures that a difference names without `--json`


def add_inventory(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `inventory`."""
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
        "--asset",
        default="",
        action=filters.Said,
        metavar="NAME",
        help="default: what the document says, or the file's name",
    )
    about_asset(add)
    add.add_argument(
        "--apply-vex", action="append", default=[], metavar="FILE", help="VEX documents that come with it"
    )
    add.add_argument(
        "--again",
        action="store_true",
        help="take what was replaced by a newer document, or is older than what is kept",
    )
    add.set_defaults(func=run_add)
    watch = kinds.add_parser(
        "watch",
        help="take in what appears in a folder",
        description="Takes in what appears or changes in a folder.",
    )
    watch.add_argument("folder", metavar="FOLDER")
    watch.add_argument("--every", type=float, default=10.0, metavar="SECONDS")
    watch.add_argument("--once", action="store_true", help="look once and end")
    about_asset(watch)
    watch.set_defaults(func=run_watch, asset="", apply_vex=[], again=False)
    listing = kinds.add_parser("list", help="assets and what is open on them")
    listing.add_argument(
        "--name", default="", action=filters.Said, help="one asset, or a beginning with * after it"
    )
    filters.add_facets(listing, filters.ASSETS)
    for flag in filters.FLAGS:
        listing.add_argument(f"--{flag}", choices=("yes", "no"), default="")
    listing.add_argument("--sort", choices=("added", "name", "end_of_support"), default="added")
    form = listing.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true")
    form.add_argument("--csv", action="store_true", help="the columns of the page's CSV")
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


def run_list(args: argparse.Namespace) -> int:
    """Prints the assets, or writes them as CSV; returns 0."""
    import secrets

    import msgspec
    from msgspec.structs import replace

    from clearway.http import csv_out
    from clearway.http.cursor import Sealer

    from . import asset
    from .api_asset_list import ASSETS, AssetItem

    seals = Sealer({0: secrets.token_bytes(64)})
    lines: list[dict[str, Any]] = []
    with opened(args) as here:
        asked, narrowed = _asked(args, here)
        begins = True
        while begins or asked.cursor:
            with here.reading("inventory list") as (db, note):
                page = ASSETS.read(db, here.me, asked, seals, *narrowed)
                note.page(page)
                if args.csv:
                    filters.write_csv(csv_out.of_records(AssetItem, page.items, header=begins))
                elif args.json:
                    numbers = [item.id for item in page.items]
                    whole = {x.asset.asset: x for x in asset.page(db, only=numbers, limit=_PAGE)}
                    labels = labels_of(db, (x.asset.aud for x in whole.values()))
                    lines += [
                        {**msgspec.to_builtins(x), "asset": _asset(x.asset, labels)}
                        for x in map(whole.__getitem__, numbers)
                    ]
                else:
                    _print(page.items)
            asked, begins = replace(asked, cursor=page.next), False
    if args.json:
        say_json(lines)
    return 0


def _asked(args: argparse.Namespace, here: Here) -> tuple[Any, list[Condition]]:
    """The list that the page shows, and what narrows it beside the page's filters."""
    from msgspec.structs import replace

    from clearway.store.keyset import Condition

    from . import called
    from .api_asset_list import ASSETS

    pairs = [*filters.pairs_of(args, here, filters.ASSETS), ("sort", args.sort)]
    pairs += [(flag, value) for flag in filters.FLAGS if (value := getattr(args, flag))]
    # A whole name here, or its beginning; a name in an address may be a beginning, too.
    narrowed = []
    if args.name.endswith("*"):
        narrowed = [Condition("a.name ^@ %s", args.name.removesuffix("*"))]
    elif args.name:
        with here.pool.acting(here.key) as db:
            narrowed = [Condition("a.asset = any(%s)", [*called.led(db)(args.name)])]
    return replace(ASSETS.asked_of(pairs), limit=_PAGE), narrowed


def _print(part: Iterable[AssetItem]) -> None:
    for x in part:
        due = f", next due {x.earliest}" if x.earliest else ""
        say(
            f"{x.id:>6}  {plain(x.name)}  {x.exposure}, {x.environment}: "
            f"{x.components:,} components, {x.open:,} open{due}"
        )


def run_show(args: argparse.Namespace) -> int:
    """Prints one asset; returns 0."""
    import msgspec

    from . import asset, inventory, unjudged

    with opened(args) as here, here.reading("inventory show") as (db, note):
        found = asset_named(here, db, args.asset, args.org)
        note(f"asset/{found.asset}", [found.aud])
        bare = unjudged.of_asset(db, table_of(args.home), found.asset, here.day)
        documents = inventory.of_asset(db, found.asset)
        held = inventory.held(db, found.asset)
        said = asset.exposures_said(db, found.asset)
        labels = labels_of(db, [found.aud])
    if args.json:
        say_json({"asset": _asset(found, labels), "exposures": msgspec.to_builtins(said),
               "inventories": msgspec.to_builtins(documents), "components": [told(h, {}) for h in held],
               "unjudged": msgspec.to_builtins(bare)})  # fmt: skip
        return 0
    say(f"{plain(found.name)}: {found.exposure}, {found.details.environment}; {len(held):,} components")
    if bare.count:
        say(f"  {plain(bare.words())}")
    for d in documents[:10]:
        say(
            f"  {d.received:%Y-%m-%d %H:%M} UTC  {plain(d.witness)}: {d.components:,} components, "
            f"{d.added:,} added, {d.removed:,} removed{'' if d.current else ' (replaced)'}"
        )
    return 0


def _asset(found: Any, labels: dict[int, str]) -> dict[str, Any]:
    shown = told(found, labels)
    del shown["version"]  # of the row, for who changes it
    return shown


def run_diff(args: argparse.Namespace) -> int:
    """Prints what an inventory changed; returns 0."""
    import msgspec

    from . import inventory, unjudged

    with opened(args) as here, here.reading("inventory diff") as (db, note):
        found = asset_named(here, db, args.asset, args.org)
        documents = inventory.of_asset(db, found.asset)
        if not documents:
            raise NotFoundError("no inventory of it yet", where=found.name)
        chosen = args.inventory or documents[0].inventory
        if chosen not in {d.inventory for d in documents}:
            raise NotFoundError(f"no inventory {chosen} of it", where=found.name)
        note(f"inventory/{chosen}", [found.aud])
        difference = inventory.difference(db, chosen)
        bare = unjudged.of_inventory(db, table_of(args.home), chosen, here.day, shown=100)
        difference = msgspec.structs.replace(difference, unjudged=bare)
    if args.json:
        sides = {side: [told(h, {}) for h in getattr(difference, side)] for side in ("added", "removed")}
        say_json(msgspec.to_builtins(difference) | sides)
        return 0
    for mark, rows in (("+", difference.added), ("-", difference.removed)):
        for h in rows:
            say(f"{mark} {plain(h.name)} {plain(h.version)} ({plain(h.ecosystem)})")
    for c in difference.changed:
        say(f"~ {plain(c.name)} {plain(', '.join(c.before))} -> {plain(', '.join(c.after))}")
    silenced = f"; {difference.silenced:,} not affected by its VEX" if difference.silenced else ""
    say(f"{difference.appeared:,} new exposures, {difference.ended:,} ended{silenced}")
    for word, moved in (("new", difference.new), ("ended", difference.over)):
        for m in moved[:_NAMED]:
            due = f", due {m.due}" if word == "new" and m.due else ""
            where = f" in {plain(f'{m.name} {m.version}'.strip())}" if m.name != m.flaw else ""
            say(f"  {word}: {plain(m.flaw)}{where}{due}")
        if len(moved) > _NAMED:
            say(f"  {word}: {len(moved) - _NAMED:,} more; `--json` has them")
    if bare is None:
        say("what of it could not be judged is not kept: a newer inventory has taken its place")
    elif bare.count:
        say(plain(bare.words()))
    return 0
