"""`clearway directive sign|key|issue|authority|import|acknowledge`: from an authority's key to a note of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .commands_parts import acting, read_file, say, say_json, today

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

_KEY_BYTES = 64 << 10
_DOCUMENT_BYTES = 1 << 20


def add(command: Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]) -> None:
    """Registers the commands; `command` makes a parser from a name, a function and a summary."""
    sign = command("sign", _sign, "sign a directive's data file; writes the signature beside it, FILE.sig")
    sign.add_argument("file", metavar="FILE", help="the directive as JSON")
    sign.add_argument(
        "--key", metavar="PEM", required=True, help="the authority's private key (Ed25519, PKCS #8)"
    )

    key = command("key", _key, "register the public key that an authority signs with")
    key.add_argument("file", metavar="FILE", help="PEM, or 32 bytes in base64 or hexadecimal")
    _organisation(key)
    key.add_argument("--label", metavar="TEXT", default="", help="what to call it")

    issue = command("issue", _issue, "issue a signed version of a directive, and address it")
    issue.add_argument("file", metavar="FILE", help="the directive as JSON")
    issue.add_argument("--signature", metavar="FILE", default="", help="default: FILE.sig")
    _organisation(issue)
    issue.add_argument(
        "--reach", choices=("CLEAR", "GREEN"), default="CLEAR", help="its TLP marking (default: CLEAR)"
    )
    issue.add_argument(
        "--to", metavar="ORG=STANDING", action="append", default=[],
        help="address it to an organisation as binding, adopted or advisory; repeat for several",
    )  # fmt: skip

    whose = command(
        "authority",
        _authority,
        "as the database's owner: which authority issues a directive that ships, or another's",
    )
    whose.add_argument("name", metavar="NAME", help="such as bod-26-04")
    whose.add_argument("slug", metavar="ORG", help="the authority")
    whose.add_argument("--end", action="store_true", help="no longer; what it has issued stays")

    taken = command("import", _import, "verify a directive that an authority signed, and keep it")
    taken.add_argument("file", metavar="FILE", help="the directive as JSON")
    taken.add_argument("--key", metavar="FILE", required=True, help="the authority's public key")
    taken.add_argument("--signature", metavar="FILE", default="", help="default: FILE.sig")
    taken.add_argument(
        "--check", action="store_true", help="verify alone; keep nothing, and need no database"
    )
    _organisation(taken)

    noted = command("acknowledge", _acknowledge, "take note of a directive that is addressed to you")
    noted.add_argument("name", metavar="NAME", help="such as bod-26-04")
    _organisation(noted)
    noted.add_argument("--note", metavar="TEXT", default="", help="what the authority is to read")


def _organisation(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--org", metavar="SLUG", default="", help="the organisation (default: the only one you can act for)"
    )


def _sign(args: argparse.Namespace) -> int:
    import base64
    from pathlib import Path

    from clearway.records.errors import UpstreamError

    from .issue import read_private_key, sign

    private = read_private_key(read_file(args.key, _KEY_BYTES), args.key)
    signed = sign(read_file(args.file, _DOCUMENT_BYTES), private, args.file)
    target = f"{args.file}.sig"
    try:
        Path(target).write_bytes(base64.b64encode(signed.signature) + b"\n")
    except OSError as error:
        raise UpstreamError(f"can't be written: {error.strerror}", where=target) from error
    if getattr(args, "json", False):
        say_json({"signature": target, "key": signed.key, "sha256": signed.sha256.hex()})
    else:
        say(f"{target}: {signed.directive.short} {signed.directive.version}, signed with key {signed.key}")
    return 0


def _key(args: argparse.Namespace) -> int:
    from .issue import read_public_key
    from .kept import issues

    key = read_public_key(read_file(args.file, _KEY_BYTES), args.file)
    with acting(args) as (db, me):
        issues.add_key(db, me, args.org, key, args.label)
    if getattr(args, "json", False):
        say_json({"key": key.id})
    else:
        say(f"key {key.id} is registered")
    return 0


def _issue(args: argparse.Namespace) -> int:
    from .kept import addresses, issues
    from .kept.who import acting_in

    document = read_file(args.file, _DOCUMENT_BYTES)
    signature = read_file(args.signature or f"{args.file}.sig", _KEY_BYTES)
    recipients = dict(_recipient(text) for text in args.to)
    with acting(args) as (db, me):
        org = acting_in(db, me, args.org, "direct")
        made = issues.publish(db, me, org.slug, document, signature, issued=today(), reach=args.reach)
        if recipients:
            since = addresses.first_day(db, org.slug, made.directive, today())
            addresses.address(db, me, org.slug, made.directive, recipients, since=since)
    if getattr(args, "json", False):
        say_json({"version": made, "addressed": recipients})
    else:
        ahead = f", in effect from {made.begins} on" if made.begins > made.issued else ""
        say(
            f"{made.directive} {made.version} is issued by {org.name}{ahead}, and addressed to {len(recipients)}"
        )
    return 0


def _authority(args: argparse.Namespace) -> int:
    from clearway.store.connect import connect, translated
    from clearway.store.migrate import migrate
    from clearway.store.server import lease

    from .kept import names

    with lease(args.home) as url:
        migrate(url)
        with translated(), connect(url) as owner:
            names.tie(owner, args.name, args.slug, end=args.end)
    if getattr(args, "json", False):
        say_json({"directive": args.name, "authority": args.slug, "tied": not args.end})
    else:
        said = "is no longer tied to" if args.end else "is issued by"
        say(f"{args.name} {said} {args.slug}; it is on the log")
    return 0


def _recipient(text: str) -> tuple[str, str]:
    from clearway.records.errors import UsageError

    slug, equals, standing = text.partition("=")
    if not (slug and equals):
        raise UsageError(f"--to {text!r} is not ORG=STANDING", mend="such as --to water=binding")
    return slug, standing


def _import(args: argparse.Namespace) -> int:
    from .entrance import check_new
    from .issue import read_public_key, verify
    from .kept import issues
    from .kept.who import acting_in

    key = read_public_key(read_file(args.key, _KEY_BYTES), args.key)
    signature = read_file(args.signature or f"{args.file}.sig", _KEY_BYTES)
    signed = verify(read_file(args.file, _DOCUMENT_BYTES), signature, [key], args.file)
    check_new(signed.document, signed.directive, args.file)
    if not args.check:
        with acting(args) as (db, me):
            org = acting_in(db, me, args.org, "administer")
            issues.take_over(db, me, org.slug, signed, key, issued=today())
    if getattr(args, "json", False):
        found = {"directive": signed.directive.id, "version": signed.directive.version, "key": signed.key}
        say_json({**found, "sha256": signed.sha256.hex(), "kept": not args.check})
    else:
        said = "is signed with" if args.check else "is kept; signed with"
        say(f"{signed.directive.short} {signed.directive.version} {said} key {signed.key}")
    return 0


def _acknowledge(args: argparse.Namespace) -> int:
    from clearway.records.errors import NotFoundError

    from .kept import addresses
    from .kept.who import acting_in

    with acting(args) as (db, me):
        org = acting_in(db, me, args.org, "operate")
        found = [t for t in addresses.addressed_to(db, org.org, today()) if t.version.directive == args.name]
        if not found:
            raise NotFoundError(f"no {args.name} is addressed to {org.slug} today")
        made = [addresses.acknowledge(db, me, org.slug, todo.version.id, args.note) for todo in found]
    if getattr(args, "json", False):
        say_json(made)
    for note in made if not getattr(args, "json", False) else ():
        say(f"{org.name} took note of {args.name} {note.version} on {note.on} ({note.by})")
    return 0
