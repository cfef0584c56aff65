"""`clearway fleet …`: the kept fleet as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .commands_here import opened, say, say_json

if TYPE_CHECKING:
    import argparse


def add_fleet(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `fleet`."""
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


def run_setting(args: argparse.Namespace) -> int:
    """Shows or chooses by what an organisation's dates are counted; returns 0."""
    from . import due, setting

    moved = 0
    with opened(args) as here, here.pool.acting(here.key) as db:
        org = here.org(args.org)
        before = setting.of(db, org)
        if args.directive or args.policy or args.retier:
            # What was not named stays; another directive has options of its own, and begins with their defaults.
            stays = args.directive in ("", before.directive)
            chosen = due.Setting(
                args.directive or before.directive,
                args.policy or (before.policy if stays else ""),
                args.retier or (before.retier if stays else ""),
            )
            moved = setting.choose(db, org, chosen, here.day)
        now = setting.of(db, org)
    if args.json:
        said = {"directive": now.directive, "policy": now.policy, "retier": now.retier}
        say_json({**said, "version": now.table.version, "dated": moved})
    else:
        table = f"{now.directive} {now.table.version}"
        say(f"{table}, policy {now.policy}, {now.retier}; {moved:,} exposures dated anew")
    return 0


def run_follow(args: argparse.Namespace) -> int:
    """Brings exposures up to the table and the day; returns 0."""
    import msgspec

    from clearway.advisories.table import Table

    from . import follow, marked, ruling, stated

    table = Table.of_home(args.home)
    with opened(args) as here:
        with here.pool.owner() as owner:
            done = follow.follow(owner, table, here.day, here.home)
            follow.tick(owner, here.day)
            marked.pending(owner, here.day)
            ruling.note(owner, here.day)
        more = True
        while more:
            with here.pool.owner() as owner:
                more = ruling.step(owner, here.day) | stated.pending(owner, table, here.day)
    if args.json:
        say_json(msgspec.to_builtins(done))
    else:
        say(f"{done.versions:,} versions asked about; {done.appeared:,} new exposures, {done.ended:,} ended")
    return 0


def run_rematch(args: argparse.Namespace) -> int:
    """Matches everything anew; returns 0."""
    import msgspec

    from clearway.advisories.table import Table

    from . import follow, rematch
    from .engine import engine_of

    engine = engine_of(args.engine, args.master)
    table = Table.of_home(args.home)
    with opened(args) as here, here.pool.owner() as owner:
        follow.follow(owner, table, here.day, here.home)
        done = rematch.rematch(owner, table, here.home, here.day, engine=engine)
    if args.json:
        say_json(msgspec.to_builtins(done))
    else:
        say(
            f"{done.versions:,} versions matched anew, {done.judged:,} of them one by one: {done.changed:,} answered "
            f"otherwise; {done.appeared:,} new exposures, {done.ended:,} ended"
        )
    return 0
