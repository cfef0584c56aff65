"""`clearway finding case …`: what becomes of a case: the draft, its preview, the end of the embargo, the CVE id."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from clearway.access.here import opened

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    import psycopg

    from clearway.records.principal import Principal

    from .commands_acts import Add
    from .kept import Case

    Db = psycopg.Connection[Any]


def add_publish(add: Add) -> None:
    """Adds these commands; `add` is that of `commands.add_commands`."""
    draft = add("draft", "write the next version of the draft, from a JSON file", run_draft)
    draft.add_argument("file", metavar="FILE", help="- reads from standard input")
    draft.add_argument("--summary", required=True, help="what this version changes")
    draft.add_argument(
        "--base",
        type=int,
        metavar="N",
        help="refuse it where another version than N is the newest; 0: where there is one",
    )
    draft.add_argument(
        "--sure", action="store_true", help="what is named as not known here was looked at, and is so"
    )
    preview = add("preview", "a document as it would be released now", run_preview)
    preview.add_argument("--kind", default="csaf", choices=("csaf", "osv", "cve"))
    arm = add("arm", "let the embargo end on the day agreed", run_arm)
    arm.add_argument("--on-exploitation", action="store_true", help="and before, when attacks are seen")
    out = add("release", "end the embargo now and publish; it can't be taken back", run_release)
    out.add_argument("--why", default="released by hand")
    cve = add("cve", "note a CVE id, or ask the numbering authority for one", run_cve)
    cve.add_argument("--id", default="", metavar="CVE-YYYY-NNNN")
    cve.add_argument(
        "--sure", action="store_true", help="what is public of the id was looked at, and is of this flaw"
    )


def _do(args: argparse.Namespace, do: Callable[[Db, Case, Principal], None]) -> int:
    from .commands import on_case

    return on_case(args, do)


def run_draft(args: argparse.Namespace) -> int:
    """Keeps a version of the draft; 0."""
    from pathlib import Path

    from clearway.store.failures import at

    from ..vault import Vault
    from . import draft

    if args.file == "-":
        data = sys.stdin.buffer.read(draft.MAX_BYTES + 1)
    else:
        with at(Path(args.file)):
            data = Path(args.file).read_bytes()
    found = draft.decoded(data)

    def do(db: Db, case: Case, me: Principal) -> None:
        base = None if args.base is None else (args.base,) if args.base else ()
        draft.put(db, Vault.of_home(args.home), case, found, args.summary, base=base, sure=args.sure)

    return _do(args, do)


def run_preview(args: argparse.Namespace) -> int:
    """Prints a document; that it was read is on the log; 0."""
    from ..command_parts import safe
    from ..vault import Vault
    from . import draft, kept
    from . import settings as setting
    from .at_desk import now

    with opened(args.home) as (pool, _, key, _me), pool.acting(key) as db:
        case = kept.one(db, args.case)
        publisher = setting.read(args.home).publisher
        body = draft.previewed(db, Vault.of_home(args.home), case, publisher, now(), args.kind)
    if sys.stdout.isatty():  # what parties wrote steers no terminal; the document is the same, other bytes
        body = safe(body.decode()).encode()
    sys.stdout.buffer.write(body + b"\n")
    return 0


def run_arm(args: argparse.Namespace) -> int:
    """Arms the end of the embargo; 0."""
    from ..vault import Vault
    from . import release
    from .at_desk import now

    def do(db: Db, case: Case, me: Principal) -> None:
        vault = Vault.of_home(args.home)
        release.arm(db, vault, case, args.home, now=now(), on_exploitation=args.on_exploitation)

    return _do(args, do)


def run_release(args: argparse.Namespace) -> int:
    """Ends the embargo and publishes at once; 0."""
    from clearway.records.clock import SystemClock

    from ..vault import Vault
    from . import kept, release
    from .at_desk import now, seen
    from .commands import print_case

    with opened(args.home) as home:
        with home.pool.acting(home.key) as db:
            case = kept.one(db, args.case)
            vault = Vault.of_home(args.home)
            if case.published is not None:
                release.update(db, vault, case, args.home, now=now())
            else:
                release.release(db, vault, case, args.home, args.why, now=now())
        release.publish(home.pool.owner, home.url, args.home, case.id, SystemClock())
        with home.reading("finding case release") as (db, note):
            case = kept.one(db, args.case)
            note(case.subject, [case.aud])
            shown = seen(db, Vault.of_home(args.home), case, home.me)
    print_case(args, shown)
    return 0


def run_cve(args: argparse.Namespace) -> int:
    """Notes a CVE id, or asks for one; 0."""
    from . import cve_id

    def do(db: Db, case: Case, me: Principal) -> None:
        if args.id:
            cve_id.assign(db, case, args.id, sure=args.sure)
        else:
            cve_id.ask(db, case, args.home)

    return _do(args, do)
