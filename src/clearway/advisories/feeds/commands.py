"""`clearway feeds`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from .feed import Feed, FeedStatus, Pulled


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `feeds`."""
    parser = commands.add_parser(
        "feeds",
        help="pull public data, and how current each feed is",
        description="Feeds are pulled over HTTP or from a folder, judged, and taken in as `clearway ingest` would. "
        "None is on until it is added. What is not sound replaces nothing.",
    )
    words = parser.add_subparsers(dest="word", metavar="WORD", required=True)
    listing = words.add_parser("list", help="the feeds, and the known publishers that may be added")
    listing.add_argument("--json", action="store_true")
    listing.set_defaults(func=run_list)
    _add_parser(words)
    remove = words.add_parser("remove", help="stop pulling a feed; what was taken in stands")
    remove.add_argument("name", metavar="NAME")
    remove.set_defaults(func=run_remove)
    pull = words.add_parser(
        "pull", help="pull feeds now", description="Exit code 8: a feed failed; 10: a record was set aside."
    )
    pull.add_argument("names", nargs="*", metavar="NAME", help="default: all")
    pull.add_argument(
        "--accept-smaller", action="store_true", help="take in what lists much less than before"
    )
    pull.add_argument("--afresh", action="store_true", help="fetch what has not changed too")
    pull.add_argument("--json", action="store_true")
    pull.set_defaults(func=run_pull)
    status = words.add_parser("status", help="how current each feed is")
    status.add_argument("--check", action="store_true", help="exit code 8 when one is stale or failing")
    status.add_argument("--json", action="store_true")
    status.set_defaults(func=run_status)


def _add_parser(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    add = words.add_parser(
        "add",
        help="add a feed",
        description="A known publisher by its name (`clearway feeds add kev`), OSV.dev's export of an ecosystem "
        "(`clearway feeds add osv:PyPI`), or a NAME with LAYOUT and the address or folder of a feed or its mirror.",
    )
    add.add_argument("name", metavar="NAME")
    add.add_argument("layout", nargs="?", metavar="LAYOUT", help="osv, kev, cve, epss, csaf or file")
    add.add_argument("url", nargs="?", metavar="URL", help="an address, or the path of a folder or file")
    add.add_argument("--every", metavar="SPAN", help="between pulls by the server: 30m, 6h, 1d")
    add.add_argument("--stale-after", metavar="SPAN", help="not reached for so long: stale")
    add.add_argument("--oldest", metavar="SPAN", help="its newest date is so old: stale")
    add.add_argument(
        "--mirror", nargs=2, action="append", default=[], metavar=("FROM", "TO"),
        help="fetch addresses that begin with FROM from TO; may be given again",
    )  # fmt: skip
    add.add_argument(
        "--option", action="append", default=[], metavar="KEY=VALUE",
        help="tlp, keys, any-publisher, any-name, and of an aggregator providers, from (csaf); "
        "baseline, baseline-of (cve)",
    )  # fmt: skip
    add.set_defaults(func=run_add)


OPTIONS = {
    "csaf": ("tlp", "keys", "any-publisher", "any-name", "providers", "from"),
    "cve": ("baseline", "baseline-of"),
    "osv": (), "kev": (), "epss": (), "file": (),
}  # fmt: skip


def run_add(args: argparse.Namespace) -> int:
    """Adds a feed; returns 0."""
    from clearway.records.clock import SystemClock

    from . import store
    from .standing import publish

    feed = feed_of(args)
    with _database(args.home) as db:
        now = SystemClock().now()
        store.add(db, feed, now)
        publish(db, args.home, now)
    print(f"added {feed.name}: {feed.layout} from {feed.url}; pull it with `clearway feeds pull {feed.name}`")
    return 0


def feed_of(args: argparse.Namespace) -> Feed:
    """The feed that the words describe.

    Raises:
        UsageError: a word is missing or can't be read. RefusedError: the address is none that is fetched.
    """
    import re

    from clearway.records.errors import UsageError

    from .feed import HABITS, LAYOUTS, Feed, seconds
    from .known import KNOWN, osv

    name = re.sub("[: .]", "-", args.name.lower())
    known = osv(args.name[4:]) if args.name.startswith("osv:") else KNOWN.get(args.name)
    layout, url = args.layout or (known.layout if known else ""), args.url or (known.url if known else "")
    if layout not in LAYOUTS or not url:
        raise UsageError(
            "a feed needs a layout and an address" if not layout or not url else f"no layout {layout!r}",
            mend=f"clearway feeds add NAME LAYOUT URL, with a layout of {', '.join(LAYOUTS)}; or one of osv:ECOSYSTEM, "
            + ", ".join(KNOWN),
        )
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,62}", name):
        raise UsageError(f"{name!r} is no name for a feed", mend="letters, digits, _ and -, at most 63")
    options = {**(known.options if known and not args.url else {}), **_options(args.option, layout)}
    habits = HABITS[layout]
    address = _address(url)
    if layout in ("osv", "cve") and not address.endswith("/"):
        address += "/"
    mirrors = _mirrors(args.mirror)
    if not address.startswith("/") and any(instead.startswith("/") for _, instead in mirrors):
        raise UsageError(
            "a folder as the mirror of an address", mend="give the feed's own URL as a folder too"
        )
    return Feed(
        name=name, layout=layout, url=address, options=options, mirrors=mirrors,
        every_s=seconds(args.every, "--every") if args.every else habits.every_s,
        stale_after_s=seconds(args.stale_after, "--stale-after") if args.stale_after else habits.stale_after_s,
        oldest_s=seconds(args.oldest, "--oldest") if args.oldest else habits.oldest_s,
    )  # fmt: skip


def _options(pairs: Sequence[str], layout: str) -> dict[str, str]:
    from clearway.records.errors import UsageError

    found = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or key not in OPTIONS[layout]:
            takes = ", ".join(OPTIONS[layout]) or "none"
            raise UsageError(
                f"--option {key}: not an option of {layout}", mend=f"KEY=VALUE; it takes {takes}"
            )
        if key == "tlp":
            from .csaf_provider import TLP

            value = value.upper().removeprefix("TLP:")
            if value not in TLP:
                raise UsageError(
                    f"--option tlp: {value!r} is no label", mend="CLEAR, GREEN, AMBER, AMBER+STRICT, RED"
                )
        if key == "from" and value != "mirrors":
            raise UsageError(f"--option from: {value!r} is none", mend="from=mirrors reads mirrors alone")
        found[key] = value
    return found


def _address(url: str) -> str:
    from pathlib import Path

    from clearway.http.outbound import checked_url

    if "://" in url:
        checked_url(url)
        return url
    return _existing(Path(url))


def _existing(path: Any) -> str:
    from clearway.records.errors import NotFoundError

    if not path.exists():
        raise NotFoundError(
            "no such folder or file", where=str(path), mend="or write an address with https://"
        )
    return str(path.resolve())


def _mirrors(pairs: Sequence[Sequence[str]]) -> tuple[tuple[str, str], ...]:
    from clearway.http.outbound import checked_url

    for start, _ in pairs:
        checked_url(start)
    return tuple(
        (start, _address(instead) if "://" in instead else _folder(instead)) for start, instead in pairs
    )


def _folder(text: str) -> str:
    from pathlib import Path

    return _existing(Path(text)) + "/"


def run_remove(args: argparse.Namespace) -> int:
    """Removes a feed; returns 0."""
    import shutil

    from clearway.records.clock import SystemClock

    from . import store
    from .standing import publish

    with _database(args.home) as db:
        store.lock(db, args.name)
        store.remove(db, args.name)
        publish(db, args.home, SystemClock().now())
    shutil.rmtree(args.home / "feeds" / args.name, ignore_errors=True)
    print(f"removed {args.name}; what was taken in from it stands")
    return 0


def run_list(args: argparse.Namespace) -> int:
    """Prints the feeds with their addresses, and what may be added; returns 0."""
    from . import store
    from .feed import span
    from .known import KNOWN

    with _database(args.home) as db:
        feeds = store.feeds(db)
    if args.json:
        _print_json({
            "feeds": [{"name": f.name, "layout": f.layout, "url": f.url, "options": f.options, "mirrors": f.mirrors,
                       "every_s": f.every_s, "stale_after_s": f.stale_after_s, "oldest_s": f.oldest_s} for f in feeds],
            "known": [{"name": n, "layout": k.layout, "url": k.url, "title": k.title} for n, k in KNOWN.items()],
        })  # fmt: skip
        return 0
    for feed in feeds:
        print(f"{feed.name:<20} {feed.layout:<5} every {span(feed.every_s):<5} {feed.url}")
    if not feeds:
        print("no feed is added; nothing is pulled")
    names = {feed.name for feed in feeds}
    print("\nknown publishers, each off until added with `clearway feeds add NAME`")
    for name, known in KNOWN.items():
        if name not in names:
            print(f"  {name:<18} {known.layout:<5} {known.title}")
    print("  osv:ECOSYSTEM      osv   OSV.dev's export of one ecosystem, such as osv:PyPI")
    return 0


def run_pull(args: argparse.Namespace) -> int:
    """Pulls feeds; returns 0, 8 when one failed, or 10 when something was set aside; raises NotFoundError for none."""
    from clearway.advisories.commands import _Bar
    from clearway.records.clock import SystemClock
    from clearway.records.errors import NotFoundError
    from clearway.store import server
    from clearway.store.connect import connect, translated

    from . import store
    from .pull import pull

    done: list[Pulled] = []
    with server.lease(args.home) as url:
        _migrated(url)
        with translated(), connect(url, autocommit=True) as db:
            if not store.status(db, SystemClock().now()):
                raise NotFoundError(
                    "no feed is added, so nothing is pulled",
                    mend="add one first: `clearway feeds add kev`, `clearway feeds add osv:PyPI`; "
                    "`clearway feeds list` has all that are known",
                )
            names = list(dict.fromkeys(args.names)) or _welcome(db, quiet=args.quiet)
            for name in names:
                store.feed(db, name)  # all are known before the first is pulled
        for name in names:
            if not args.quiet:
                print(f"pulling {name} …", file=sys.stderr, flush=True)
            done.append(
                pull(url, args.home, name, SystemClock(), accept_smaller=args.accept_smaller, afresh=args.afresh,
                     tell=None if args.quiet else _Bar())
            )  # fmt: skip
    if args.json:
        _print_json({"pulled": [as_json(one) for one in done]})
    else:
        _print_pulled(done)
    if any(one.error for one in done):
        return 8
    return 10 if any(one.counts.get("set_aside") for one in done) else 0


def _welcome(db: Any, *, quiet: bool) -> list[str]:
    """All feeds but those whose publishers asked to be left alone for now."""
    from clearway.records.clock import SystemClock

    from . import store

    now = SystemClock().now()
    found = []
    for feed in store.status(db, now):
        if feed.not_before is None or feed.not_before <= now:
            found.append(feed.name)
        elif not quiet:
            until = f"{feed.not_before:%Y-%m-%d %H:%M} UTC"
            print(
                f"{feed.name}: its publisher asks to be left alone until {until}; left out", file=sys.stderr
            )
    return found


def as_json(one: Pulled) -> dict[str, Any]:
    """One pull as the `--json` object."""
    return {
        "feed": one.feed, "result": one.result, "error": one.error, "bytes": one.size_bytes, "requests": one.requests,
        "counts": one.counts, "notes": list(one.notes),
    }  # fmt: skip


def _print_pulled(done: list[Pulled]) -> None:
    from clearway.records.text import plain

    for one in done:
        if one.error:
            print(f"{one.feed}: {one.result}: {plain(one.error, 600)}", file=sys.stderr)
            print(f"{one.feed}: {one.result}; what was taken in before stands")
            continue
        counts = ", ".join(f"{n:,} {word.replace('_', ' ')}" for word, n in one.counts.items() if n)
        print(f"{one.feed}: {one.result}; {counts or 'nothing new'} ({one.size_bytes:,} bytes)")
        for note in one.notes[:10]:
            print(f"  note: {plain(note, 300)}", file=sys.stderr)
    if not done:
        print("nothing is pulled now")


def run_status(args: argparse.Namespace) -> int:
    """Prints how each feed stands; returns 0, or with --check 8 when one is stale or failing."""
    from clearway.records.clock import SystemClock

    from . import store

    with _database(args.home) as db:
        found = store.status(db, SystemClock().now())
    if args.json:
        _print_json({"feeds": found})
    else:
        _print_status(found)
    return 8 if args.check and any(feed.stale or feed.error for feed in found) else 0


def _print_status(found: Sequence[FeedStatus]) -> None:
    for feed in found:
        word = "STALE" if feed.stale else "failing" if feed.error else "ok" if feed.good else "new"
        good = f"{feed.good:%Y-%m-%d %H:%M} UTC" if feed.good else "never"
        print(
            f"{feed.name:<20} {word:<8} reached {good}; {feed.entries:,} listed, newest {feed.dated[:10] or 'unknown'}"
        )
        for line in lines_of(feed):
            print(f"{'':<20} {line}")
    if not found:
        print("no feed is added; see `clearway feeds list`")


def lines_of(feed: FeedStatus) -> Iterator[str]:
    """What there is to say of a feed that is not well."""
    from clearway.records.text import plain

    if feed.stale:
        yield f"stale: {feed.stale}"
    if feed.error:
        times = "once" if feed.failures == 1 else f"{feed.failures} times in a row"
        yield f"failed {times}: {plain(feed.error, 300)}"
    if feed.set_aside:
        yield f"{feed.set_aside:,} documents or providers left out; tried again at the next pull"
    if feed.not_before:
        yield f"its publisher asks to be left alone until {feed.not_before:%Y-%m-%d %H:%M} UTC"


def _database(home: Any) -> AbstractContextManager[Any]:
    from contextlib import contextmanager

    from clearway.store import server
    from clearway.store.connect import connect, translated

    @contextmanager
    def opened() -> Iterator[Any]:
        with server.lease(home) as url:
            _migrated(url)
            with translated(), connect(url, autocommit=True) as db:
                yield db

    return opened()


def _migrated(url: str) -> None:
    from clearway.store.migrate import migrate

    migrate(url)


def _print_json(value: Any) -> None:
    import msgspec

    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
