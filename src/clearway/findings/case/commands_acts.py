"""`clearway finding case …`: acts and readings that are rarer than those of `commands`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeVar

from clearway.access.here import opened

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Iterator
    from typing import Protocol

    import psycopg

    from clearway.ledger.reading import Note
    from clearway.records.principal import Principal

    from .kept import Acted, Case
    from .route import Route
    from .thread import Message, Thread

    Db = psycopg.Connection[Any]

    class Add(Protocol):
        """Adds a command to `case`."""

        def __call__(
            self, name: str, text: str, func: Any, *, one: bool = True
        ) -> argparse.ArgumentParser: ...


T = TypeVar("T")


def add_acts(add: Add) -> None:
    """Adds these commands; `add` is that of `commands.add_commands`."""
    answer = add("answer", "what a party says of its product", run_answer)
    answer.add_argument("party", type=int)
    answer.add_argument(
        "answer", choices=("investigating", "affected", "not-affected", "fixed", "disputed", "no-answer")
    )
    answer.add_argument("--why", default="", help="a dispute gives its reasons")
    step = add("escalate", "record that the step that is due was taken", run_escalate)
    step.add_argument("party", type=int)
    step.add_argument("step", choices=("remind", "another-contact", "escalate", "unreachable"))
    leave = add("leave", "take a party out: it sees nothing of the case any more", run_leave)
    leave.add_argument("party", type=int)
    leave.add_argument("--why", default="")
    orphan = add("orphan", "say that nobody maintains the product, and who may patch it", run_orphan)
    orphan.add_argument("patcher", metavar="SLUG", help="an organisation here")
    orphan.add_argument("--why", required=True)
    refuse = add("refuse", "refuse the open proposal: what was agreed before stays", run_refuse)
    refuse.add_argument("--why", default="")
    consent = add("consent", "agree or disagree with the open proposal", run_consent)
    consent.add_argument("said", choices=("agrees", "disagrees"))
    consent.add_argument("--party", type=int, default=0, help="the desk, for a party without an account")
    consent.add_argument("--why", default="")
    observe = add("observe", "note what was seen of the flaw in public", run_observe)
    observe.add_argument("act", choices=("made-public", "exploit-published", "attacks-observed"))
    observe.add_argument("--why", default="")
    removal = add("remove", "take a finding out of the case: it waits in triage again", run_remove)
    removal.add_argument("finding", metavar="CWF-XXXX-XXXX")
    removal.add_argument("--why", default="")
    add("threads", "the threads that you may see", run_threads)
    thread = add("thread", "open a thread, of all parties or of one with the coordinators", run_thread)
    thread.add_argument("topic")
    thread.add_argument("--party", type=int, default=0)
    read = add("read", "what was said in a thread", run_read)
    read.add_argument("thread", type=int)
    say = add("say", "say something in a thread", run_say)
    say.add_argument("thread", type=int)
    say.add_argument("text", help="- reads it from standard input")
    say.add_argument("--party", type=int, default=0, help="the desk, for a party without an account")
    add("history", "what was done in the case, the newest first", run_history)
    add("routes", "the vendors' directory", run_routes, one=False)


def _do(args: argparse.Namespace, do: Callable[[Db, Case, Principal], None]) -> int:
    from .commands import on_case

    return on_case(args, do)


def run_answer(args: argparse.Namespace) -> int:
    """What a party says; 0."""
    from ..vault import Vault
    from . import party

    def do(db: Db, case: Case, me: Principal) -> None:
        party.answer(
            db, case, party.one(db, case, args.party), args.answer, args.why, vault=Vault.of_home(args.home)
        )

    return _do(args, do)


def run_escalate(args: argparse.Namespace) -> int:
    """Records a step; 0."""
    from . import kept, party
    from .at_desk import now

    def do(db: Db, case: Case, me: Principal) -> None:
        kept.check_keeper(db, case)
        party.take_step(db, case, party.one(db, case, args.party), args.step, now())

    return _do(args, do)


def run_leave(args: argparse.Namespace) -> int:
    """Takes a party out; 0."""
    from . import kept, party

    def do(db: Db, case: Case, me: Principal) -> None:
        kept.check_keeper(db, case)
        party.leave(db, case, party.one(db, case, args.party), args.why)

    return _do(args, do)


def run_orphan(args: argparse.Namespace) -> int:
    """Names who may patch; 0."""
    from . import kept, party
    from .commands_whom import organisation

    def do(db: Db, case: Case, me: Principal) -> None:
        kept.check_keeper(db, case)
        party.declare_orphan(db, case, organisation(db, args.patcher, "SLUG"), args.why)

    return _do(args, do)


def run_refuse(args: argparse.Namespace) -> int:
    """Refuses the open proposal; 0."""
    from ..vault import Vault
    from . import talk

    def do(db: Db, case: Case, me: Principal) -> None:
        talk.refuse(db, case, args.why, vault=Vault.of_home(args.home))

    return _do(args, do)


def run_consent(args: argparse.Namespace) -> int:
    """Records consent; 0."""
    from clearway.records.errors import NotFoundError

    from ..vault import Vault
    from . import party, talk

    def do(db: Db, case: Case, me: Principal) -> None:
        proposal = talk.opened(db, case)
        if proposal is None:
            raise NotFoundError("no proposal is open", where=case.subject)
        talk.consent(
            db,
            case,
            proposal,
            _speaker(db, case, me, args.party),
            args.said,
            args.why,
            vault=Vault.of_home(args.home),
        )

    def _speaker(db: Db, case: Case, me: Principal, number: int) -> int:
        from .view import speaks_as

        if number:
            return party.one(db, case, number).id
        return party.must_speak(speaks_as(me, party.listed(db, case))).id

    return _do(args, do)


def run_observe(args: argparse.Namespace) -> int:
    """Notes what was seen; 0."""
    from ..vault import Vault
    from . import release
    from .at_desk import now

    def do(db: Db, case: Case, me: Principal) -> None:
        release.observe(db, Vault.of_home(args.home), case, args.home, args.act, args.why, now=now())

    return _do(args, do)


def run_remove(args: argparse.Namespace) -> int:
    """Takes a finding out; 0."""
    from .. import kept as findings
    from . import kept

    def do(db: Db, case: Case, me: Principal) -> None:
        kept.take_out(db, case, findings.one(db, args.finding), args.why)

    return _do(args, do)


def _printed(
    args: argparse.Namespace, read: Callable[[Db, Note], list[T]], lines: Callable[[T], Iterable[str]]
) -> int:
    """Prints what is read and told to the log, as JSON where that is asked for, else line by line; 0."""
    from ..command_parts import print_json as _json

    with opened(args.home) as home, home.reading("finding case") as (db, note):
        found = read(db, note)
    if args.json:
        _json(found)
        return 0
    for one in found:
        for line in lines(one):
            print(line)
    return 0


def run_threads(args: argparse.Namespace) -> int:
    """Lists the threads; 0."""
    from ..vault import Vault
    from . import kept, thread
    from .commands import _plain

    def lines(one: Thread) -> Iterator[str]:
        whose = f"with party {one.party} alone" if one.party else "all parties"
        yield f"{one.id:6d}  {one.messages:4d}  {_plain(one.topic)}  ({whose})"

    def read(db: Db, note: Note) -> list[Thread]:
        case, vault = kept.one(db, args.case), Vault.of_home(args.home)
        note(case.subject, [case.aud])
        return [thread.titled(vault, case, one) for one in thread.listed(db, case)]

    return _printed(args, read, lines)


def run_thread(args: argparse.Namespace) -> int:
    """Opens a thread; 0."""
    from ..vault import Vault
    from . import kept, thread

    def do(db: Db, case: Case, me: Principal) -> None:
        kept.check_keeper(db, case)
        thread.add(db, Vault.of_home(args.home), case, args.topic, to=args.party or None)

    return _do(args, do)


def run_read(args: argparse.Namespace) -> int:
    """Prints a thread; that it was read is on the log; 0."""
    from ..vault import Vault
    from . import kept, thread
    from .commands import _plain

    def read(db: Db, note: Note) -> list[Message]:
        case = kept.one(db, args.case)
        return thread.read(db, Vault.of_home(args.home), case, thread.one(db, case, args.thread))

    def lines(one: Message) -> Iterator[str]:
        yield f"{one.at:%Y-%m-%dT%H:%MZ}  {f'party {one.party}' if one.party else 'coordinators'}"
        for line in one.text.splitlines():
            yield f"    {_plain(line, 20_000)}"

    return _printed(args, read, lines)


def run_say(args: argparse.Namespace) -> int:
    """Says something; 0."""
    from ..vault import Vault
    from . import kept, party, thread
    from .view import speaks_as

    text = sys.stdin.read(thread.MAX_CHARS + 1) if args.text == "-" else args.text

    def do(db: Db, case: Case, me: Principal) -> None:
        speaks = args.party or None
        if not kept.keeps(db, case):
            speaks = party.must_speak(speaks_as(me, party.listed(db, case))).id
        found = thread.one(db, case, args.thread)
        thread.say(db, Vault.of_home(args.home), case, found, text, speaker=speaks)

    return _do(args, do)


def run_history(args: argparse.Namespace) -> int:
    """Prints what was done; 0."""
    from ..vault import Vault
    from . import kept
    from .commands import _plain

    def lines(one: Acted) -> Iterator[str]:
        whose = f"  party {one.party}" if one.party else ""
        why = f"  {_plain(one.why, 4_000)}" if one.why else ""
        yield f"{one.at:%Y-%m-%dT%H:%MZ}  {one.machine:8s} {one.act}: {one.was} -> {one.now}{whose}{why}"

    def read(db: Db, note: Note) -> list[Acted]:
        case = kept.one(db, args.case)
        note(case.subject, [case.aud])
        return kept.history(db, Vault.of_home(args.home), case)

    return _printed(args, read, lines)


def run_routes(args: argparse.Namespace) -> int:
    """Prints the directory; 0."""
    from . import route
    from .commands import _plain

    def lines(one: Route) -> Iterator[str]:
        whom = f"{_plain(one.name)}  {_plain(one.email)}".rstrip()
        yield f"{one.id:6d}  {_plain(one.ecosystem) or '*'}  {_plain(one.pattern)}  {whom}"

    return _printed(args, lambda db, _: route.listed(db), lines)
