"""`clearway access org|person|token|embargo|clock …`: who is here and may see what, from the command line.

On an embedded home it acts as the home's local administrator, elsewhere as who holds CLEARWAY_TOKEN: with that
person's rights and under that name on the log.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from . import commands_clock, commands_marking

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    import psycopg

    from clearway.access.embargo import Embargo
    from clearway.access.organisation import Organisation

    Connection = psycopg.Connection[Any]

_KINDS = ("operator", "finder", "vendor", "lab", "clearinghouse", "authority")


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `access` with its own commands."""
    access = commands.add_parser(
        "access",
        help="organisations, people, tokens, embargoes",
        description="Organisations, people, tokens and embargoes. Acts as the home's local administrator, or as who "
        "holds CLEARWAY_TOKEN.",
    )
    rooms = access.add_subparsers(dest="access_command", metavar="COMMAND", required=True)
    _org(rooms.add_parser("org", help="organisations: add, list, standing"))
    _person(rooms.add_parser("person", help="people and services: add, list, invite, role, bar"))
    _token(rooms.add_parser("token", help="tokens: make, list, revoke"))
    _embargo(rooms.add_parser("embargo", help="embargoes: add, list, party, flaw, arm, disarm, release"))
    commands_marking.add(rooms)
    commands_clock.add(rooms)


def _adder(parser: argparse.ArgumentParser) -> Any:
    kinds = parser.add_subparsers(dest="access_kind", metavar="COMMAND", required=True)

    def add(name: str, text: str, func: Any) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = kinds.add_parser(
            name, help=text, description=text[0].upper() + text[1:] + "."
        )
        made.add_argument("--json", action="store_true")
        made.set_defaults(func=func)
        return made

    return add


def _org(parser: argparse.ArgumentParser) -> None:
    add = _adder(parser)
    new = add("add", "add an organisation", run_org_add)
    new.add_argument("slug", metavar="SLUG", help="lower-case letters, digits and -")
    new.add_argument("--name", default="", help="default: the slug")
    new.add_argument("--kind", choices=_KINDS, default="operator")
    new.add_argument("--sector", action="append", default=[], help="may be given again")
    add("list", "the organisations that you may know of", run_org_list)
    standing = add("standing", "say what a directive is to an organisation", run_org_standing)
    standing.add_argument("org", metavar="SLUG")
    standing.add_argument("directive", metavar="DIRECTIVE", help="such as BOD-26-04")
    standing.add_argument("standing", choices=("binding", "adopted", "advisory"))


def _person(parser: argparse.ArgumentParser) -> None:
    add = _adder(parser)
    new = add("add", "add a person and print a one-time code, or add a service", run_person_add)
    new.add_argument("org", metavar="SLUG")
    new.add_argument("name", metavar="NAME")
    new.add_argument("--role", action="append", required=True, metavar="ROLE", help="may be given again")
    new.add_argument("--email", default="")
    new.add_argument("--service", action="store_true", help="a program, which comes in by a token")
    listed = add("list", "who belongs to an organisation, with their roles", run_person_list)
    listed.add_argument("org", metavar="SLUG")
    invite = add("invite", "a new one-time code; the ones before are void", run_person_invite)
    invite.add_argument("org", metavar="SLUG")
    invite.add_argument("person", type=int, metavar="PERSON")
    role = add("role", "give or take a role", run_person_role)
    role.add_argument("org", metavar="SLUG")
    role.add_argument("person", type=int, metavar="PERSON")
    role.add_argument("role", metavar="ROLE")
    role.add_argument("--take", action="store_true")
    bar = add("bar", "bar a person from everything, or let them in again", run_person_bar)
    bar.add_argument("person", type=int, metavar="PERSON")
    bar.add_argument("--allow", action="store_true", help="let them in again")


def _token(parser: argparse.ArgumentParser) -> None:
    add = _adder(parser)
    new = add("make", "make a token and print its secret, once", run_token_make)
    new.add_argument("label", metavar="LABEL", help="what it is for")
    new.add_argument(
        "--person", type=int, default=0, help="a service that you administer (default: yourself)"
    )
    new.add_argument(
        "--scope", action="append", default=[], help="a right to keep; may be given again (default: all)"
    )
    new.add_argument("--days", type=int, default=90, help="how long it lives, 365 at most")
    listed = add("list", "tokens that you may see, never with their secret", run_token_list)
    listed.add_argument("--person", type=int, default=0)
    revoke = add("revoke", "end a token or session", run_token_revoke)
    revoke.add_argument("credential", type=int, metavar="N")


def _embargo(parser: argparse.ArgumentParser) -> None:
    add = _adder(parser)
    new = add("add", "add an embargo", run_embargo_add)
    new.add_argument("org", metavar="SLUG", help="who keeps it")
    new.add_argument("name", metavar="NAME")
    add("list", "embargoes that you keep or are a party to", run_embargo_list)
    party = add("party", "make somebody a party, or no longer one", run_embargo_party)
    party.add_argument("embargo", type=int, metavar="N")
    who = party.add_mutually_exclusive_group(required=True)
    who.add_argument("--person", type=int, metavar="PERSON")
    who.add_argument("--org", metavar="SLUG", help="everybody there")
    party.add_argument("--remove", action="store_true")
    flaw = add("flaw", "say which flaw it is about, or no longer", run_embargo_flaw)
    flaw.add_argument("embargo", type=int, metavar="N")
    flaw.add_argument("flaw", metavar="ID", help="its CVE id, where it has one")
    flaw.add_argument("--remove", action="store_true")
    arm = add("arm", "say when it ends by itself", run_embargo_arm)
    arm.add_argument("embargo", type=int, metavar="N")
    arm.add_argument(
        "until", metavar="TIME", nargs="?", default="", help="with its zone: 2026-12-04T00:00:00Z"
    )
    arm.add_argument("--on-exploitation", action="store_true", help="public exploitation ends it before")
    disarm = add("disarm", "let no hour and no exploitation end it", run_embargo_disarm)
    disarm.add_argument("embargo", type=int, metavar="N")
    release = add("release", "end it now; it can't be taken back", run_embargo_release)
    release.add_argument("embargo", type=int, metavar="N")
    release.add_argument("--why", required=True)


@contextmanager
def _acting(args: argparse.Namespace) -> Iterator[Connection]:
    """One transaction of the local administrator, or of who holds CLEARWAY_TOKEN."""
    from clearway.records.errors import AuthenticationError
    from clearway.store.migrate import migrate
    from clearway.store.principal import Pool
    from clearway.store.server import lease

    from . import local

    with lease(args.home) as url:
        migrate(url)
        key = local.key(url, args.home, now=_now())
        pool = Pool(url, size=1)
        try:
            with pool.acting(key) as db:
                row = db.execute("select clearway.me()").fetchone()
                if row is None or row[0] is None:
                    raise AuthenticationError("the token is not valid", mend="set CLEARWAY_TOKEN")
                yield db
        finally:
            pool.close()


def run_org_add(args: argparse.Namespace) -> int:
    """Adds an organisation."""
    from . import organisation

    with _acting(args) as db:
        made = organisation.add(db, args.slug, args.name or args.slug, args.kind, args.sector)
    return _told(args, made, f"{made.slug} is organisation {made.org}; add its first administrator:\n"
                 f"  clearway access person add {made.slug} NAME --role administrator")  # fmt: skip


def run_org_list(args: argparse.Namespace) -> int:
    """Lists organisations."""
    from . import organisation

    with _acting(args) as db:
        found = organisation.listed(db)
    lines = [f"{o.org:>6}  {o.slug:<24} {o.kind:<14} {o.name}" for o in found]
    return _told(args, found, "\n".join(lines))


def run_org_standing(args: argparse.Namespace) -> int:
    """Says what a directive is to an organisation."""
    from . import organisation

    with _acting(args) as db:
        before = organisation.by_slug(db, args.org)
        found = organisation.change(
            db, before.org, before.version, standing={**before.standing, args.directive: args.standing}
        )
    return _told(args, found, f"{args.directive} is {args.standing} for {found.name}")


def run_person_add(args: argparse.Namespace) -> int:
    """Adds a person or service; prints a person's code."""
    from . import invitation, person

    now = _now()
    with _acting(args) as db:
        org = _by_slug(db, args.org)
        made = person.add(
            db, org.org, args.name, args.role, email=args.email, kind="service" if args.service else "person"
        )
        code = "" if args.service else invitation.invite(db, made.person, org.org, now=now)
        row = db.execute("select clearway.may('administer', %s)", (org.org,)).fetchone()
        mine = row is not None and row[0]
    if args.service:
        command = f"clearway access token make LABEL --person {made.person}"
        # Who runs the installation adds people to each organisation, and speaks for none but their own.
        words = f"service {made.person}; make it a token: {command}" if mine else (
            f"service {made.person}; an administrator of {org.slug} makes its token, signed in or with a token of "
            f"their own in CLEARWAY_TOKEN: {command}"
        )  # fmt: skip
    else:
        words = f"person {made.person}; their one-time code, good for seven days: {code}"
    return _told(args, {"person": made.person, "code": code or None}, words)


def run_person_list(args: argparse.Namespace) -> int:
    """Lists members."""
    from . import person

    with _acting(args) as db:
        found = person.members(db, _by_slug(db, args.org).org)
    lines = [
        f"{m.person:>6}  {m.kind:<8} {', '.join(m.roles):<40} {m.name}" + ("" if m.active else "  (barred)")
        for m in found
    ]
    return _told(args, found, "\n".join(lines))


def run_person_invite(args: argparse.Namespace) -> int:
    """Prints a new code."""
    from . import invitation

    with _acting(args) as db:
        code = invitation.invite(db, args.person, _by_slug(db, args.org).org, now=_now())
    return _told(args, {"person": args.person, "code": code}, f"one-time code, good for seven days: {code}")


def run_person_role(args: argparse.Namespace) -> int:
    """Gives or takes a role."""
    from . import person

    with _acting(args) as db:
        org = _by_slug(db, args.org).org
        (person.revoke if args.take else person.grant)(db, args.person, org, args.role)
    done = "no longer has" if args.take else "has"
    return _told(
        args,
        {"person": args.person, "role": args.role, "granted": not args.take},
        f"person {args.person} {done} the role {args.role} at {args.org}",
    )


def run_person_bar(args: argparse.Namespace) -> int:
    """Bars a person, or lets them in again."""
    from . import person

    with _acting(args) as db:
        person.set_active(db, args.person, active=args.allow)
    words = "may come in again" if args.allow else "is barred; every session and token has ended"
    return _told(args, {"person": args.person, "active": args.allow}, f"person {args.person} {words}")


def run_token_make(args: argparse.Namespace) -> int:
    """Makes a token; its secret goes to standard output alone."""
    from clearway.records.errors import NotFoundError
    from clearway.store.connect import translated

    from . import credential

    with _acting(args) as db:
        row = db.execute("select clearway.me()").fetchone()
        assert row is not None
        try:
            with translated():
                made = credential.make_token(
                    db,
                    args.person or int(row[0]),
                    label=args.label,
                    scopes=args.scope or None,
                    life=timedelta(days=max(args.days, 0)),
                    now=_now(),
                )
        except NotFoundError:
            if not args.person:
                raise
            raise NotFoundError(
                "no service of that number is yours to make tokens for",
                where="--person",
                mend="an administrator of its organisation makes them: signed in, or with CLEARWAY_TOKEN",
            ) from None
    if not args.json and not args.quiet:
        print(f"{made.public_id}, good until {made.expires:%Y-%m-%d}; shown this once:", file=sys.stderr)
    told = {"public_id": made.public_id, "secret": made.secret, "expires": made.expires}
    return _told(args, told, made.secret)


def run_token_list(args: argparse.Namespace) -> int:
    """Lists tokens."""
    from . import credential

    with _acting(args) as db:
        found = [c for c in credential.listed(db, person=args.person or None) if c.kind == "token"]
    lines = []
    for c in found:
        state = "revoked" if c.revoked else f"until {c.expires:%Y-%m-%d}"
        used = f"used {c.last_used:%Y-%m-%d %H:%M}" if c.last_used else "never used"
        may = "all" if c.scopes is None else ",".join(c.scopes)
        lines.append(f"{c.credential:>6}  {c.public_id}  {state:<16} {used:<21} {may:<16} {c.label}")
    return _told(args, found, "\n".join(lines))


def run_token_revoke(args: argparse.Namespace) -> int:
    """Ends a credential."""
    from . import credential

    with _acting(args) as db:
        credential.revoke(db, args.credential)
    return _told(args, {"credential": args.credential}, f"credential {args.credential} is revoked")


def run_embargo_add(args: argparse.Namespace) -> int:
    """Adds an embargo."""
    from . import embargo

    with _acting(args) as db:
        made = embargo.add(db, _by_slug(db, args.org).org, args.name)
    return _told(args, made, f"embargo {made.embargo}; it has no parties and no end yet")


def run_embargo_list(args: argparse.Namespace) -> int:
    """Lists embargoes."""
    from . import embargo
    from .here import opened

    with opened(args.home) as home, home.reading("access embargo list") as (db, note):
        found = embargo.listed(db)
        note.listed("embargoes", "", embargo.audiences(db, found))
    lines = []
    for e in found:
        if e.ended_at:
            state = f"ended {e.ended_at:%Y-%m-%d %H:%M} UTC"
        elif e.frozen:
            state = f"frozen: {e.frozen}"
        else:
            state = _ends(e)
        lines.append(f"{e.embargo:>6}  {e.name:<32} {state}")
    return _told(args, found, "\n".join(lines))


def run_embargo_party(args: argparse.Namespace) -> int:
    """Changes a party."""
    from . import embargo, recipients

    with _acting(args) as db:
        org = _by_slug(db, args.org).org if args.org else None
        if not args.remove:
            recipients.check_there(db, args.person, org)
        embargo.set_party(db, args.embargo, person=args.person, org=org, party=not args.remove)
    who = args.org or f"person {args.person}"
    words = f"{who} is {'no longer ' if args.remove else ''}a party to embargo {args.embargo}"
    return _told(args, {"embargo": args.embargo, "party": not args.remove}, words)


def run_embargo_arm(args: argparse.Namespace) -> int:
    """Arms an embargo."""
    from clearway.records.errors import UsageError

    from . import embargo

    if not args.until and not args.on_exploitation:
        raise UsageError("say when it ends", mend="give a TIME, or --on-exploitation, or both")
    try:
        until = datetime.fromisoformat(args.until) if args.until else None
    except ValueError:
        raise UsageError(f"{args.until!r} is no time", mend="write 2026-12-04T00:00:00Z") from None
    with _acting(args) as db:
        found = embargo.arm(db, args.embargo, until, now=_now(), on_exploitation=args.on_exploitation)
    return _told(args, found, f"{found.name} {_ends(found)}")


def _ends(found: Embargo) -> str:
    """What ends it by itself."""
    hour = f"at {found.until.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if found.until else ""
    news = "on public exploitation of one of its flaws" if found.on_exploitation else ""
    ends = ", or before that ".join(filter(None, (hour, news)))
    return f"ends {ends}" if ends else "no end set"


def run_embargo_disarm(args: argparse.Namespace) -> int:
    """Disarms an embargo."""
    from . import embargo

    with _acting(args) as db:
        found = embargo.arm(db, args.embargo, None, now=_now())
    return _told(args, found, f"{found.name} is disarmed; a coordinator's act alone ends it")


def run_embargo_flaw(args: argparse.Namespace) -> int:
    """Names a flaw of an embargo."""
    from . import embargo

    with _acting(args) as db:
        found = embargo.name_flaw(db, args.embargo, args.flaw, about=not args.remove)
    return _told(args, found, f"{found.name} is about {', '.join(found.flaws) or 'no flaw that is named'}")


def run_embargo_release(args: argparse.Namespace) -> int:
    """Ends an embargo."""
    from . import embargo

    with _acting(args) as db:
        found = embargo.release(db, args.embargo, args.why)
    return _told(args, found, f"{found.name} has ended; entry {found.ended_by} of the log says so")


def _by_slug(db: Connection, slug: str) -> Organisation:
    from . import organisation

    return organisation.by_slug(db, slug)


def _now() -> datetime:
    from clearway.records.clock import SystemClock

    return SystemClock().now()


def _told(args: argparse.Namespace, record: Any, words: str) -> int:
    if args.json:
        import msgspec

        sys.stdout.write(msgspec.json.encode(record).decode() + "\n")
    elif words:
        print(words)
    return 0
