"""`clearway finding case …`: whom a case reaches and what it holds: addresses, the directory, findings, the draft."""

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


def add_whom(add: Add) -> None:
    """Adds these commands; `add` is that of `commands.add_commands`."""
    reach = add("reach", "a party's mail addresses, or one more: letters go to it from now on", run_reach)
    reach.add_argument("party", type=int)
    reach.add_argument("email", nargs="?", default="", metavar="ADDRESS", help="without, those that it has")
    reach.add_argument("--source", default="", help="where the address is from")
    take = add("take", "put findings into an open case", run_take)
    take.add_argument("finding", nargs="+", metavar="CWF-XXXX-XXXX")
    take.add_argument("--along", action="store_true", help="with what else is the same flaw")
    drafted = add("drafted", "a version of the draft, as the JSON that `draft` takes", run_drafted)
    drafted.add_argument("--number", type=int, default=0, help="the newest, without it")
    document = add("document", "a published document, byte for byte", run_document)
    document.add_argument("--kind", default="csaf", choices=("csaf", "osv", "cve"))
    add("mine", "reports that wait for your organisations to act, the oldest first", run_mine, one=False)
    route = add("route-add", "add a line to the vendors' directory", run_route_add, one=False)
    route.add_argument("pattern", help="a package's name, or how names begin: @acme/*")
    route.add_argument("--ecosystem", default="", help="such as npm; without, every one")
    route.add_argument("--org", default="", metavar="SLUG", help="an organisation here")
    route.add_argument("--name", default="")
    route.add_argument("--email", default="", metavar="ADDRESS", help="somebody who is reached by mail alone")
    route.add_argument("--source", default="", help="where that is from")
    end = add("route-end", "take a line out of the vendors' directory", run_route_end, one=False)
    end.add_argument("route", type=int)


def organisation(db: Db, slug: str, where: str) -> int:
    """The organisation of that slug. Raises NotFoundError naming `where` it was said."""
    from clearway.records.errors import NotFoundError

    row = db.execute("select org from clearway.organisation where slug = %s", (slug,)).fetchone()
    if row is None:
        raise NotFoundError("no such organisation", where=where)
    return int(row[0])


def _do(args: argparse.Namespace, do: Callable[[Db, Case, Principal], None]) -> int:
    from .commands import on_case

    return on_case(args, do)


def run_reach(args: argparse.Namespace) -> int:
    """Shows a party's addresses, or adds one; 0."""
    from ..command_parts import print_json as _json
    from . import kept, party
    from .commands import _plain

    if args.email:

        def do(db: Db, case: Case, me: Principal) -> None:
            party.reach(db, case, party.one(db, case, args.party), args.email, args.source)

        return _do(args, do)
    with opened(args.home) as home, home.reading("finding case reach") as (db, note):
        case = kept.one(db, args.case)
        kept.check_keeper(db, case)
        note(f"{case.subject}/contacts", [case.aud])
        found = party.contacts(db, party.one(db, case, args.party).id)
    if args.json:
        _json({"contacts": [{"email": email, "source": source} for email, source in found]})
        return 0
    for email, source in found:
        print(f"{_plain(email)}  {_plain(source)}".rstrip())
    return 0


def run_take(args: argparse.Namespace) -> int:
    """Puts findings into the case; 0."""
    from .. import kept as findings
    from . import kept

    def do(db: Db, case: Case, me: Principal) -> None:
        chosen = [findings.one(db, handling) for handling in dict.fromkeys(args.finding)]
        kept.take(db, case, *chosen, along=args.along)

    return _do(args, do)


def run_drafted(args: argparse.Namespace) -> int:
    """Prints a version of the draft; that it was read is on the log; 0."""
    import msgspec

    from ..command_parts import safe as _safe
    from ..vault import Vault
    from . import draft, kept

    with opened(args.home) as (pool, _, key, _me), pool.acting(key) as db:
        found = draft.shown(db, Vault.of_home(args.home), kept.one(db, args.case), args.number)
    text = msgspec.json.format(msgspec.json.encode(found)).decode()
    sys.stdout.write((_safe(text) if sys.stdout.isatty() else text) + "\n")
    return 0


def run_document(args: argparse.Namespace) -> int:
    """Prints a document as it was published; 0."""
    from ..command_parts import safe as _safe
    from . import release

    with opened(args.home) as (pool, _, key, _me), pool.acting(key) as db:
        body = release.document(db, args.case, args.kind)
    if sys.stdout.isatty():
        sys.stdout.write(_safe(body.decode()) + "\n")
    else:
        sys.stdout.buffer.write(body)
    return 0


def run_mine(args: argparse.Namespace) -> int:
    """Prints a maintainer's queue; 0."""
    from clearway.access.reading import audiences

    from ..command_parts import print_json as _json
    from . import party
    from .commands import _plain

    with opened(args.home) as home, home.reading("finding case mine") as (db, note):
        found = party.queue_of(db, home.me.orgs("maintain"))
        note.listed("cases-mine", "", audiences(db, "case_party", "party", (one.party.id for one in found)))
    if args.json:
        _json(
            [
                {
                    "case": one.case,
                    "party": one.party.id,
                    "product": one.party.product,
                    "report": one.party.rm,
                    "vendor": one.party.vfd,
                    "answer": one.party.answer,
                    "asked": one.party.asked,
                }
                for one in found
            ]
        )
        return 0
    for one in found:
        asked = f"{one.party.asked:%Y-%m-%d}" if one.party.asked else "-"
        print(f"{one.case}  party {one.party.id}  {one.party.rm:9s} asked {asked}  {_plain(one.title)}")
    return 0


def run_route_add(args: argparse.Namespace) -> int:
    """Adds a line; 0."""
    from ..command_parts import print_json as _json
    from . import kept, route

    with opened(args.home) as (pool, _, key, me), pool.acting(key) as db:
        made = route.add(
            db,
            kept.desk_of(me),
            ecosystem=args.ecosystem,
            pattern=args.pattern,
            name=args.name,
            member=organisation(db, args.org, "--org") if args.org else None,
            email=args.email,
            source=args.source,
        )
    if args.json:
        _json({"id": made.id})
    else:
        print(made.id)
    return 0


def run_route_end(args: argparse.Namespace) -> int:
    """Takes a line out; 0."""
    from ..command_parts import print_json as _json
    from . import route

    with opened(args.home) as (pool, _, key, _me), pool.acting(key) as db:
        route.end(db, args.route)
    if args.json:
        _json({"id": args.route})
    return 0
