"""`clearway finding receipt`: what a reporter holds, shown and verified, and the desk's key that it is verified by."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from clearway.access.here import opened

if TYPE_CHECKING:
    import argparse


def add_receipt(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `receipt` to `clearway finding`."""
    receipt = commands.add_parser(
        "receipt",
        help="a receipt: show it, verify it offline, the desk's key",
        description="What a reporter holds.",
    )
    kinds = receipt.add_subparsers(dest="receipt_command", metavar="COMMAND", required=True)
    verify = kinds.add_parser(
        "verify",
        help="verify a receipt, without database or network",
        description="Verifies a receipt offline; exit code 9 when it does not hold.",
    )
    verify.add_argument("receipt", metavar="RECEIPT", help="- reads from standard input")
    verify.add_argument(
        "--key", action="append", default=[], metavar="FILE",
        help="the desk's public keys, those that it had before too: PEM, or the answer of /api/v1/findings/keys; "
        "may be given several times (default: this home's)",
    )  # fmt: skip
    verify.add_argument("--report", default="", metavar="FILE", help="and that it is about this report")
    verify.add_argument("--json", action="store_true")
    verify.set_defaults(func=run_verify)
    show = kinds.add_parser("show", help="the receipt of a finding, as it was given out")
    show.add_argument("handling", metavar="CWF-XXXX-XXXX")
    show.add_argument("--json", action="store_true", help="the same: a receipt is JSON")
    show.set_defaults(func=run_receipt)
    key = kinds.add_parser("key", help="the desk's public key, to verify with")
    key.add_argument("--all", action="store_true", help="and those that it had before, from the database")
    key.add_argument("--json", action="store_true")
    key.set_defaults(func=run_key)


def run_verify(args: argparse.Namespace) -> int:
    """Verifies a receipt; raises IntegrityError (exit code 9) when it does not hold."""
    import msgspec

    from ..desk_key import DeskKey, public_keys
    from . import receipt

    envelope = read_bytes(args.receipt)
    if args.key:
        keys = [key for name in args.key for key in public_keys(read_bytes(name))]
    else:
        keys = [DeskKey.of_home(args.home, make=False).public]
    found, by = receipt.verified(envelope, keys, read_bytes(args.report) if args.report else None)
    if args.json:
        print(msgspec.json.encode({"ok": True, "key": by.key_id, "receipt": found}).decode())
    else:
        trial = "" if found.live else " (a trial)"
        print(f"{found.handling}{trial}: received {found.received:%Y-%m-%d %H:%M:%S} UTC, {found.state}")
        print(f"sha256 {found.sha256}, signed by {by.key_id[:16]}")
    return 0


def run_receipt(args: argparse.Namespace) -> int:
    """Prints a receipt as it was given out."""
    from clearway.records.errors import NotFoundError

    from .. import kept
    from . import submit

    with opened(args.home) as home, home.reading("finding receipt") as (db, note):
        finding = kept.one(db, args.handling)
        note(f"{finding.subject}/receipt", [finding.aud])
        found = submit.receipt_of(db, finding.id)
    if not found:
        raise NotFoundError("it came without a receipt", where=finding.handling)
    print(found)
    return 0


def run_key(args: argparse.Namespace) -> int:
    """Prints the desk's public key, PEM; with `--all` each that signs or has signed, oldest first."""
    import msgspec

    from .. import desk_key
    from ..desk_key import DeskKey

    if args.all:
        with opened(args.home) as (pool, _, key, _me), pool.acting(key) as db:
            found = desk_key.known(db)
        print(
            msgspec.json.encode({"keys": found}).decode() if args.json else "".join(k.public for k in found),
            end="\n" if args.json else "",
        )
        return 0
    public = DeskKey.of_home(args.home, make=False).public
    if args.json:
        print(msgspec.json.encode({"key_id": public.key_id, "public": public.public}).decode())
    else:
        print(public.public, end="")
    return 0


def read_bytes(name: str) -> bytes:
    """A file's bytes, or those of standard input; one byte more than any report has is enough to refuse it.

    Raises:
        ConfigError, UpstreamError: it can't be read.
    """
    from pathlib import Path

    from clearway.formats.reported_parts import MAX_BYTES
    from clearway.records.errors import NotFoundError
    from clearway.store.failures import at

    if name == "-":
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    path = Path(name)
    if not path.is_file():
        raise NotFoundError("no such file", where=name)
    with at(path), path.open("rb") as file:
        return file.read(MAX_BYTES + 1)
