"""`clearway match` and `clearway query`.

Both answer from the compiled table alone, in a whole process of about 50 ms: what only some
runs need is imported where it is needed.
"""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, BinaryIO

from clearway.records.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from clearway.advisories.table import Table
    from clearway.records.finding import Finding
    from clearway.records.inventory import Component, Inventory

    from .match import Due, Matcher
    from .report import Report

_NOTES_SHOWN = 5
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
        type=_distro,
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


def _distro(text: str) -> str:
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

    from .reading import Unread, inventories

    chosen = [f for f in _FORMATS if getattr(args, f)]
    if len(chosen) > 1:
        raise UsageError(f"--{chosen[0]} and --{chosen[1]} together", mend="choose one output format")
    table = Table.of_home(args.home)
    matching = Matching(args, table)
    write = _writer(chosen[0] if chosen else "table", args)
    affected = set_aside = read = 0
    for item in inventories(args.inventory, args.distro):
        if isinstance(item, Unread):
            if not item.skipped:
                set_aside += 1
                print(f"set aside: {_plain(item.place)}: {_plain(item.reason)}", file=sys.stderr)
            continue
        read += 1
        for problem in item.problems[:_NOTES_SHOWN]:
            print(f"note: {_plain(item.name)}: {_plain(problem)}", file=sys.stderr)
        if len(item.problems) > _NOTES_SHOWN:
            print(f"note: and {len(item.problems) - _NOTES_SHOWN:,} more; --json lists them", file=sys.stderr)
        report = matching.report(item)
        affected += report.affected
        write.one(item, report)
    write.end()
    if not read and not set_aside:
        raise UsageError(
            "no inventory among the files named: " + ", ".join(args.inventory[:3]),
            mend="name a CycloneDX or SPDX document, or a lock file",
        )
    return 10 if set_aside else 1 if affected else 0


class Matching:
    """The options of one run, ready for many inventories."""

    def __init__(self, args: argparse.Namespace, table: Table) -> None:
        from clearway.directives import load

        from .match import Matcher

        self.table = table
        self.today = args.as_of or datetime.now(UTC).date()
        self.detected: date = args.detected or self.today
        self.detected_by = "given" if args.detected else "as_of" if args.as_of else "today"
        self.args = args
        self.directive = load(args.directive)
        self.matcher: Matcher = Matcher(table, as_of=self.today)
        self._rules = self._vex_rules()
        self._deadline = self._judging()

    def report(self, inventory: Inventory) -> Report:
        """The report of one inventory."""
        return self.matcher.match(
            inventory,
            exposure=self.args.exposure,
            detected=self.detected,
            detected_by=self.detected_by,
            rules=self._rules,
            deadline=self._deadline,
            directive=self.directive.id,
            standing=self.args.standing,
            policy=self.args.policy or self.directive.policy("").id,
        )

    def _vex_rules(self) -> list[Callable[[Inventory], Callable[[Finding, Component], Finding]]]:
        from .vex import claims_in, read_documents, rule

        given = [c for d in read_documents(self.args.apply_vex) for c in claims_in(d)]
        return [rule(self.table, given, self.today)]

    def _judging(self) -> Callable[[Finding, str], Due]:
        from clearway.directives import Judge

        from .match import Due

        judges: dict[str, Judge] = {}
        kev_loaded = bool(self.table.meta.kev)

        def deadline(finding: Finding, exposure: str) -> Due:
            judge = judges.get(exposure)
            if judge is None:
                judge = judges[exposure] = Judge(
                    self.directive,
                    self.args.policy,
                    self.args.standing,
                    exposure or "unknown",
                    self.args.detected,
                    self.today,
                    retier=self.args.retier,
                    ssvc_loaded=self.table.meta.ssvc,
                )
            cve = finding.flaw if finding.flaw.startswith("CVE-") else ""
            answer = judge.due(cve, finding.kev, kev_loaded, finding.ssvc)
            reasons = (*((answer.wording,) if answer.wording else ()), *answer.reasons)
            return Due(self.directive.id, answer.due, answer.tier, answer.basis, reasons)

        return deadline


class _Writer:
    """Where reports go, one by one as they are made."""

    def one(self, inventory: Inventory, report: Report) -> None:
        raise NotImplementedError

    def end(self) -> None:
        sys.stdout.flush()


class _Json(_Writer):
    """One object for one inventory; an array for several, begun when the second comes, and for none."""

    def __init__(self) -> None:
        self._first: bytes | None = None
        self._many = False

    def one(self, inventory: Inventory, report: Report) -> None:
        from .as_json import report_bytes

        out = sys.stdout.buffer
        body = report_bytes(report)
        if self._first is None and not self._many:
            self._first = body
            return
        if not self._many:
            out.write(b"[" + (self._first or b""))
            self._many, self._first = True, None
        out.write(b",\n" + body)

    def end(self) -> None:
        out = sys.stdout.buffer
        if self._many:
            out.write(b"]\n")
        elif self._first is not None:
            out.write(self._first + b"\n")
        else:  # every inventory was set aside
            out.write(b"[]\n")
        out.flush()


class _Lines(_Writer):
    def one(self, inventory: Inventory, report: Report) -> None:
        from .as_json import lines

        for line in lines(report):
            sys.stdout.buffer.write(line + b"\n")


class _Documents(_Writer):
    """One document (SARIF, VEX) for all inventories is not defined, so each is a line of its own."""

    def __init__(self, kind: str, as_of: date) -> None:
        self._kind = kind
        self._as_of = as_of

    def one(self, inventory: Inventory, report: Report) -> None:
        from .documents import write

        sys.stdout.buffer.write(write(self._kind, inventory, report) + b"\n")


class _Tables(_Writer):
    def __init__(self, everything: bool) -> None:
        self._everything = everything

    def one(self, inventory: Inventory, report: Report) -> None:
        from .as_table import show

        show(report, sys.stdout, everything=self._everything)


def _writer(kind: str, args: argparse.Namespace) -> _Writer:
    if kind == "json":
        return _Json()
    if kind == "jsonl":
        return _Lines()
    if kind == "table":
        return _Tables(args.all)
    return _Documents(kind, args.as_of)


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
