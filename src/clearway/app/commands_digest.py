"""`clearway digest`: whether mail works, and when whose digest goes out."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse

    from .mail import Settings


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `digest` with its own commands."""
    digest = commands.add_parser(
        "digest",
        help="digests by mail: try the settings, and when whose goes out",
        description="Digests are sent by a worker, as mail.toml of the home says.",
    )
    own = digest.add_subparsers(dest="digest_command", metavar="COMMAND", required=True)
    test = own.add_parser(
        "test", help="send one message by the settings of this home, and say what went wrong"
    )
    test.add_argument("address", metavar="ADDRESS")
    test.set_defaults(func=run_test)
    status = own.add_parser("status", help="who gets a digest, how often, and which was the last")
    status.add_argument("--json", action="store_true")
    status.set_defaults(func=run_status)
    mine = own.add_parser("mine", help="your own: show, or choose how often digests and letters come")
    mine.add_argument(
        "--digest", choices=["never", "daily", "weekly"], help="what waits in your organisations"
    )
    mine.add_argument(
        "--desk-mail",
        choices=["never", "at-once", "digest"],
        help="news of cases and findings that you may see",
    )
    mine.add_argument("--json", action="store_true")
    mine.set_defaults(func=run_mine)


def run_test(args: argparse.Namespace) -> int:
    """Sends a message that says nothing but that mail arrives; returns 0 once the server has taken it."""
    import secrets

    from clearway.records.clock import SystemClock
    from clearway.records.errors import InputError, UsageError

    from . import mail

    settings = _settings(args.home)
    text = f"Mail from {settings.base_url} arrives here. Nobody has to do anything.\n"
    try:
        letter = mail.message(
            settings, to=args.address, name="", subject="[TLP:CLEAR] Clearway: mail arrives", text=text,
            html=f"<!doctype html><html lang=\"en\"><title>Clearway</title><p>{_escaped(text)}</p></html>\n",
            reference=f"test.{secrets.token_hex(8)}", unsubscribe=_account(settings), at=SystemClock().now(),
        )  # fmt: skip
    except InputError as error:
        raise UsageError(error.what, where=args.address, mend="write name@example.org") from error
    mail.send(settings, letter)
    print(f"{settings.host}:{settings.port} has taken a message for {args.address}")
    return 0


def run_status(args: argparse.Namespace) -> int:
    """Prints who gets digests and when; returns 0."""
    import msgspec

    from clearway.records.clock import SystemClock
    from clearway.records.text import plain
    from clearway.store import server
    from clearway.store.connect import connect, translated
    from clearway.store.migrate import migrate

    from . import desk_news, digest

    settings = _settings(args.home)
    with server.lease(args.home) as url, translated():
        migrate(url)
        with connect(url, autocommit=True, application_name="clearway digest") as db:
            now = SystemClock().now()
            found = digest.schedule(db, now, settings.hour)
            letters = desk_news.schedule(db, now, settings.hour)
    if args.json:
        sys.stdout.write(
            msgspec.json.encode({"from_hour": settings.hour, "people": found, "desk_mail": letters}).decode()
            + "\n"
        )
        return 0
    for one in found:
        last = f"last {one.last}" if one.last else "none yet"
        print(
            f"{plain(one.name, 40):<24} {one.rhythm:<7} {one.time_zone:<20} {last:<16} "
            f"next from {one.next:%Y-%m-%d %H:%M} UTC"
        )
    for letter in letters:
        rhythm = f"once a day, next from {letter.next:%Y-%m-%d %H:%M} UTC" if letter.next else "at once"
        print(
            f"{plain(letter.name, 40):<24} cases and findings: {rhythm}; "
            f"{letter.waiting:,} waiting, {letter.failed:,} failed"
        )
    if not found and not letters:
        print("nobody has chosen a digest: each person does, on Your account, and needs an address there")
    return 0


def run_mine(args: argparse.Namespace) -> int:
    """Shows, or changes, how often mail comes to whom this home's operator is; returns 0."""
    from datetime import UTC, datetime

    from msgspec import UNSET

    from clearway.access import local, person
    from clearway.records.text import plain
    from clearway.store.migrate import migrate
    from clearway.store.principal import Pool
    from clearway.store.scalar import scalar
    from clearway.store.server import lease

    with lease(args.home) as url:
        migrate(url)
        key = local.key(url, args.home, now=datetime.now(UTC))
        with Pool(url, size=1) as pool, pool.acting(key) as db:
            me = person.one(db, scalar(db, "select clearway.me()", ()))
            if args.digest or args.desk_mail:
                digest, letters = args.digest or UNSET, args.desk_mail or UNSET
                me = person.change(db, me.person, me.version, digest=digest, desk_mail=letters)
    if args.json:
        import msgspec

        said = {"email": me.email, "digest": me.digest, "desk_mail": me.desk_mail}
        print(msgspec.json.encode(said).decode())
    else:
        to = plain(me.email, 254) or "no address: nothing is sent"
        print(f"{plain(me.name, 40)} ({to}): digest {me.digest}, cases and findings {me.desk_mail}")
    return 0


def _settings(home: Any) -> Settings:
    from clearway.records.errors import ConfigError

    from . import mail

    found = mail.read(home)
    if found is None:
        raise ConfigError(
            "there are no mail settings, so no mail is sent",
            where=str(home / "mail.toml"),
            mend="write it, or name it by CLEARWAY_MAIL_FILE (docs/howto/digest.md)",
        )
    return found


def _account(settings: Settings) -> str:
    from .digest import account

    return account(settings.base_url)


def _escaped(text: str) -> str:
    from html import escape

    return escape(text)
