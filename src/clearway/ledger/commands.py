"""`clearway ledger`: status, verify, proof, export, witness, key, epoch, erase, asked, integrate."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable


def add_commands(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    *,
    restored: Callable[[Any, str], dict[str, int]] | None = None,
) -> None:
    """Adds `ledger` with its own commands. `restored` is called in an epoch's transaction: what it ended."""
    ledger = commands.add_parser(
        "ledger",
        help="the log of every act: verify it, prove an entry, export it",
        description="The append-only log of every act. `verify` with a file needs no database.",
    )
    own = ledger.add_subparsers(dest="ledger_command", metavar="COMMAND", required=True)

    def add(name: str, text: str, func: Any, *, json: bool = True) -> argparse.ArgumentParser:
        parser = own.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        if json:
            parser.add_argument("--json", action="store_true")
        parser.set_defaults(func=func)
        return parser

    add("status", "how far the log is, who signs it, what waits", run_status)
    verify = add(
        "verify",
        "verify every entry, tile, root and signature; exit code 9 when something is wrong",
        run_verify,
    )
    verify.add_argument(
        "file", nargs="?", metavar="FILE", help="an exported log; default: this home's database"
    )
    verify.add_argument("--key", metavar="KEY", help="the log's public key (NAME+ID+KEY, or a file with it)")
    verify.add_argument(
        "--witness", metavar="FILE|KEY", action="append", default=[],
        help="what a witness has seen (its .checkpoint or .seen), or its public key; may be given again",
    )  # fmt: skip
    verify.add_argument(
        "--complete", action="store_true",
        help="every part must be there, or an entry says that exactly it was erased (a file exported with --opened)",
    )  # fmt: skip
    proof = add("proof", "the proof that an entry is in the log, or the check of one", run_proof)
    proof.add_argument("entry", metavar="ENTRY", help="its number; with --check, the file of a proof")
    proof.add_argument(
        "--check", action="store_true", help="check a proof that was handed over; needs no database"
    )
    proof.add_argument("--key", metavar="KEY", help="with --check, the log's public key")
    export = add("export", "write the log to one new file that verifies without the database", run_export)
    export.add_argument("file", metavar="FILE")
    export.add_argument(
        "--opened", action="store_true",
        help="with headers and contents, of every marking: the file is as sensitive as they are, and an entry says so",
    )  # fmt: skip
    witness = add(
        "witness",
        "look at a log's newest checkpoint and co-sign it if it continues the last one seen",
        run_witness,
    )
    witness.add_argument("--from", dest="source", metavar="URL|FILE", default="",
                         help="a server's address, or an exported log; default: this home's database")  # fmt: skip
    witness.add_argument(
        "--state", metavar="DIR", default="", help="the witness's folder; default: HOME/witness"
    )
    witness.add_argument("--name", default="witness", help="the name it signs under, when its key is made")
    witness.add_argument("--key", metavar="KEY", help="the log's public key; needed with --from")
    witness.add_argument("--accept-epoch", metavar="N", type=int, default=0,
                         help="co-sign although epochs up to N gave up entries that were seen")  # fmt: skip
    witness.add_argument(
        "--show-key", action="store_true", help="print the witness's public key and do nothing else"
    )
    key = add("key", "the keys that sign the log", run_key)
    key.add_argument(
        "--rotate", action="store_true", help="sign with a new key from now on, endorsed by the old one"
    )
    key.add_argument("--post-quantum", action="store_true", help="sign with an ML-DSA-87 key too from now on")
    key.add_argument(
        "--accept-witness", metavar="KEY", help="take co-signatures of the witness with this public key"
    )
    epoch = add("epoch", "go on after the database was restored from a backup", run_epoch)
    epoch.add_argument("--reason", required=True, help="why it was restored; everybody reads it")
    epoch.set_defaults(restored=restored)
    erase = add(
        "erase", "erase the header or content of an entry; its hash stays, and the log verifies", run_erase
    )
    erase.add_argument("entry", type=int, metavar="ENTRY")
    erase.add_argument("--header", action="store_true", help="who, when, what and about what")
    erase.add_argument("--content", action="store_true")
    erase.add_argument("--reason", required=True, help="why; logged for those who could read the entry")
    asked = add("asked", "the entries of a person's reading of a list under these filters", run_asked)
    asked.add_argument(
        "person", type=int, metavar="PERSON", help="the number of who read, as entries have it"
    )
    asked.add_argument("list", metavar="LIST", help="such as exposures, of list/exposures")
    asked.add_argument(
        "question", metavar="QUERY", help='the filters as in an address: "flaw=CVE-2026-1&status=open"'
    )
    add("integrate", "give committed entries their places now, where no server runs", run_integrate)


def run_status(args: argparse.Namespace) -> int:
    """Prints how the log stands; returns 9 when it has fewer entries than were signed here."""
    from . import entries
    from .keys import FOLDER, last_signed
    from .opened import opened

    with opened(args.home) as log:
        found = entries.status(log.db)
    last = last_signed(args.home / FOLDER)
    shortened = last is not None and last.origin == found.origin and last.size > found.size
    if last is not None and shortened:
        print(
            f"The log has {found.size:,} entries, and {last.size:,} were signed here: verify it.",
            file=sys.stderr,
        )
    if args.json:
        _print_json(found)
        return 9 if shortened else 0
    print(f"log      {found.origin}, epoch {found.epoch}")
    print(f"entries  {found.size:,} integrated, {found.pending:,} waiting")
    print(f"root     {found.root}")
    print(f"signed   {found.signed.isoformat() if found.signed else 'never'} by {len(found.keys)} key(s)")
    seen = (
        f"{found.witnessed_size:,} entries, {found.witnessed_at.isoformat()}"
        if found.witnessed_at
        else "nobody"
    )
    print(f"witness  {seen}")
    return 9 if shortened else 0


def run_verify(args: argparse.Namespace) -> int:
    """Verifies; returns 0 when all holds, or nothing was ever signed here, and 9 when not."""
    from .check import verify_file, verify_home

    witnesses = list(args.witness)
    progress = None if args.quiet or args.json or not sys.stderr.isatty() else _progress
    if args.file:
        report = verify_file(
            args.file, key=args.key, witnesses=witnesses, complete=args.complete, progress=progress
        )
    else:
        report = verify_home(
            args.home,
            key=args.key,
            witnesses=witnesses,
            complete=args.complete,
            unsigned=True,
            progress=progress,
        )
    if args.json:
        _print_json(report)
    else:
        from .check import show

        show(report, sys.stdout)
    return 0 if report.ok else 9


def run_proof(args: argparse.Namespace) -> int:
    """Prints a proof, or checks one; raises IntegrityError (exit code 9) for one that proves nothing."""
    from clearway.records.errors import UsageError

    if args.check:
        from .check import key_of, read_file
        from .proofs import checked

        if not args.key:
            raise UsageError("no key to check it with", mend="give the log's public key with --key")
        proof, checkpoint = checked(read_file(args.entry), key_of(args.key))
        if args.json:
            told = {"entry": proof.entry, "leaf": proof.leaf, "size": checkpoint.size, "shown": proof.shown}
            _print_json({"ok": True, **told})
        else:
            print(
                f"entry {proof.entry} is leaf {proof.leaf} of the {checkpoint.size:,} that the log has signed"
            )
            if len(proof.shown) < 2:
                shown = f"only its {proof.shown[0]} is shown" if proof.shown else "nothing of it is shown"
                print(f"{shown}: what else it is, its number too, is the word of who gave the proof")
        return 0
    if not args.entry.isascii() or not args.entry.isdigit() or len(args.entry) > 18:
        raise UsageError("an entry is a number", mend="see `clearway ledger status`, or the audit page")
    from . import entries, handed
    from .opened import opened
    from .sequencer import integrate_all, signer_of

    with opened(args.home) as log:
        integrate_all(log.db, signer_of(log.db, args.home))
        proof = entries.proof(log.db, int(args.entry))
        handed.proof_given(log.db, proof)
    _print_json(proof)
    return 0


def run_export(args: argparse.Namespace) -> int:
    """Writes the bundle.

    Raises:
        UsageError: the file is `-`: what is written is verified first, and put in its place whole.
    """
    from pathlib import Path

    from clearway.records.errors import UsageError

    from .opened import opened
    from .sequencer import integrate_all, signer_of
    from .stored import export_to

    if args.file == "-":
        raise UsageError("an export is a file", where="-", mend="name a new file")
    with opened(args.home) as log:
        integrate_all(log.db, signer_of(log.db, args.home))
        manifest = export_to(log.db, Path(args.file), opened=args.opened)
    if args.json:
        _print_json({"file": args.file, "size": manifest.size, "opened": manifest.opened})
    else:
        what = "with headers and contents" if manifest.opened else "hashes only"
        print(
            f"{args.file}: {manifest.size:,} entries, {what}; check it with `clearway ledger verify {args.file}`"
        )
    return 0


def run_witness(args: argparse.Namespace) -> int:
    """Co-signs and hands the co-signature back, where it can be."""
    from .witnessing import observe, witness_of

    if args.show_key:
        key = witness_of(args.home, args.state, args.name).key.public.text()
        if args.json:
            _print_json({"key": key})
        else:
            print(key)
        return 0
    seen = observe(
        args.home, args.source, state=args.state, name=args.name, key=args.key, epoch=args.accept_epoch
    )
    if args.json:
        _print_json(seen)
    else:
        print(
            f"co-signed {seen.size:,} entries of {seen.origin}"
            + ("" if seen.kept else "; hand the line over:")
        )
        if seen.proved < seen.seen:
            print(
                f"proved up to {seen.proved:,} of {seen.seen:,} entries that were seen before; a restore gave up others"
            )
        if not seen.kept:
            print(seen.line)
    return 0


def run_key(args: argparse.Namespace) -> int:
    """Shows the keys, after changing them if asked to."""
    from . import tree_store
    from .check import key_of
    from .log_keys import accept_witness, add_post_quantum, ensure_registered, rotate
    from .opened import opened
    from .sequencer import integrate_all, signer_of

    with opened(args.home) as log:
        signer = ensure_registered(log.db, signer_of(log.db, args.home))
        if args.rotate:
            signer = rotate(log.db, signer)
        if args.post_quantum:
            signer = add_post_quantum(log.db, signer)
        if args.accept_witness:
            accept_witness(log.db, key_of(args.accept_witness))
        if args.rotate or args.post_quantum or args.accept_witness:
            integrate_all(log.db, signer)
        keys = tree_store.keys(log.db)
        witnesses = [key.text() for key in tree_store.witnesses(log.db)]
    if args.json:
        _print_json({"keys": keys, "witnesses": witnesses})
        return 0
    for key in keys:
        print(f"{'retired' if key.retired else 'signs':<8} {key.vkey}")
    for text in witnesses:
        print(f"{'witness':<8} {text}")
    return 0


def run_epoch(args: argparse.Namespace) -> int:
    """Opens an epoch."""
    from .epochs import open_epoch
    from .opened import opened
    from .sequencer import signer_of

    ended: dict[str, int] = {}

    def also(db: Any, reason: str) -> None:
        if args.restored is not None:
            ended.update(args.restored(db, reason))

    with opened(args.home) as log:
        epoch = open_epoch(log.db, signer_of(log.db, args.home), args.reason, also=also)
    lost = epoch.old_size - epoch.kept
    if args.json:
        told = {"epoch": epoch.number, "old_size": epoch.old_size, "kept": epoch.kept, "lost": lost}
        _print_json(told | {"ended": ended})
    else:
        print(
            f"epoch {epoch.number}: goes on from {epoch.kept:,} of {epoch.old_size:,} entries, {lost:,} are lost"
        )
        for what, count in ended.items():
            if count:
                done = {"embargoes": "frozen", "webhooks": "stopped"}.get(what, "ended")
                print(f"{done:<8} {count:,} {what.replace('_', '-')}")
    return 0


def run_erase(args: argparse.Namespace) -> int:
    """Erases, and logs that."""
    from .append import Part, erase
    from .opened import opened

    parts: list[Part] = [*(["header"] if args.header else []), *(["content"] if args.content else [])]  # type: ignore[list-item]
    with opened(args.home) as log, log.db.transaction():
        told = erase(log.db, args.entry, parts, args.reason)
    if args.json:
        _print_json({"entry": args.entry, "parts": parts, "told_by": told})
    else:
        print(f"erased the {' and '.join(parts)} of entry {args.entry}; entry {told} says so")
    return 0


def run_asked(args: argparse.Namespace) -> int:
    """Says which entries say that a person read a list under these filters; exit code 6 when there is none."""
    from clearway.records.errors import NotFoundError
    from clearway.records.text import plain

    from .opened import opened
    from .questions import read_under

    with opened(args.home) as log:
        found = read_under(log.db, args.person, args.list, args.question)
    if not found.entries:
        sets = "; or ".join(", ".join(names) for names in found.filters[:10])
        raise NotFoundError(
            "no entry says so",
            where=f"list/{args.list}",
            mend=f"entries of this person's have these filters, give all of a set: {sets}"
            if sets
            else "no entry of this person and list has filters",
        )
    if args.json:
        _print_json(found)
    else:
        print(f"asked {found.asked}: {plain(found.question, 500)}")
        for entry in found.entries:
            print(f"entry {entry.entry}, {entry.at:%Y-%m-%d %H:%M:%S} UTC")
    return 0


def run_integrate(args: argparse.Namespace) -> int:
    """Integrates what waits."""
    from .opened import opened
    from .sequencer import integrate_all, signer_of

    with opened(args.home) as log:
        done = integrate_all(log.db, signer_of(log.db, args.home))
    if args.json:
        _print_json({"size": done.size, "added": done.added})
    else:
        print(f"{done.added:,} entries integrated, {done.size:,} in all")
    return 0


def _progress(done: int, size: int) -> None:
    if done % 65_536 == 0 or done == size:
        end = "\n" if done == size else ""
        sys.stderr.write(f"\r{done:,} of {size:,} leaves{end}")
        sys.stderr.flush()


def _print_json(value: object) -> None:
    import msgspec

    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
