"""`clearway finding files|onward`: what is sealed of a finding, and the finding as it is handed on. Each is logged."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from clearway.access.here import opened

from ..command_parts import adder, print_json, safe, write_out

if TYPE_CHECKING:
    import argparse


def add_files(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds these commands to `clearway finding`."""
    add = adder(commands)
    files = add("files", "the files of a finding: list them, read one", run_files)
    files.add_argument("handling", metavar="CWF-XXXX-XXXX")
    files.add_argument("number", nargs="?", type=int, metavar="NUMBER", help="of the file that is read")
    files.add_argument("--out", default="", metavar="FILE", help="a new file; without, standard output")
    onward = add("onward", "the finding as it is handed to another desk, with where it came from", run_onward)
    onward.add_argument("handling", metavar="CWF-XXXX-XXXX")
    onward.add_argument("--out", default="", metavar="FILE", help="a new file; without, standard output")


def run_files(args: argparse.Namespace) -> int:
    """Lists the files, or writes one; 0."""
    from clearway.records.text import plain

    from .. import artefact, kept
    from ..vault import Vault

    with opened(args.home) as home, home.reading("finding files") as (db, note):
        finding = kept.one(db, args.handling)
        note(finding.subject, [finding.aud])
        if args.number is not None:
            found = artefact.of(db, finding, args.number)
            data = artefact.read(db, Vault.of_home(args.home), found)
        else:
            listed = artefact.listed(db, finding.id)
    if args.number is not None:
        write_out(data, args.out)
        if args.out and args.json:
            print_json({"id": found.number, "sha256": found.sha256, "bytes": found.bytes})
        return 0
    if args.json:
        print_json(
            {
                "files": [
                    {"id": f.number}
                    | {n: getattr(f, n) for n in ("kind", "name", "media", "bytes", "sha256")}
                    for f in listed
                ]
            }
        )
        return 0
    for one in listed:
        print(plain(f"{one.number:6d}  {one.kind:10s}  {one.bytes:>12,}  {one.sha256}  {one.name}", 400))
    return 0


def run_onward(args: argparse.Namespace) -> int:
    """Writes the report as it is handed on; 0."""
    from clearway import ledger

    from .. import kept
    from ..desk_key import DeskKey
    from ..vault import Vault
    from . import onward, sealed, submit

    desk = submit.Desk(Vault.of_home(args.home), DeskKey.of_home(args.home))
    with opened(args.home) as (pool, _, key, _me):
        with pool.acting(key) as db:
            finding = kept.one(db, args.handling)
            found = sealed.stored(db, desk, finding)
            signed = submit.receipt_of(db, finding.id)
            ledger.append_read(db, [f"{finding.subject}/onward"], finding.aud)
        body = onward.document(sealed.report_of(found), finding, signed, desk=desk.key.public.key_id)
    if not args.out and sys.stdout.isatty():  # the same document, harmless for a terminal
        sys.stdout.write(safe(body.decode()) + "\n")
    else:
        write_out(body, args.out)
    return 0
