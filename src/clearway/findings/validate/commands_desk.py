"""`clearway finding evidence`: the desk's validations of a finding: asked for, read, accepted, taken back."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse

    import psycopg

    from ..kept import Finding

    Db = psycopg.Connection[Any]


def add_evidence(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `evidence` to `clearway finding`."""
    text = "the desk's validations of a finding: read, ask for one, accept, take back"
    parser = commands.add_parser("evidence", help=text, description=text[0].upper() + text[1:] + ".")
    parser.add_argument("handling", metavar="CWF-XXXX-XXXX")
    acts = parser.add_mutually_exclusive_group()
    acts.add_argument("--ask", action="store_true", help="start a validation; a worker takes it")
    acts.add_argument("--accept", type=int, metavar="NUMBER", help="accept one that has reached E4, for E6")
    acts.add_argument("--revoke", type=int, metavar="NUMBER", help="take one back: it counts for nothing")
    acts.add_argument(
        "--log", type=int, metavar="NUMBER", help="what the first run of one wrote, as it wrote it"
    )
    acts.add_argument(
        "--unvouch", action="append", default=[], metavar="SHA256",
        help="a file that was vouched for is not what is published: what rests on it is taken back; may be given again",
    )  # fmt: skip
    acts.add_argument(
        "--revocations", action="store_true",
        help="the signed list of statements that were taken back, for `clearway finding verify`",
    )  # fmt: skip
    parser.add_argument(
        "--upto", default="E4", choices=("E1", "E2", "E3", "E4", "E5"), help="with --ask (default: E4)"
    )
    parser.add_argument("--seconds", type=int, default=30, help="with --ask: for the variants of E4 (30)")
    parser.add_argument(
        "--patch", type=int, metavar="FILE", help="with --ask: the number of a file of the finding"
    )
    parser.add_argument(
        "--vouch", action="append", default=[], metavar="SHA256",
        help="with --ask: a file of the target that you have seen to be what is published; may be given again",
    )  # fmt: skip
    parser.add_argument("--by", default="", help="with --accept: a person, or upstream and where it said so")
    parser.add_argument(
        "--why", default="",
        help="with --accept, --revoke and --unvouch; with --ask: why it is tried again, without which nothing that was "
        "lowered or taken back comes back",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Does one act, or shows the validations; 0."""
    import re

    from clearway.access.here import opened
    from clearway.records.errors import UsageError

    from .. import kept
    from ..intake.record import desk_only

    if args.accept is not None and not (args.by.strip() and args.why.strip()):
        raise UsageError("say who accepts it, and why", mend="give --by and --why")
    if (args.revoke is not None or args.unvouch) and not args.why.strip():
        raise UsageError("say why it is taken back", mend="give --why")
    if not 0 <= args.seconds <= 3_600 or any(
        not re.fullmatch("[0-9a-fA-F]{64}", v) for v in (*args.vouch, *args.unvouch)
    ):
        raise UsageError("--seconds is 0 to 3,600, --vouch and --unvouch a SHA-256 in hexadecimal")
    with opened(args.home) as home, home.reading("finding validations") as (db, note):
        finding = kept.one(db, args.handling)
        if args.ask or args.accept is not None or args.revoke is not None or args.unvouch:
            desk_only(db)
        _act(args, db, finding)
        note(f"{finding.subject}/{'revocations' if args.revocations else 'validations'}", [finding.aud])
    return 0


def _act(args: argparse.Namespace, db: Db, finding: Finding) -> None:
    import msgspec

    from clearway.records.text import plain

    from ..vault import Vault
    from . import validation

    if args.log is not None:
        _, data = validation.log_of(db, Vault.of_home(args.home), validation.one(db, finding.id, args.log))
        if sys.stdout.isatty():  # the words of a program that nobody trusts steer no terminal
            for line in data.decode("utf-8", "replace").splitlines():
                print(plain(line, 4_000))
        else:
            sys.stdout.buffer.write(data)
        return
    if args.revocations:
        _revocations(args, db, finding)
        return
    told: dict[str, Any] | None = None
    if args.ask:
        asked = validation.ask(
            db,
            finding,
            upto=int(args.upto[1]),
            seconds=args.seconds,
            patch=args.patch,
            vouched=args.vouch,
            why=args.why,
        )
        told, words = {"id": asked}, f"asked: validation {asked}; a worker takes it"
    elif args.accept is not None:
        validation.accept(db, finding, args.accept, args.by, args.why)
        told, words = {"id": args.accept}, "accepted; its statement is signed in a moment"
    elif args.revoke is not None:
        after = validation.revoke(db, finding, args.revoke, args.why)
        told, words = (
            {"id": args.revoke, "level": after.level},
            f"taken back; the finding is at E{after.level}",
        )
    elif args.unvouch:
        taken = validation.unvouch(db, finding, args.unvouch, args.why)
        told, words = {"validations": taken}, f"taken back: {', '.join(map(str, taken))}"
    if told is not None:
        print(msgspec.json.encode(told).decode() if args.json else words)
        return
    from .api import Validations, view

    found = validation.listed(db, finding.id)
    if args.json:
        shown = Validations(items=tuple(view(finding.handling, one) for one in found))
        print(msgspec.json.encode(shown).decode())
        return
    for one in found:
        level = f"E{one.level}" if one.level is not None else "-"
        back = f"; taken back: {plain(one.revoked_why, 300)}" if one.revoked is not None else ""
        print(f"{one.number}  {one.state:8s} {level}  {plain(one.why, 300)}{back}")
        for step in one.steps:
            print(f"     E{step.level} {step.result}: {step.times} of {step.of}  {plain(step.why, 300)}")


def _revocations(args: argparse.Namespace, db: Db, finding: Finding) -> None:
    from clearway.records.clock import SystemClock

    from ..desk_key import DeskKey
    from ..vault import Vault
    from . import revoked, validation

    vault, found = Vault.of_home(args.home), validation.listed(db, finding.id)
    told = revoked.listed(db, vault, finding, found, SystemClock().now())
    print(revoked.signed(DeskKey.of_home(args.home, make=False), told).decode())
