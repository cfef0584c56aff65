"""`clearway finding submit|check|status|supplement|withdraw`: reports from the command line."""

from __future__ import annotations

import sys
from itertools import chain
from typing import TYPE_CHECKING, Any

from clearway.access.here import opened

from ..command_parts import adder
from .commands_files import add_files
from .commands_limits import add_limits
from .commands_marks import add_marks
from .commands_receipt import add_receipt, read_bytes

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    import psycopg

    from .submit import Submission

_PACE = 1_000  # reports a minute
_SHOWN = 50


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the commands of the intake to `clearway finding`."""

    add = adder(commands)
    submit = add(
        "submit", "report findings: our own JSON, SARIF, a CSAF report, CERT/CC's form, a mail", run_submit
    )
    submit.add_argument("report", nargs="+", metavar="FILE", help="- reads from standard input")
    submit.add_argument("--org", default="", metavar="SLUG", help="default: the only one that you report for")
    submit.add_argument("--purl", default="", help="the product, where a document names none")
    submit.add_argument(
        "--test", action="store_true", help="a trial: goes no further, and is deleted after a week"
    )
    submit.add_argument(
        "--pace",
        type=int,
        default=_PACE,
        metavar="N",
        help=f"at most so many reports a minute ({_PACE:,}); 0: no pause",
    )
    submit.add_argument(
        "--receipts", default="", metavar="DIR", help="writes each receipt there, by its handling id"
    )
    check = add("check", "ask whether a flaw is public or fixed, by public records alone", run_check)
    check.add_argument("--purl", default="", help="the product, such as pkg:pypi/name@1.2.3")
    check.add_argument("--ecosystem", default="")
    check.add_argument("--name", default="", help="with --ecosystem, instead of a purl")
    check.add_argument("--version", default="", help="the release, when the purl does not say it")
    check.add_argument("--place", default="", help="file and function, such as 'src/parse.c parse_string'")
    check.add_argument("--cwe", default="", metavar="CWE-N")
    status = add("status", "how findings stand, and what they lack", run_status)
    status.add_argument(
        "handling", nargs="*", metavar="CWF-XXXX-XXXX", help="default: the newest of those you may see"
    )
    more = add("supplement", "add what a finding lacks, as JSON", run_supplement)
    more.add_argument("handling", metavar="CWF-XXXX-XXXX")
    more.add_argument(
        "file", metavar="FILE", help="any of a report's fields: trace, reproduction, ruled_out, files …"
    )
    withdraw = add("withdraw", "withdraw a finding of one's own; it can't be taken back", run_withdraw)
    withdraw.add_argument("handling", metavar="CWF-XXXX-XXXX")
    withdraw.add_argument("--why", default="")
    add_receipt(commands)
    add_files(commands)
    add_marks(commands)
    add_limits(commands)


def run_submit(args: argparse.Namespace) -> int:
    """Sends reports; 0 when each landed, 10 when some was set aside, 6 and the like when nothing could be read."""
    import time
    from pathlib import Path

    from clearway.formats.reported import read_reports
    from clearway.formats.reported_cut import cut
    from clearway.records.errors import ClearwayError, UsageError
    from clearway.records.principal import member_of
    from clearway.records.text import plain

    from .. import desk_key
    from ..desk_key import DeskKey
    from ..vault import Vault
    from . import submit

    if not 0 <= args.pace <= 1_000_000:
        raise UsageError("a pace is a number of reports a minute", where="--pace")
    folder = Path(args.receipts) if args.receipts else None
    made: list[tuple[str, int, Submission | ClearwayError]] = []
    with opened(args.home) as (pool, _, key, me):
        tools = submit.Desk(Vault.of_home(args.home), DeskKey.of_home(args.home))
        with pool.owner() as owner:
            desk_key.register(owner, tools.key)
        home = member_of(me, args.org, "submit")
        ready = 0.0  # by the monotonic clock: when the pace lets the next call be made
        for name, part, data in _parts(args.report, cut):
            rest(max(0.0, ready - time.monotonic()))
            began = time.monotonic()
            try:
                if isinstance(data, ClearwayError):
                    raise data
                document = read_reports(data, purl=args.purl, place=f"part {part}: " if part else "")
                with pool.acting(key) as db:
                    done: Submission | ClearwayError = submit.submit(
                        db, tools, home.org, data, document=document, live=not args.test, name=_label(name)
                    )
            except ClearwayError as error:
                done = error
            made.append((name, part, done))
            if not isinstance(done, ClearwayError):
                if folder is not None:
                    _keep_receipts(folder, done)
                if part and not args.quiet:
                    print(f"{plain(name)}, part {part}: {len(done.taken):,} reports", file=sys.stderr)
                ready = began + len(done.taken) * 60 / args.pace if args.pace else 0.0
    return _told_submit(args, made)


def rest(seconds: float) -> None:
    """Waits as long as the pace asks for."""
    import time

    time.sleep(seconds)


def _parts(names: list[str], cut: Callable[[bytes], Iterator[bytes]]) -> Iterator[tuple[str, int, Any]]:
    """(file, part, its bytes) of what is sent in one call each; part 0 is a whole file, and an error stands for one."""
    from clearway.records.errors import ClearwayError

    for name in names:
        try:
            parts = cut(read_bytes(name))
        except ClearwayError as error:
            yield name, 0, error
            continue
        first, second = next(parts), next(parts, None)
        if second is None:
            yield name, 0, first
            continue
        for n, data in enumerate(chain((first, second), parts), 1):
            yield name, n, data


def _told_submit(args: argparse.Namespace, made: list[tuple[str, int, Any]]) -> int:
    import msgspec

    from clearway.records.errors import ClearwayError
    from clearway.records.text import plain

    failed = [done for *_, done in made if isinstance(done, ClearwayError)]
    if len(failed) == len(made) == 1:
        raise failed[0]
    aside = 0
    lines: list[dict[str, Any]] = []
    for name, part, done in made:
        of = {"file": name, "part": part} if part else {"file": name}
        if isinstance(done, ClearwayError):
            aside += 1
            lines.append({**of, "error": str(done), "taken": [], "set_aside": []})
        else:
            aside += len(done.set_aside)
            lines.append({**of, **msgspec.to_builtins(done)})
    if args.json:
        print(msgspec.json.encode({"documents": lines}).decode())
    else:
        for line in lines:
            if line.get("error"):
                which = f", part {line['part']}" if "part" in line else ""
                print(f"{plain(line['file'])}{which}: {plain(line['error'], 800)}", file=sys.stderr)
            for taken in line["taken"]:
                lacks = ", ".join(gate["gate"] for gate in taken["missing"])
                words = f"{taken['handling']}  {taken['state']:<10}{' lacks ' + lacks if lacks else ''}"
                print(
                    words
                    + ("" if taken["new"] else "  (known before)")
                    + ("" if taken["live"] else "  (trial)")
                )
            for one in line["set_aside"]:
                print(f"set aside: {plain(one['place'], 200)}: {plain(one['reason'], 800)}", file=sys.stderr)
    return 10 if aside else 0


def run_check(args: argparse.Namespace) -> int:
    """Says what public records know; 0 whatever they say."""
    import msgspec

    from clearway.advisories.table import Table
    from clearway.records.text import plain
    from clearway.store.connect import connect
    from clearway.store.server import lease

    from . import public
    from .reach import public_records

    table = Table.of_home(args.home)
    question = public.Question(
        purl=args.purl,
        ecosystem=args.ecosystem,
        package=args.name,
        release=args.version,
        place=args.place,
        cwe=args.cwe,
    )

    def fetch(refs: public.Refs) -> Any:
        with lease(args.home) as url, connect(url) as owner:
            return public_records(owner, refs)

    found = public.ask(table, question, fetch)
    if args.json:
        print(msgspec.json.encode(found).decode())
        return 0
    print(f"{found.verdict}: {found.words}")
    for one in found.known:
        alike = [w for w, told in (("same class", one.same_class), ("same place", one.same_place)) if told]
        fixed = f", fixed in {', '.join(one.fixed)}" if one.fixed else ""
        print(
            plain(
                f"  {one.flaw:<20} {one.release}{fixed}{'; ' + ' and '.join(alike) if alike else ''}  {one.title}",
                300,
            )
        )
    if found.more:
        print(f"  and {found.more:,} more")
    return 0


def run_status(args: argparse.Namespace) -> int:
    """Shows findings; raises NotFoundError for one that is not there or not the caller's to see."""
    import msgspec

    from clearway.records.text import plain

    from .. import kept
    from .view import view

    with opened(args.home) as home, home.reading("finding status") as (db, note):
        read = [kept.one(db, handling) for handling in args.handling or _newest(db)]
        if args.handling:
            for finding in read:
                note(finding.subject, [finding.aud])
        else:
            note.listed("findings", "", (finding.aud for finding in read))
        found = [view(db, finding) for finding in read]
    if args.json:
        print(msgspec.json.encode({"findings": found}).decode())
        return 0
    if not found:
        print("no finding that you may see")
    for one in found:
        trial = "" if one.live else "  (trial)"
        print(
            plain(
                f"{one.handling}  {one.state:<10}  E{one.level}  {one.package} {one.release}  {one.title}{trial}",
                200,
            )
        )
        if args.handling:
            for gate in one.gates:
                print(f"    {gate.gate:<13} {gate.state}{': ' + gate.what if gate.what else ''}")
    return 0


def _newest(db: psycopg.Connection[Any]) -> list[str]:
    rows = db.execute("select handling from clearway.finding order by finding desc limit %s", (_SHOWN,))
    return [row[0] for row in rows]


def run_supplement(args: argparse.Namespace) -> int:
    """Adds what a finding lacks; 0, also when something is still missing, which is named."""
    import msgspec

    from .. import kept
    from ..desk_key import DeskKey
    from ..vault import Vault
    from . import submit

    data = read_bytes(args.file)
    with opened(args.home) as (pool, _, key, _me), pool.acting(key) as db:
        tools = submit.Desk(Vault.of_home(args.home), DeskKey.of_home(args.home))
        finding, gates = submit.supplement(db, tools, kept.one(db, args.handling), data)
    if args.json:
        print(
            msgspec.json.encode(
                {"handling": finding.handling, "state": finding.state, "gates": gates}
            ).decode()
        )
        return 0
    print(f"{finding.handling}  {finding.state}")
    for gate in gates:
        if gate.what:
            print(f"    {gate.gate:<13} {gate.state}: {gate.what}")
    return 0


def run_withdraw(args: argparse.Namespace) -> int:
    """Withdraws a finding."""
    from .. import kept

    with opened(args.home) as (pool, _, key, _me), pool.acting(key) as db:
        moved = kept.move(db, kept.one(db, args.handling), "withdrawn", args.why[:300])
    print(
        f'{{"handling": "{moved.handling}", "state": "{moved.state}"}}'
        if args.json
        else f"{moved.handling}  {moved.state}"
    )
    return 0


def _label(name: str) -> str:
    return "" if name == "-" else name.replace("\\", "/").rpartition("/")[2]


def _keep_receipts(folder: Any, made: Submission) -> None:
    from clearway.store.failures import at

    with at(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for taken in made.taken:
            (folder / f"{taken.handling}.receipt.json").write_text(taken.receipt + "\n", "utf-8")
