"""`clearway finding keys export|import`: the desk's keys to another machine, encrypted."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse

EXPORTED, IMPORTED = "desk.keys_exported", "desk.keys_imported"


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `keys` to `clearway finding`."""
    keys = commands.add_parser(
        "keys",
        help="the desk's keys, which no backup holds: to a file, and back",
        description="The keys under which reports are sealed and receipts signed. No backup holds them.",
    )
    own = keys.add_subparsers(dest="keys_command", metavar="COMMAND", required=True)
    out = own.add_parser(
        "export",
        help="write them to FILE, encrypted as age does",
        description="Writes every key of the home to FILE, which must not exist, encrypted as age does "
        "(age-encryption.org/v1). Keep it apart from the backups: with both, everything is open.",
    )
    out.add_argument("file", metavar="FILE")
    out.add_argument(
        "--recipient", action="append", default=[], metavar="age1…", help="whom it is for; may be given again"
    )
    _passphrase(out)
    out.set_defaults(func=run_export)
    back = own.add_parser(
        "import",
        help="bring them into this home, after a restore",
        description="Brings into the home what its database needs of the keys in FILE. What was destroyed stays so.",
    )
    back.add_argument("file", metavar="FILE")
    back.add_argument("--identity", default="", metavar="PATH", help="a file with AGE-SECRET-KEY-1…")
    _passphrase(back)
    back.set_defaults(func=run_import)


def _passphrase(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--passphrase-file", default="", metavar="PATH", help="its first line; without, you are asked"
    )
    parser.add_argument("--json", action="store_true")


def run_export(args: argparse.Namespace) -> int:
    """Writes the file; 0."""
    from datetime import UTC, datetime

    from clearway.records.errors import UsageError
    from clearway.store.failures import at
    from clearway.store.key_file import write_first
    from clearway.store.principal import Pool
    from clearway.store.server import lease

    from . import keyring

    path = Path(args.file)
    if path.exists():
        raise UsageError("there is a file of that name", where=str(path), mend="name another")
    if args.recipient and args.passphrase_file:
        raise UsageError("a file is for recipients, or under a passphrase", where="--recipient")
    found = keyring.collected(args.home, datetime.now(UTC))
    passphrase = "" if args.recipient else _asked(args.passphrase_file, twice=True)
    file = keyring.encrypted(found, recipients=args.recipient, passphrase=passphrase)
    with lease(args.home) as url, Pool(url, size=1) as pool, pool.owner() as db:
        # On the log before anybody has the file: an entry without a file may be, a file without an entry not.
        keyring.log_keys(db, EXPORTED, file)
    with at(path):
        write_first(path, file)
    if args.json:
        _json(
            {
                "file": args.file,
                "bytes": len(file),
                "keys": len(found.vault),
                "destroyed": len(found.destroyed),
            }
        )
        return 0
    print(f"{args.file}: {len(found.vault):,} keys, mode 0600. Keep it apart from the backups.")
    return 0


def run_import(args: argparse.Namespace) -> int:
    """Brings the keys in; 0."""
    from clearway.formats.age import MAX_BYTES
    from clearway.records.errors import ConfigError, TooLargeError, UsageError
    from clearway.store.failures import at
    from clearway.store.migrate import current, head
    from clearway.store.principal import Pool
    from clearway.store.server import lease

    from . import keyring

    path = Path(args.file)
    if args.identity and args.passphrase_file:
        raise UsageError("an identity or a passphrase", where="--identity")
    with at(path):
        if path.stat().st_size > MAX_BYTES + (MAX_BYTES >> 8):
            raise TooLargeError("this is no file of keys", where=str(path))
        file = path.read_bytes()
    identities = _identities(args.identity) if args.identity else []
    passphrase = "" if identities else _asked(args.passphrase_file, twice=False)
    keys = keyring.opened(file, identities=identities, passphrase=passphrase)
    with lease(args.home) as url:
        if current(url) != head():
            raise ConfigError(
                "the database is not of this release", where="database", mend="restore the backup first"
            )
        with Pool(url, size=1) as pool:
            with pool.owner() as db:
                wanted = keyring.needed(db)
                keyring.log_keys(db, IMPORTED, file)
            taken = keyring.put(args.home, keys, wanted)
    if args.json:
        _json(taken)
        return 0
    print(
        f"{taken.added:,} keys added, {taken.there:,} were here{''.join(f', {f} added' for f in taken.files)}"
    )
    if taken.destroyed or taken.needless:
        print(
            f"left out: {taken.destroyed:,} that were destroyed, {taken.needless:,} that nothing here needs"
        )
    return 0


def _asked(file: str, *, twice: bool) -> str:
    """The passphrase from a file's first line, or from the terminal."""
    from clearway.records.errors import UsageError
    from clearway.store.failures import at

    if file:
        with at(Path(file)), Path(file).open(encoding="utf-8", errors="replace") as opened:
            found = opened.readline(4_096).rstrip("\r\n")
    elif sys.stdin.isatty():
        from getpass import getpass

        found = getpass("Passphrase: ")
        if twice and found and getpass("Again: ") != found:
            raise UsageError("the two are not the same", where="passphrase")
    else:
        raise UsageError(
            "nobody is there to ask", where="passphrase", mend="--passphrase-file, --recipient or --identity"
        )
    if not found:
        raise UsageError("the passphrase is empty", where="passphrase")
    return found


def _identities(path: str) -> list[str]:
    from clearway.records.errors import UsageError
    from clearway.store.failures import at

    with at(Path(path)):
        lines = Path(path).read_bytes()[: 1 << 16].decode("ascii", "replace").splitlines()
    found = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not found:
        raise UsageError("the file has no identity", where=path, mend="a line AGE-SECRET-KEY-1…")
    return found


def _json(value: Any) -> None:
    import msgspec

    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
