"""`clearway backup` and `clearway restore`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse

    from .restore import Restored

_DESK = ("vault", "desk", "leases")  # folders of the home whose keys no backup holds


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `backup` and `restore`."""
    backup = commands.add_parser(
        "backup",
        help="one file from which this installation can be restored, taken while it runs",
        description="Writes the database, as of one moment, and the home's files to FILE, which must not exist. The "
        "file is as secret as the database.",
    )
    backup.add_argument("file", metavar="FILE")
    backup.add_argument(
        "--with-keys", action="store_true",
        help="with the keys that sign the log and the sign-in settings: who has the file can sign",
    )  # fmt: skip
    backup.add_argument("--json", action="store_true")
    backup.set_defaults(func=run_backup)
    restore = commands.add_parser(
        "restore",
        help="a backup into an empty home and database; the log goes on as a new epoch",
        description="Checks every byte of FILE, restores it, verifies the log, and opens an epoch that names the tree "
        "which is given up. Cut short, the same command goes on.",
    )
    restore.add_argument("file", metavar="FILE")
    restore.add_argument(
        "--key", metavar="KEY",
        help="the log's public key, known from elsewhere: it, or one that it endorsed, must have signed",
    )  # fmt: skip
    restore.add_argument(
        "--witness", metavar="FILE|KEY", action="append", default=[],
        help="a witness's copy of a checkpoint, or its public key; may be given again",
    )  # fmt: skip
    restore.add_argument("--json", action="store_true")
    restore.set_defaults(func=run_restore)


def run_backup(args: argparse.Namespace) -> int:
    """Takes a backup; returns 0."""
    from .backup import take

    shown = sys.stderr.isatty() and not args.quiet and not args.json

    def progress(done: int) -> None:
        sys.stderr.write(f"\r{done >> 20:,} MiB")
        sys.stderr.flush()

    manifest = take(
        args.home, Path(args.file), with_keys=args.with_keys, progress=progress if shown else None
    )
    if shown:
        sys.stderr.write("\n")
    size = sum(part.size for part in manifest.parts)
    if args.json:
        _print_json({"file": args.file, "bytes": size, "manifest": manifest})
        return 0
    keys = "with the log's keys" if manifest.with_keys else "without the log's keys"
    print(
        f"{args.file}: {size / 1e6:,.1f} MB, as of {manifest.taken}, {manifest.log.size:,} log entries, {keys}"
    )
    if any((args.home / folder).exists() for folder in _DESK):
        print(
            "not in it: the keys of the findings desk (vault/, desk/, leases/), without which sealed reports can't be "
            "opened: clearway finding keys export FILE"
        )
    return 0


def run_restore(args: argparse.Namespace) -> int:
    """Restores; returns 0."""
    from clearway.ledger.check import key_of
    from clearway.records.errors import InputError, UpstreamError, UsageError

    from .restore import restore

    def say(text: str) -> None:
        if not args.quiet:
            print(f"{text} …", file=sys.stderr, flush=True)

    try:
        key = key_of(args.key) if args.key else None
    except (InputError, UpstreamError) as error:
        raise UsageError(
            error.what, where="--key", mend="the log's public key, or a file with it: clearway/…+1a2b3c4d+AZ…"
        ) from error
    done = restore(args.home, Path(args.file), key=key, witnesses=tuple(args.witness), say=say)
    if args.json:
        _print_json(done)
        return 0
    if done.entries:
        log = f"the log verifies with {done.entries:,} entries and goes on as epoch {done.epoch}"
        print(f"restored as of {done.taken}: {log}")
    else:
        print(f"restored as of {done.taken}: nothing had been signed on its log yet")
    if done.lost:
        entries = "1 entry that was" if done.lost == 1 else f"{done.lost:,} entries that were"
        print(f"{entries} signed after the backup: lost, and epoch {done.epoch} says so")
    _show_back(done)
    if not any((args.home / folder).exists() for folder in _DESK):
        print("if it had a findings desk, what was sealed opens after: clearway finding keys import FILE")
    if not done.signed:
        print("no key was named: nothing but the file itself says whose it is (--key)")
    return 0


def _show_back(done: Restored) -> None:
    """What was ended since the backup and is back: nothing here can tell which, so people look."""
    ended, back = done.ended, done.back
    codes = _many(ended.codes, "one-time code or link", "one-time codes and links")
    print(
        f"ended, since they may have been: {_many(ended.sessions, 'session')}, {codes}, "
        f"{_many(ended.sign_ins, 'sign-in')} under way, "
        f"{_many(ended.approvals, 'request for approval', 'requests for approval')}"
    )
    if ended.embargoes:
        kept = _many(ended.embargoes, "embargo", "embargoes")
        print(f"frozen until a coordinator looks, since nothing is to end by itself: {kept}")
    if ended.webhooks:
        print(f"stopped until somebody makes them active again: {_many(ended.webhooks, 'webhook')}")
    print(
        f"as then, look at what has ended since: {_many(back.tokens, 'token')}, "
        f"{_many(back.people, 'person', 'people')} and their roles, "
        f"{_many(back.identities, 'passkey or bound account', 'passkeys and bound accounts')}, "
        f"{_many(back.parties, 'party', 'parties')} of embargoes, recipients, and markings that were narrowed"
    )


def _many(count: int, one: str, more: str = "") -> str:
    return f"{count:,} {one if count == 1 else more or one + 's'}"


def _print_json(value: Any) -> None:
    import msgspec

    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
