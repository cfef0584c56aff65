"""`clearway finding case …`: the triage queue and cases from the command line."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from clearway.access.here import opened

from ..command_parts import print_json as _json
from .commands_acts import add_acts
from .commands_publish import add_publish
from .commands_whom import add_whom

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    import psycopg

    from clearway.records.principal import Principal

    from .kept import Case

    Db = psycopg.Connection[Any]


_ROLES = ("vendor", "maintainer", "coordinator", "reporter", "patcher", "operator")


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `case` to `clearway finding`."""
    case = commands.add_parser(
        "case",
        help="cases: open, parties, embargo, draft, release",
        description="Cases, from findings to an advisory.",
    )
    own = case.add_subparsers(dest="case_command", metavar="COMMAND", required=True)

    def add(name: str, text: str, func: Any, *, one: bool = True) -> argparse.ArgumentParser:
        parser = own.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        if one:
            parser.add_argument("case", metavar="CWC-XXXX-XXXX")
        parser.add_argument("--json", action="store_true")
        parser.set_defaults(func=func)
        return parser

    add("triage", "findings in no case, ranked, with the reasons", run_triage, one=False)
    add("list", "the cases that you may see", run_list, one=False)
    opened = add("open", "open a case from findings", run_open, one=False)
    opened.add_argument("finding", nargs="+", metavar="CWF-XXXX-XXXX")
    opened.add_argument("--title", default="")
    opened.add_argument("--along", action="store_true", help="with what else is the same flaw")
    add("show", "a case: its machines, the status matrix, what is open", run_show)
    join = add("party", "add a party, and ask it", run_party)
    join.add_argument("--role", default="vendor", choices=_ROLES)
    join.add_argument("--org", default="", metavar="SLUG", help="an organisation here")
    join.add_argument("--name", default="", help="with --email: somebody who is reached by mail alone")
    join.add_argument("--email", default="")
    join.add_argument(
        "--ask", action="store_true", help="tell it of the flaw at once; --text is what it reads"
    )
    join.add_argument(
        "--text", default="", help="with --ask: what it is given to read; - reads standard input"
    )
    act = add("act", "an act of a party: accept, defer, dispute, fix-ready, …", run_act)
    act.add_argument("party", type=int)
    act.add_argument("act")
    act.add_argument("--why", default="", help="a dispute gives its reasons")
    act.add_argument("--text", default="", help="with ask: what it is given to read; - reads standard input")
    propose = add("propose", "propose when the embargo ends", run_propose)
    propose.add_argument("until", metavar="TIME", help="such as 2026-12-24T09:00")
    propose.add_argument("--zone", default="UTC", help="of a time without an offset (UTC)")
    propose.add_argument("--why", default="")
    add("agree", "make the open proposal what is agreed", run_agree)
    close = add("close", "close a case: nothing moves in it any more", run_close)
    close.add_argument("--why", default="")
    again = add("reopen", "open a closed case again, where it stood", run_reopen)
    again.add_argument("--why", required=True, help="the reason, for its parties and the log")
    contacts = add("contacts", "how to reach who maintains something", run_contacts, one=False)
    contacts.add_argument("--domain", default="", help="whose security.txt is read")
    contacts.add_argument("--repository", default="", metavar="URL", help="whose security policy is read")
    contacts.add_argument("--purl", default="", help="whom the directory names for it")
    add_publish(add)
    add_acts(add)
    add_whom(add)


def on_case(args: argparse.Namespace, do: Callable[[Db, Case, Principal], None]) -> int:
    """Does something with one case and shows how it then stands."""
    from ..vault import Vault
    from . import kept
    from .at_desk import seen

    with opened(args.home) as home:
        with home.pool.acting(home.key) as db:
            do(db, kept.one(db, args.case), home.me)
        with home.reading("finding case") as (db, note):
            case = kept.one(db, args.case)
            note(case.subject, [case.aud])
            shown = seen(db, Vault.of_home(args.home), case, home.me)
    print_case(args, shown)
    return 0


def run_triage(args: argparse.Namespace) -> int:
    """The queue; 0."""
    from .. import kept as findings
    from . import triage
    from .at_desk import now

    with opened(args.home) as home, home.reading("finding case triage") as (db, note):
        waiting, total = triage.queue(db, now()), triage.waiting(db)
        note.listed("triage", "", findings.audiences(db, (one.handling for one in waiting)))
    if total > len(waiting):
        print(f"{len(waiting):,} of {total:,} that wait: those with the most points", file=sys.stderr)
    if args.json:
        _json(waiting)
        return 0
    for one in waiting:
        print(f"{one.points:4d}  {one.handling}  E{one.level}  {_plain(one.title)}  {_plain(one.package)}")
        print(f"      {_plain(one.why)}")
    return 0


def run_list(args: argparse.Namespace) -> int:
    """The cases, the newest first; 0."""
    with opened(args.home) as home, home.reading("finding case list") as (db, note):
        read = db.execute(
            "select aud, handling, em, pxa, cve, title from clearway.desk_case order by case_id desc"
        ).fetchall()
        note.listed("cases", "", (row[0] for row in read))
    rows = [row[1:] for row in read]
    if args.json:
        _json(
            [dict(zip(("handling", "embargo", "public", "cve", "title"), row, strict=True)) for row in rows]
        )
        return 0
    for handling, em, pxa, cve, title in rows:
        print(f"{handling}  {em:8s}  {pxa}  {cve or '-':18s}  {_plain(title)}")
    return 0


def run_open(args: argparse.Namespace) -> int:
    """Opens a case; 0."""
    from .. import kept as findings
    from ..vault import Vault
    from . import kept
    from .at_desk import seen

    with opened(args.home) as home, home.reading("finding case open") as (db, note):
        chosen = [findings.one(db, handling) for handling in dict.fromkeys(args.finding)]
        made = kept.add(db, kept.desk_of(home.me), chosen, args.title, along=args.along)
        note(made.subject, [made.aud])
        shown = seen(db, Vault.of_home(args.home), made, home.me)
    print_case(args, shown)
    return 0


def run_show(args: argparse.Namespace) -> int:
    """Shows a case; 0."""
    return on_case(args, lambda db, case, me: None)


def run_party(args: argparse.Namespace) -> int:
    """Adds a party; 0."""
    from ..vault import Vault
    from . import handed, kept, party
    from .commands_whom import organisation

    text = _text(args)

    def do(db: Db, case: Case, me: Principal) -> None:
        member = organisation(db, args.org, "--org") if args.org else None
        made = party.add(db, case, role=args.role, member=member, name=args.name, email=args.email)
        if args.ask:
            party.ask(db, kept.by_id(db, case.id), made, level=kept.level_of(db, case))
            handed.tell(db, Vault.of_home(args.home), case, made, text)

    return on_case(args, do)


def run_act(args: argparse.Namespace) -> int:
    """An act of a party; 0."""
    from ..vault import Vault
    from . import handed, kept, party

    text = _text(args)

    def do(db: Db, case: Case, me: Principal) -> None:
        one = party.one(db, case, args.party)
        if args.act == "ask":
            kept.check_keeper(db, case)
            party.ask(db, case, one, level=kept.level_of(db, case))
            handed.tell(db, Vault.of_home(args.home), case, one, text)
        else:
            party.act(db, case, one, args.act, args.why, vault=Vault.of_home(args.home))

    return on_case(args, do)


def _text(args: argparse.Namespace) -> str:
    """What a party that is asked is given to read, from standard input for "-"."""
    from .thread import MAX_CHARS

    return sys.stdin.read(MAX_CHARS + 1) if args.text == "-" else args.text


def run_propose(args: argparse.Namespace) -> int:
    """Proposes a day; 0."""
    from datetime import datetime

    from clearway.records.errors import UsageError

    from ..vault import Vault
    from . import kept, party, talk
    from .at_desk import now
    from .view import speaks_as

    try:
        until = datetime.fromisoformat(args.until)
    except ValueError:
        raise UsageError("this is no time", where="TIME", mend="such as 2026-12-24T09:00") from None

    def do(db: Db, case: Case, me: Principal) -> None:
        speaker = None if kept.keeps(db, case) else party.must_speak(speaks_as(me, party.listed(db, case))).id
        talk.propose(
            db, case, until, args.zone, now=now(), why=args.why, party=speaker, vault=Vault.of_home(args.home)
        )

    return on_case(args, do)


def run_agree(args: argparse.Namespace) -> int:
    """Accepts the open proposal; 0."""
    from . import talk
    from .at_desk import now

    def do(db: Db, case: Case, me: Principal) -> None:
        talk.accept(db, case, now=now())

    return on_case(args, do)


def run_close(args: argparse.Namespace) -> int:
    """Closes a case; 0."""
    from . import kept

    def do(db: Db, case: Case, me: Principal) -> None:
        kept.close(db, case, args.why)

    return on_case(args, do)


def run_reopen(args: argparse.Namespace) -> int:
    """Opens a closed case again; 0."""
    from . import kept

    def do(db: Db, case: Case, me: Principal) -> None:
        kept.reopen(db, case, args.why)

    return on_case(args, do)


def run_contacts(args: argparse.Namespace) -> int:
    """Prints what is found; 0, 6 when there is nothing."""
    from clearway.records.errors import UsageError

    from . import contacts, route, tasks
    from . import settings as setting
    from .at_desk import now

    if not (args.domain or args.repository or args.purl):
        raise UsageError("name a domain, a repository or a purl", mend="--domain example.org")
    lines: list[dict[str, str]] = []
    notes: list[str] = []
    if args.purl:
        with opened(args.home) as (pool, _, key, _me), pool.acting(key) as db:
            lines += [{"contact": a.email or a.name, "why": a.why} for a in route.of_purl(db, args.purl)]
    if args.domain or args.repository:
        contacts.places(args.domain, args.repository)
        found = setting.known(args.home)
        with tasks.client(found or setting.Settings(name="-", namespace="-")) as outside:
            said, notes = contacts.look(outside, args.domain, args.repository, now=now())
        lines += [{"contact": c.email or c.url, "why": c.why} for c in said]
    if args.json:
        _json({"contacts": lines, "notes": notes})
    else:
        for line in lines:
            print(f"{_plain(line['contact'])}  {_plain(line['why'])}")
        for note in notes:
            print(_plain(note), file=sys.stderr)
    return 0 if lines else 6


def print_case(args: argparse.Namespace, shown: Any) -> None:
    """Prints a case as it stands."""
    if args.json:
        _json(shown)
        return
    print(f"{shown.handling}  {_plain(shown.title)}")
    agreed = f", agreed to end {shown.until:%Y-%m-%dT%H:%MZ} ({shown.zone})" if shown.until else ""
    armed = ", frozen" if shown.frozen else f", armed for {shown.ends:%Y-%m-%dT%H:%MZ}" if shown.ends else ""
    print(
        f"  embargo {shown.embargo}{agreed}{armed}; flaw {shown.public}; CVE {shown.cve or shown.cve_state or '-'}"
    )
    for p in shown.parties:
        due = f"  due: {p.due}" if p.due else ""
        due += f"  letter {_plain(p.letter)}" if p.letter else ""
        due += "  was told nothing that it may read yet" if p.unread else ""
        print(f"  {p.id:5d}  {p.role:11s} {_plain(p.name)}: {p.report}, {p.vendor}, {p.answer}{due}")
    if shown.proposal is not None:
        print(f"  proposed: {shown.proposal.until:%Y-%m-%dT%H:%MZ} ({shown.proposal.zone})")
    for version in shown.drafts:
        print(
            f"  draft {version.number}: {_plain(version.summary)}{' (released)' if version.released else ''}"
        )


def _plain(text: str, limit: int = 400) -> str:
    from clearway.records.text import plain

    return plain(text, limit)
