"""`clearway finding assist`: what a model drafted, asked for, taken or put away; and what it would be sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse

    import psycopg

    from clearway.ledger.reading import Note
    from clearway.store.principal import Pool

    from ..vault import Vault
    from .preview import Preview
    from .view import Assistance, Endpoint, ProposalView

    Connection = psycopg.Connection[Any]


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `assist` to `clearway finding`."""
    text = "drafts by a model: ask for one, read, take or put away; nothing is changed by them"
    parser = commands.add_parser("assist", help=text, description=text[0].upper() + text[1:] + ".")
    parser.add_argument(
        "handling", nargs="?", default="", metavar="HANDLING", help="a finding, CWF-…, or a case, CWC-…"
    )
    acts = parser.add_mutually_exclusive_group()
    acts.add_argument("--settings", action="store_true", help="which model, and what may be sent to it")
    acts.add_argument("--summary", action="store_true", help="ask for a summary")
    acts.add_argument("--duplicates", action="store_true", help="ask which findings may be the same flaw")
    acts.add_argument(
        "--preview",
        choices=["summary", "duplicates"],
        help="what would be sent, byte for byte, and what stays here; nothing is sent",
    )
    acts.add_argument("--accept", type=int, metavar="NUMBER", help="take a summary as your own text")
    acts.add_argument("--discard", type=int, metavar="NUMBER", help="put a proposal away")
    parser.add_argument(
        "--text",
        metavar="FILE",
        help="with --accept: your text, `-` for standard input; without, the draft as it is",
    )
    parser.add_argument(
        "--body",
        metavar="FILE",
        help="with --preview: write the request's body there, `-` for standard output",
    )
    parser.add_argument("--json", action="store_true")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Does one act, or shows what there is; 0 when it is done."""
    from datetime import UTC, datetime

    from clearway.access import local
    from clearway.access.here import reading
    from clearway.records.errors import UsageError
    from clearway.store.migrate import migrate
    from clearway.store.principal import Pool
    from clearway.store.server import lease

    from ..vault import Vault

    if not args.settings and not args.handling:
        raise UsageError("a finding or a case is wanted", mend="give its handling id, or --settings")
    if args.text is not None and args.accept is None:
        raise UsageError("--text is what --accept takes")
    if args.body is not None and (args.preview is None or args.json):
        raise UsageError("--body is what --preview writes, without --json")
    own = _text(args.text) if args.text is not None else None
    with lease(args.home) as url:
        migrate(url)
        key = local.key(url, args.home, now=datetime.now(UTC))
        with Pool(url, size=1, owners=1) as pool, reading(pool, key, "finding assist") as (db, note):
            _act(args, db, note, pool, Vault.of_home(args.home), own)
    return 0


def _act(
    args: argparse.Namespace, db: Connection, note: Note, pool: Pool, vault: Vault, own: str | None
) -> None:
    from clearway.access.reading import audiences

    from .. import kept as findings
    from ..case import kept as cases
    from ..intake.record import desk_only
    from . import kept, start
    from .settings import known
    from .view import Settled, endpoint, proposal, view

    if args.settings:
        desk_only(db)
        settings = known(args.home)
        with pool.owner() as owner:
            told = Settled(endpoint=endpoint(owner, settings) if settings else None)
        _json(told) if args.json else _settings(told.endpoint)
        return
    about = (
        cases.one(db, args.handling)
        if args.handling.upper().startswith("CWC-")
        else findings.one(db, args.handling)
    )
    if args.preview is not None:
        from .preview import preview

        shown_first = preview(db, pool.owner, args.home, args.preview, about)
        if args.json:
            _json(shown_first)
        elif args.body is not None:
            _written(args.body, shown_first)
        else:
            _previewed(shown_first)
        return
    if args.summary or args.duplicates:
        kind: Any = "summary" if args.summary else "duplicates"
        number = start.ask(db, pool.owner, args.home, kind, about)
        _line(args, {"id": number}, f"asked: proposal {number}; a worker takes it")
        return
    if args.accept is not None or args.discard is not None:
        desk_only(db)
        found = kept.one(db, args.accept if args.accept is not None else args.discard)
        if found.subject != about.subject:
            from clearway.records.errors import NotFoundError

            raise NotFoundError("no such proposal", where=f"proposal {found.id}")
        if args.accept is not None:
            start.take(db, vault, found, proposal(db, vault, found).draft if own is None else own)
        else:
            kept.discard(db, found)
        done = "taken: it is your text now" if args.accept is not None else "put away"
        _line(args, {"id": found.id, "state": kept.one(db, found.id).state}, done)
        return
    shown = view(db, pool.owner, args.home, vault, about)
    drafts = audiences(db, "assist_proposal", "proposal", (one.id for one in shown.proposals))
    note(f"{about.subject}/assist", [about.aud, *drafts])
    _json(shown) if args.json else _shown(shown)


def _settings(told: Endpoint | None) -> None:
    from clearway.access.marking import TLP
    from clearway.records.text import plain

    if told is None:
        print("the assistance is off: nothing is sent anywhere")
        return
    print(f"{plain(told.model, 80)} at {plain(told.url, 200)}, {told.place} the house")
    print(
        f"today: {told.requests:,} of {told.day_requests:,} requests, {told.tokens:,} of {told.day_tokens:,} tokens"
    )
    for tlp in TLP:
        print(f"  TLP:{tlp:<13} {', '.join(told.send.get(tlp, ())) or 'nothing'}")
    where = (
        "may be sent, as its marking allows"
        if told.place == "inside"
        else "is never sent: the endpoint is outside"
    )
    print(f"  what is under embargo {where}")


def _shown(found: Assistance) -> None:
    if not found.proposals:
        print("nothing is drafted")
    for one in found.proposals:
        for line in _lines(one):
            print(line)


def _previewed(found: Preview) -> None:
    from clearway.records.text import plain

    print(f"{plain(found.model, 80)} at {plain(found.url, 300)}, {found.place} the house")
    if found.refused:
        print(f"it would not be sent: {plain(found.refused, 500)}")
    for one in found.sends:
        print(f"  goes   {one.about} as {one.ref}, TLP:{one.tlp}: {', '.join(one.fields)}")
    for left in found.left_out:
        print(f"  stays  {left.about}: {left.what} ({left.because}: {plain(left.why, 500)})")
    if found.body:
        print(f"{found.bytes:,} bytes, sha256 {found.sha256}; at most {found.tokens_at_most:,} tokens")
        print(plain(found.body, len(found.body)))


def _written(name: str, found: Preview) -> None:
    import sys
    from pathlib import Path

    from clearway.records.errors import ConflictError, InputError

    if not found.body:
        raise ConflictError(f"nothing would be sent: {found.refused}", where=found.handling)
    if name == "-":
        sys.stdout.buffer.write(found.body.encode())
        return
    try:
        Path(name).write_bytes(found.body.encode())
    except OSError as error:
        raise InputError(f"the body can't be written: {error.strerror}", where=name) from None
    print(f"{found.bytes:,} bytes, sha256 {found.sha256}")


def _lines(one: ProposalView) -> list[str]:
    from clearway.records.text import plain

    if one.state == "accepted":
        head = f"{one.id}  summary, taken by {one.decided_by or 'a coordinator'} from a draft by {one.model}"
        return [plain(head, 300), *(f"   {plain(line, 1_000)}" for line in one.text.split("\n"))]
    checked = f"drafted by a model ({one.model}), not checked" if one.state == "proposed" else one.state
    lines = [f"{one.id}  {one.kind}: {checked}" + (f", {one.why}" if one.why else "")]
    lines += [f"   look twice: {d}" for d in one.doubts]
    lines += [f"   {line}" for line in one.draft.split("\n") if line]
    lines += [f"   open: {q}" for q in one.open_questions]
    lines += [f"   {d.finding}  {d.reason}  ({d.title})" for d in one.duplicates]
    return [plain(line, 1_000) for line in lines]


def _text(name: str) -> str:
    import sys
    from pathlib import Path

    from clearway.records.errors import InputError

    from .kept import MAX_TEXT

    try:
        with sys.stdin.buffer if name == "-" else Path(name).open("rb") as file:
            return file.read(4 * MAX_TEXT + 1).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the text can't be read: {type(error).__name__}", where=name) from None


def _line(args: argparse.Namespace, said: dict[str, object], words: str) -> None:
    import msgspec

    print(msgspec.json.encode(said).decode() if args.json else words)


def _json(value: Any) -> None:
    import msgspec

    print(msgspec.json.encode(value).decode())
