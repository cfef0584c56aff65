"""`clearway up`, `demo`, `doctor` and `bench`: what needs several rooms at once."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from clearway.records.errors import ConfigError, UsageError

if TYPE_CHECKING:
    import argparse


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `up`, `demo`, `doctor` and `bench`."""
    up = commands.add_parser(
        "up",
        help="the server: OSV-compatible API on the database",
        description="Starts the database and the API; prints the URL when ready. Ends with Ctrl-C or SIGTERM.",
    )
    up.add_argument("--demo", action="store_true", help="first load the bundled facts into an empty home")
    up.add_argument("--host", default="127.0.0.1")
    up.add_argument("--port", type=int, default=8437)
    up.set_defaults(func=run_up)
    demo = commands.add_parser(
        "demo",
        help="load the bundled facts and match the bundled inventories",
        description="The main job on bundled real data: loads the bundled facts on the first run, matches an "
        "inventory, and says what to try next.",
    )
    demo.add_argument(
        "inventory", nargs="*", metavar="SBOM", help="your own inventories instead of the bundled ones"
    )
    demo.set_defaults(func=run_demo)
    doctor = commands.add_parser("doctor", help="health of this installation and its data")
    doctor.add_argument("--json", action="store_true")
    doctor.set_defaults(func=run_doctor)
    bench = commands.add_parser(
        "bench",
        help="the benchmarks that back the README's figures",
        description="Runs one benchmark, or all; exit code 1 when a goal is missed.",
    )
    bench.add_argument("name", metavar="NAME", help=f"{BENCHMARKS}, or all")
    bench.add_argument("--json", action="store_true")
    bench.set_defaults(func=run_bench)


# Of a source checkout: what is installed comes without them.
BENCHMARKS = (
    "match, intake, query, keys, markings, ledger, jobs, api, fleet, reports, validate, dedup, leases, desk"
)


def bundled() -> Path:
    """The folder of bundled facts and demonstration inventories.

    Raises:
        ConfigError: this installation came without it.
    """
    folder = Path(__file__).resolve().parents[3] / "data"
    if not (folder / "facts").is_dir():
        raise ConfigError(
            "the bundled facts are not installed", where=str(folder), mend="run from a source checkout"
        )
    return folder


# What the bundled facts hold whole; a home that has these needs them no more.
_BUNDLED_SOURCES = frozenset({"cisa-kev", "pypa", "rustsec"})


def load_bundled(home: Path, *, quiet: bool = False) -> None:
    """Takes the bundled facts in, unless this home has them already; says what it does on standard error."""
    from clearway.advisories.commands import ingest
    from clearway.advisories.table import Table
    from clearway.advisories.vendors import bundled as vendor_map

    meta = Table.meta_of_home(home)
    if meta is not None and meta.kev and meta.vendor_map == vendor_map().edition:
        loaded = {note.source for note in meta.sources}
        if loaded >= _BUNDLED_SOURCES:
            return
    if not quiet:
        print("loading the bundled facts (first run only) …", file=sys.stderr, flush=True)
    counts = ingest(home, [str(bundled() / "facts")], quiet=quiet)
    if not quiet:
        print(
            f"loaded {counts.new + counts.changed:,} records from {len(counts.by_source)} sources",
            file=sys.stderr,
        )


def run_demo(args: argparse.Namespace) -> int:
    """Loads, matches, prints, and says what to try next; returns 0 whatever is affected."""
    from clearway.app.cli import main

    load_bundled(args.home, quiet=args.quiet)
    demo = bundled() / "demo"
    chosen = args.inventory or sorted(
        os.path.relpath(p) for p in demo.iterdir() if p.suffix in (".json", ".csv")
    )
    code = main(["--home", str(args.home), "match", *chosen])
    if code not in (0, 1, 10):
        return code
    program = f"{_program()} --home {os.path.relpath(args.home)}"
    print("Try next")
    for words, why in _NEXT:
        print(f"  {program} {words}\n      {why}")
    return 10 if code == 10 else 0


_NEXT = (
    (
        "match YOUR-SBOM.json --exposure internal",
        "your own inventory; `make run SBOM=YOUR-SBOM.json` does the same",
    ),
    ("vuln CVE-2020-11978", "one flaw: who says what, and when"),
    ("directive explain --exposed yes --kev yes --automatable no --impact total", "why a date"),
    ("query --purl pkg:pypi/django@3.2.1", "one package"),
    ("ingest PATH", "more advisories: OSV, CVE, CSAF, KEV, EPSS, VEX"),
)


def _program() -> str:
    """How to call this program from here."""
    if os.environ.get("VIRTUAL_ENV"):
        return "clearway"
    return os.path.relpath(Path(sys.prefix) / "bin" / "clearway")


def run_up(args: argparse.Namespace) -> int:
    """Serves until it is told to stop."""
    from clearway.app.server import serve

    if args.demo:
        load_bundled(args.home, quiet=args.quiet)
    serve(args.home, host=args.host, port=args.port)
    return 0


def run_doctor(args: argparse.Namespace) -> int:
    """Prints what is in order and what is not; returns 3 when something stops the main job."""
    from .doctor import examine, show

    found = examine(args.home)
    if args.json:
        import msgspec

        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    else:
        show(found, sys.stdout)
    return 0 if all(check.ok for check in found) else 3


def run_bench(args: argparse.Namespace) -> int:
    """Runs benchmarks from the source checkout; returns 1 when a goal is missed."""
    folder = Path(__file__).resolve().parents[3]
    if not (folder / "benchmarks" / "__init__.py").is_file():
        raise ConfigError(
            "the benchmarks are not installed", where=str(folder), mend="run from a source checkout"
        )
    sys.path.insert(0, str(folder))
    from benchmarks import NAMES, run

    if args.name != "all" and args.name not in NAMES:
        raise UsageError(f"no benchmark {args.name!r}", mend="one of: all, " + ", ".join(NAMES))
    return int(run(NAMES if args.name == "all" else (args.name,), as_json=args.json))
