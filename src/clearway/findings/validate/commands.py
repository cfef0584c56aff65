"""`clearway finding validate` and `verify`: how far a proof goes, and whether a statement of it holds. No database."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse
    from datetime import datetime

    from ..desk_key import PublicKey
    from .files import Folders
    from .judge import Judged
    from .statement import Statement

LEVELS = ("E0", "E1", "E2", "E3", "E4", "E5")


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `validate` and `verify`."""
    from .commands_desk import add_evidence

    add_evidence(commands)
    validate = commands.add_parser(
        "validate",
        help="how far the evidence of a recipe goes, E0 to E5",
        description="Builds the target of FOLDER/recipe.json, runs its proof in a box without a network, and says "
        "which level of evidence it reaches. Exit code 0 when the level that was asked for is reached, 1 when not.",
    )
    validate.add_argument("folder", metavar="FOLDER", type=Path)
    _shared(validate)
    validate.add_argument(
        "--vouch", action="store_true",
        help="you have seen that the target's files in FOLDER are those that are published, and have read its recipe; "
        "else, what is in none of --files and the home's corpus/ keeps the proof at E1",
    )  # fmt: skip
    validate.add_argument(
        "--upto", default="E4", choices=LEVELS, help="look no further than this (default: E4)"
    )
    validate.add_argument(
        "--statements",
        metavar="DIR",
        type=Path,
        help="write a signed statement for each level, E0.json and up",
    )
    validate.set_defaults(func=run_validate)
    verify = commands.add_parser(
        "verify",
        help="whether a signed statement of evidence holds",
        description="Verifies the signature of a statement and that it is about FOLDER/recipe.json; with --again, runs "
        "it again. Exit code 9 when it does not hold.",
    )
    verify.add_argument("statement", metavar="STATEMENT", type=Path)
    verify.add_argument(
        "--subject", metavar="FOLDER", type=Path, required=True, help="the folder of the recipe"
    )
    verify.add_argument(
        "--key", metavar="PEM", type=Path, action="append", default=[],
        help="a public key of the desk that signed it; may be given again; default: this home's own",
    )  # fmt: skip
    verify.add_argument(
        "--revocations", metavar="FILE", type=Path,
        help="the desk's signed list of what it took back of this finding, from GET /api/v1/findings/…/revocations",
    )  # fmt: skip
    verify.add_argument("--again", action="store_true", help="build and run it again, and compare")
    _shared(verify)
    verify.set_defaults(func=run_verify)


def _shared(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--files", metavar="DIR", type=Path, action="append", default=[],
        help="a folder with files that the recipe names by SHA-256, which you say to be what is published; "
        "may be given again",
    )  # fmt: skip
    parser.add_argument(
        "--seconds", type=float, default=30.0, help="for the variants of E4 (default: 30, at most 3600)"
    )
    parser.add_argument("--json", action="store_true")


def run_validate(args: argparse.Namespace) -> int:
    """Judges a folder; returns 0 when the level that was asked for is reached."""
    from clearway.records.clock import SystemClock
    from clearway.sandbox import backend

    from . import statement

    upto = int(args.upto[1])
    vouched, why = _vouched(args)
    known = frozenset().union(*vouched.values())
    judged, recipe, raw = _judged(args, args.folder, upto, known, why)
    made = statement.statements(
        recipe, raw, judged, backend().enforcement(), SystemClock().now(), vouched=vouched
    )
    if args.statements is not None:
        _write(args, made)
    if args.json:
        _print_json(_as_json(recipe, judged))
    else:
        _print_ladder(recipe, judged)
    return 0 if judged.ladder.level >= upto else 1


def run_verify(args: argparse.Namespace) -> int:
    """Verifies a statement; returns 0 when it holds.

    Raises:
        IntegrityError: it does not.
    """
    from clearway.records.errors import ConfigError, IntegrityError
    from clearway.sandbox import backend

    from .. import desk_key
    from . import statement

    keys = [desk_key.public_key(_read(p).decode("ascii", "replace")) for p in args.key]
    try:
        keys = keys or [desk_key.DeskKey.of_home(args.home, make=False).public]
    except ConfigError as error:
        mend = "name the public key of the desk that signed it with --key; `validate` writes it as desk.pem"
        raise ConfigError(error.what, where=error.where, mend=mend) from None
    envelope = _read(args.statement, statement.MOST_BYTES * 2)
    found, key = statement.opened(envelope, keys)
    statement.same_subject(found, _read(args.subject / "recipe.json"))
    said = found.predicate
    answer: dict[str, Any] = {
        "ok": True, "key": key.key_id, "level": said.level, "result": said.result, "why": said.why, "notes": [],
        "again": False, "not_revoked_at": _not_revoked(args, envelope, found, keys),
        "vouched": said.vouched, "capped": said.capped, "accepted_by": said.accepted_by,
    }  # fmt: skip
    if args.again:
        judged, _, _ = _judged(args, args.subject, min(said.level, 5), statement.known_to(found))
        against, notes = statement.differences(found, judged, backend().enforcement())
        if against:
            raise IntegrityError("; ".join(against), where=str(args.statement))
        answer |= {"again": True, "notes": notes}
    if args.json:
        _print_json(answer)
        return 0
    from clearway.records.text import plain

    print(f"holds: E{said.level} {said.result}, {plain(said.why)}")
    print(f"signed by {key.key_id[:16]}… at {said.at:%Y-%m-%d %H:%M} UTC; {plain(said.target, 200)}")
    if said.accepted_by:
        print(f"accepted by {plain(said.accepted_by, 200)}")
    for role, names in (said.vouched or {}).items():
        print(f"vouched for by {plain(role, 40)}: {plain(', '.join(names), 400)}")
    for reason in said.capped:
        print(f"capped at E1: {plain(reason, 200)}")
    if answer["not_revoked_at"] is not None:
        print(f"not taken back as of {answer['not_revoked_at']:%Y-%m-%d %H:%M} UTC")
    for note in answer["notes"]:
        print(f"note: {plain(note, 400)}")
    return 0


def _not_revoked(
    args: argparse.Namespace, envelope: bytes, found: Statement, keys: list[PublicKey]
) -> datetime | None:
    """When the desk still held to the statement; None when nobody says. Raises IntegrityError: it was taken back."""
    if args.revocations is None:
        return None
    from clearway.records.errors import InputError, IntegrityError
    from clearway.records.text import plain

    from . import revoked

    told = revoked.opened(_read(args.revocations, revoked.MOST_BYTES * 2), keys)
    if told.finding != found.predicate.finding:
        raise InputError("the list is of another finding than the statement", where=str(args.revocations))
    taken = revoked.of(told, envelope)
    if taken is not None:
        why = f"the desk took it back on {taken.at:%Y-%m-%d}: {plain(taken.why)}"
        raise IntegrityError(why, where=str(args.statement))
    return told.at


def _vouched(args: argparse.Namespace) -> tuple[dict[str, frozenset[str]], str]:
    """The SHA-256 of what is said to be what is published, by whose word, and why files that are there don't count. A
    recipe's own folder comes from whoever made the proof; what was fetched with a note counts as what it says, unless
    the user has read the recipe."""
    from hashlib import sha256

    from . import recipe as recipes
    from .fetched import FOLDER, Fetched
    from .files import Folders

    raw = _read(args.folder / "recipe.json")
    recipe = recipes.read(raw, str(args.folder / "recipe.json"))
    desks, named = Fetched(args.home / FOLDER), Fetched(*args.files)
    said = named.digests() if args.vouch else named.unnoted() | named.counting(recipe)
    if args.vouch:
        said |= Folders(args.folder).digests() | {sha256(raw).hexdigest()}
    by = {"command line": said, "fetched by the desk": desks.counting(recipe, read=args.vouch)}
    known = frozenset().union(*by.values())
    return by, "; ".join(w for w in (desks.why(recipe, known), named.why(recipe, known)) if w)


def _judged(
    args: argparse.Namespace, folder: Path, upto: int, known: frozenset[str] | None, unknown_why: str = ""
) -> tuple[Judged, Any, bytes]:
    from hashlib import sha256

    from clearway.records.errors import NotFoundError, UsageError
    from clearway.sandbox import backend

    from . import apart, judge
    from . import recipe as recipes
    from .files import Folders

    if not 0 <= args.seconds <= 3600:
        raise UsageError("--seconds is between 0 and 3600")
    raw = _read(folder / "recipe.json")
    recipe = recipes.read(raw, str(folder / "recipe.json"))
    box = backend()
    published = Folders(*args.files, args.home / "corpus").digests()
    shown = sys.stderr.isatty() and not args.quiet and not args.json

    def told(what: str, done: int, total: int) -> None:
        print(f"\r\033[K{what} {done} of {total}", end="", file=sys.stderr, flush=True)

    document = sha256(raw).hexdigest()
    subject = judge.Subject(
        recipe=recipe, files=_folders(args, folder), known=known, document=document, unknown_why=unknown_why
    )
    try:
        with apart.builder(box, args.home, published) as builder:
            judged = judge.judge(
                box, builder, subject, upto=upto, seconds=args.seconds, progress=told if shown else None
            )
    except NotFoundError as error:
        name = recipes.named(recipe, error.where)
        raise NotFoundError(error.what, where=name, mend=f"{error.mend}: {error.where}") from None
    finally:
        if shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
    return judged, recipe, raw


def _folders(args: argparse.Namespace, folder: Path) -> Folders:
    from .files import Folders

    return Folders(folder, *args.files, args.home / "corpus")


def _read(path: Path, most: int = 1 << 20) -> bytes:
    from clearway.records.errors import ClearwayError, NotFoundError, TooLargeError
    from clearway.store.failures import at

    try:
        with at(path), path.open("rb") as file:
            data = file.read(most + 1)
    except ClearwayError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise NotFoundError("there is no such file", where=str(path)) from None
        raise
    if len(data) > most:
        raise TooLargeError(f"more than {most >> 10} KiB", where=str(path))
    return data


def _write(args: argparse.Namespace, made: tuple[Statement, ...]) -> None:
    from clearway.store.failures import at

    from ..desk_key import DeskKey
    from .statement import signed

    key = DeskKey.of_home(args.home)
    with at(args.statements):
        args.statements.mkdir(parents=True, exist_ok=True)
        for one in made:
            (args.statements / f"E{one.predicate.level}.json").write_bytes(signed(key, one) + b"\n")
        (args.statements / "desk.pem").write_text(key.public.public, "ascii")


def _as_json(recipe: Any, judged: Judged) -> dict[str, Any]:
    from . import crash
    from .statement import named

    state = judged.state
    return {
        "target": named(recipe.target),
        "patched": named(recipe.patched) if recipe.patched is not None else None,
        "ids": list(recipe.ids),
        "level": judged.ladder.level,
        "why": judged.ladder.why,
        "steps": [
            {"level": s.level, "result": s.result, "why": s.why, "times": s.times, "of": s.of}
            for s in judged.ladder.steps
        ],
        "crash": None
        if state is None
        else {"key": state.key, "version": crash.VERSION, "error": state.error, "frames": list(state.frames)},
        "files_of_the_reporter": judged.theirs,
        "seconds": round(judged.seconds, 2),
    }


def _print_json(answer: dict[str, Any]) -> None:
    import msgspec

    print(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode())


def _print_ladder(recipe: Any, judged: Judged) -> None:
    from clearway.records.text import plain

    from .statement import named

    patched = f" against {plain(recipe.patched.version, 80)}" if recipe.patched is not None else ""
    print(f"{plain(named(recipe.target), 200)}{patched}: E{judged.ladder.level} in {judged.seconds:.1f} s")
    words = {"met": "met", "failed": "FAILED", "not_tried": "not tried"}
    for step in judged.ladder.steps:
        count = f" ({step.times} of {step.of})" if step.of else ""
        print(f"  E{step.level} {words[step.result]:<9} {plain(step.why)}{count}")
    if judged.capped:
        print(
            "  what you have seen to be published counts: --vouch, or --files with the folder that you fetched"
        )
    if judged.state is not None:
        whose = ", as a program with files of the reporter's tells it" if judged.theirs else ""
        print(f"  crash{whose}: {plain(str(judged.state))}")
    if judged.ladder.level < 1 and judged.output:  # a build that failed, or a proof that does not fire
        for line in judged.output.decode("utf-8", "replace").splitlines()[-8:]:
            print(f"  | {plain(line, 160)}")
