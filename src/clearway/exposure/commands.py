"""`clearway match` and `clearway query`.

Both answer from the compiled table alone, in a whole process of about 50 ms: what only some
runs need is imported where it is needed.
"""

from __future__ import annotations

import sys
from datetime import date
from typing import TYPE_CHECKING, BinaryIO

from clearway.records.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

_NOTES_SHOWN = 5
# How the readers say that a part of a document could not be used, and is in no count.
_LOST = (" is not an object", " is not a list", " (set aside)")
_FORMATS = ("json", "jsonl", "sarif", "vex", "openvex")


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `match` and `query`."""
    match = commands.add_parser(
        "match",
        help="what in these inventories is affected, why, and due when",
        description="What in these inventories is affected, on whose word, which version fixes it, and due by "
        "when. Needs no database and no network. Exit code 1: something is affected.",
    )
    match.add_argument(
        "inventory", nargs="+", metavar="SBOM", help="file, folder or archive; - is standard input"
    )
    add_judging(match)
    match.add_argument(
        "--apply-vex", action="append", default=[], metavar="FILE", help="VEX documents to apply"
    )
    match.add_argument(
        "--distro",
        default="",
        metavar="NAME",
        type=distro_of,
        help="the operating system, such as debian-12, of an inventory that names none",
    )
    match.add_argument("--json", action="store_true", help="one object, or an array for several inventories")
    match.add_argument(
        "--jsonl", action="store_true", help="one line for each inventory, finding and unknown"
    )
    match.add_argument("--sarif", action="store_true", help="SARIF 2.1.0")
    match.add_argument("--vex", action="store_true", help="CycloneDX VEX")
    match.add_argument("--openvex", action="store_true", help="OpenVEX")
    match.add_argument(
        "--all", action="store_true", help="in the table, list every flaw and every unknown component"
    )
    match.set_defaults(func=run_match)

    query = commands.add_parser(
        "query",
        help="one package, or JSON lines of them",
        description="Which records affect one package version. With --batch, one JSON line for each line "
        'of {"ecosystem": …, "name": …, "version": …} or {"purl": …}.',
    )
    query.add_argument("--ecosystem", metavar="E", help='as OSV spells it: PyPI, npm, "Debian:12"')
    query.add_argument("--name", metavar="N")
    query.add_argument("--version", metavar="V", default="")
    query.add_argument("--purl", metavar="P")
    query.add_argument("--batch", metavar="FILE", help="JSON lines; - is standard input")
    query.add_argument("--json", action="store_true", help="the answer as one JSON line")
    query.set_defaults(func=run_query)


def add_judging(parser: argparse.ArgumentParser) -> None:
    """Adds the options that decide due dates."""
    parser.add_argument(
        "--exposure",
        choices=("public", "internal", "unknown"),
        default="",
        help="of the asset; unknown counts as public",
    )
    parser.add_argument(
        "--detected", metavar="DATE", type=_day, help="when a scan first saw it (default: today)"
    )
    parser.add_argument("--as-of", metavar="DATE", type=_day, help="judge as on that day (default: today)")
    parser.add_argument("--directive", default="bod-26-04", metavar="NAME", help="default: bod-26-04")
    parser.add_argument(
        "--policy", default="", metavar="NAME", help="what missing data means; `directive show`"
    )
    parser.add_argument(
        "--retier", default="", metavar="NAME", help="how a changed tier counts; `directive show`"
    )
    parser.add_argument(
        "--standing", default="advisory", choices=("binding", "adopted", "advisory"), help="what it is to you"
    )


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is not a day", mend="write YYYY-MM-DD") from None


def distro_of(text: str) -> str:
    """The name of a distribution's release as a command is given it. Raises UsageError for one that is none."""
    if not text:  # the default, which must not cost an import
        return text
    from clearway.formats.distro import names_release

    if not names_release(text):
        raise UsageError(
            f"--distro {text!r} names no known release", mend="write debian-12, ubuntu-22.04, alma-8"
        )
    return text


def run_match(args: argparse.Namespace) -> int:
    """Matches and prints; returns 10 when some input was set aside, else 1 when something is affected, else 0."""
    from clearway.advisories.table import Table

    from .matching import Matching
    from .output import writer
    from .reading import Unread, inventories

    chosen = [f for f in _FORMATS if getattr(args, f)]
    if len(chosen) > 1:
        raise UsageError(f"--{chosen[0]} and --{chosen[1]} together", mend="choose one output format")
    table = Table.of_home(args.home)
    matching = Matching(args, table)
    write = writer(chosen[0] if chosen else "table", everything=args.all)
    affected = set_aside = read = 0
    for item in inventories(args.inventory, args.distro):
        if isinstance(item, Unread):
            if not item.skipped:
                set_aside += 1
                print(f"set aside: {_plain(item.place)}: {_plain(item.reason)}", file=sys.stderr)
            continue
        read += 1
        set_aside += any(problem.endswith(_LOST) for problem in item.problems)
        for problem in item.problems[:_NOTES_SHOWN]:
            print(f"note: {_plain(item.name)}: {_plain(problem)}", file=sys.stderr)
        if len(item.problems) > _NOTES_SHOWN:
            print(f"note: and {len(item.problems) - _NOTES_SHOWN:,} more; --json lists them", file=sys.stderr)
        report = matching.report(item)
        affected += report.affected
        write.one(item, report)
    if not read and not set_aside:
        raise UsageError(
            "no inventory among the files named: " + ", ".join(args.inventory[:3]),
            mend="name a CycloneDX or SPDX document, or a lock file",
        )
    write.end()
    return 10 if set_aside else 1 if affected else 0


def run_query(args: argparse.Namespace) -> int:
    """Prints the answer for one package, or a line for each line of a batch; returns 0, or 10 for bad lines."""
    import msgspec

    from clearway.advisories.table import Table

    from .query import ask, ask_line

    if not args.batch and not args.purl and not (args.ecosystem and args.name):
        raise UsageError("no package named", mend="give --purl, or --ecosystem and --name, or --batch")
    table = Table.of_home(args.home)
    encode = msgspec.json.Encoder().encode
    if args.batch:
        bad = 0
        for number, line in enumerate(_lines(args.batch), 1):
            answer = ask_line(table, line, f"{args.batch}:{number}")
            bad += "error" in answer
            sys.stdout.buffer.write(encode(answer) + b"\n")
        sys.stdout.buffer.flush()
        return 10 if bad else 0
    answer = ask(table, args.ecosystem or "", args.name or "", args.version, purl=args.purl or "")
    if args.json:
        sys.stdout.buffer.write(encode(answer) + b"\n")
        return 0
    what = answer.get("purl") or f"{answer['ecosystem']} {answer['name']} {answer['version']}".strip()
    print(f"{_plain(what)}: {answer['verdict']}")
    for identifier in answer["ids"]:
        print(f"  {identifier}")
    for reason in answer["reasons"]:
        print(f"  {_plain(reason)}")
    return 0


# One asked package takes a few hundred bytes; a line without end must not fill the memory.
_LINE_BYTES = 1 << 20


def _lines(path: str) -> Iterator[bytes | None]:
    """The lines of a file or of standard input; None for one over the bound."""
    from clearway.records.errors import NotFoundError

    if path == "-":
        yield from _bounded(sys.stdin.buffer)
        return
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            yield from _bounded(file)
    except OSError as error:
        raise NotFoundError(f"can't be read: {error.strerror}", where=path, mend="check the path") from None


def _bounded(file: BinaryIO) -> Iterator[bytes | None]:
    while line := file.readline(_LINE_BYTES + 1):
        if len(line) <= _LINE_BYTES:
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = file.readline(_LINE_BYTES)
        yield None


def _plain(text: str) -> str:
    from clearway.records.text import plain

    return plain(text)
