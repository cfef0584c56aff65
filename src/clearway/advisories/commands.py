"""`clearway ingest` and `clearway vuln`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from .intake import Counts

FORMATS = ("auto", "osv", "csaf", "cve", "kev", "epss", "openvex")
_REASONS_SHOWN = 10
_SOURCES_SHOWN = 15
_LEFT_SHOWN = 20


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `ingest` and `vuln`."""
    ingest = commands.add_parser(
        "ingest",
        help="take in advisories, KEV, EPSS and VEX",
        description="Takes in advisories and facts: files, folders, archives (.zip, .tar, .gz, .zst, .jsonl) or - "
        "for standard input. What is already kept is unchanged; a bad record is set aside and the rest lands. "
        "Exit code 10: something was set aside.",
    )
    ingest.add_argument("paths", nargs="*", metavar="PATH")
    ingest.add_argument("--format", choices=FORMATS, default="auto", help="default: told by content")
    ingest.add_argument(
        "--rejects", metavar="FILE", help="write place and reason of what was set aside, as JSON lines"
    )
    ingest.add_argument(
        "--rebuild", action="store_true", help="compile the advisory table anew, even without PATH"
    )
    ingest.add_argument(
        "--accept-smaller", action="store_true",
        help="take in what takes back or dates anew much of a catalogue or a source, this once",
    )  # fmt: skip
    ingest.add_argument(
        "--accept-older", action="store_true",
        help="let what is given take the place of what is newer, this once: the cure for a wrong file",
    )  # fmt: skip
    ingest.add_argument("--json", action="store_true")
    ingest.set_defaults(func=run_ingest)
    vuln = commands.add_parser(
        "vuln",
        help="one flaw: sources, disagreements, timeline",
        description="One flaw by any of its names: what each source says, where they disagree, and its dated facts.",
    )
    vuln.add_argument("id", metavar="ID")
    vuln.add_argument("--json", action="store_true")
    vuln.set_defaults(func=run_vuln)


def run_ingest(args: argparse.Namespace) -> int:
    """Takes records in and compiles the table; returns 0, or 10 when something was set aside."""
    from clearway.records.errors import UsageError

    if not args.paths and not args.rebuild:
        raise UsageError(
            "nothing to take in", mend="name files, folders or archives, or - for standard input"
        )
    counts = ingest(args.home, args.paths, forced="" if args.format == "auto" else args.format,
                    rebuild=args.rebuild, accept_smaller=args.accept_smaller,
                    accept_older=args.accept_older, quiet=args.quiet)  # fmt: skip
    if args.rejects:
        _write_rejects(args.rejects, counts)
    if args.json:
        import msgspec

        sys.stdout.write(msgspec.json.encode(summary(counts)).decode() + "\n")
    else:
        if args.paths:
            _print_counts(counts)
        _print_table(args.home)
    return 10 if counts.set_aside else 0


def ingest(
    home: Path,
    paths: list[str],
    *,
    forced: str = "",
    rebuild: bool = False,
    accept_smaller: bool = False,
    accept_older: bool = False,
    quiet: bool = False,
) -> Counts:
    """Takes `paths` into the database of `home` and brings its table up to date.

    What takes back much of a catalogue or a source is set aside, unless `accept_smaller`. What is older than what
    stands takes no place, unless `accept_older`.
    """
    from clearway.records.clock import SystemClock
    from clearway.store import server
    from clearway.store.connect import translated

    from .keep import Keeper

    with server.lease(home) as url, translated(), Keeper(url, home, SystemClock()) as keeper:
        return keeper.take_in(
            paths, forced=forced, rebuild=rebuild, accept_smaller=accept_smaller,
            accept_older=accept_older, progress=None if quiet else _Bar(),
        )  # fmt: skip


class _Bar:
    """One line on standard error, only where that is a terminal."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()

    def __call__(self, counts: Counts) -> None:
        if self._shown:
            sys.stderr.write(
                f"\r{counts.read:,} read: {counts.new:,} new, {counts.changed:,} changed, "
                f"{counts.unchanged:,} unchanged, {counts.skipped:,} skipped, {counts.set_aside:,} set aside "
            )
            sys.stderr.flush()

    def say(self, text: str) -> None:
        """A step that takes its time, told once."""
        end = "\r" if self._shown else ""
        print(f"{end}{text}", file=sys.stderr)


def summary(counts: Counts) -> dict[str, Any]:
    """The counts as the `--json` object (schema: `schemas/ingest.schema.json`)."""
    return {
        "read": counts.read,
        "new": counts.new,
        "changed": counts.changed,
        "unchanged": counts.unchanged,
        "skipped": counts.skipped,
        "set_aside": counts.set_aside,
        "by_source": dict(sorted(counts.by_source.items())),
        "rejects": [{"place": p, "reason": r} for p, r in counts.rejects],
        "notes": counts.notes,
        "older": counts.older,
        "silent": dict(sorted(counts.silent.items())),
        "left": dict(sorted(counts.left.items())),
        "later": dict(sorted(counts.later.items())),
        "earlier": dict(sorted(counts.earlier.items())),
    }


def _print_counts(counts: Counts) -> None:
    from clearway.records.text import plain

    older = f" ({counts.older:,} older than what is in force: not taken)" if counts.older else ""
    print(
        f"read {counts.read:,}: {counts.new:,} new, {counts.changed:,} changed, {counts.unchanged:,} unchanged{older}, "
        f"{counts.skipped:,} skipped (not a record), {counts.set_aside:,} set aside"
    )
    ranked = sorted(counts.by_source.items(), key=lambda s: (-sum(s[1].values()), s[0]))
    for source, line in ranked[:_SOURCES_SHOWN]:
        numbers = " ".join(f"{line[word]:>8,} {word}" for word in ("new", "changed", "unchanged"))
        print(f"  {plain(source, 60):<24} {numbers}")
    if len(ranked) > _SOURCES_SHOWN:
        print(f"  and {len(ranked) - _SOURCES_SHOWN:,} more sources; --json lists them")
    for what, told in (
        ("no longer listed by", counts.left),
        ("listed with a later date by", counts.later),
        ("listed with an earlier date by", counts.earlier),
        ("taken back by", counts.silent),
    ):
        for source, ids in sorted(told.items()):
            rest = len(ids) - _LEFT_SHOWN
            more = f" and {rest:,} more; --json lists them" if rest > 0 else ""
            shown = ", ".join(plain(one, 60) for one in ids[:_LEFT_SHOWN])
            print(f"{what} {plain(source, 60)}: {len(ids):,}: {shown}{more}")
    for place, reason in counts.rejects[:_REASONS_SHOWN]:
        print(f"set aside: {plain(place)}: {plain(reason)}", file=sys.stderr)
    if len(counts.rejects) > _REASONS_SHOWN:
        print(
            f"and {len(counts.rejects) - _REASONS_SHOWN:,} more; --rejects FILE lists them", file=sys.stderr
        )
    for note in counts.notes[:_REASONS_SHOWN]:
        print(f"note: {plain(note)}", file=sys.stderr)


def _print_table(home: Path) -> None:
    from .table import Table

    meta = Table.of_home(home).meta
    print(
        f"the advisory table holds {meta.records:,} records of {len(meta.sources):,} sources and {meta.flaws:,} flaws"
    )


def _write_rejects(path: str, counts: Counts) -> None:
    import json
    from pathlib import Path as File

    from clearway.records.errors import UpstreamError

    lines = "".join(
        json.dumps({"place": p, "reason": r}, ensure_ascii=False) + "\n" for p, r in counts.rejects
    )
    try:
        File(path).write_text(lines, encoding="utf-8")
    except OSError as error:
        raise UpstreamError(
            f"can't be written: {error.strerror}", where=path, mend="name another file"
        ) from None


def run_vuln(args: argparse.Namespace) -> int:
    """Prints one flaw; raises NotFoundError for an id that nothing loaded names."""
    from .table import Table
    from .view import show, view

    found = view(Table.of_home(args.home), args.id)
    if args.json:
        import msgspec

        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    else:
        show(found, sys.stdout)
    return 0
