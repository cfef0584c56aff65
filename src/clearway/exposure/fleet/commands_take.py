"""`clearway inventory add` and `watch`: documents taken in."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from clearway.records.errors import InputError, NotFoundError, UsageError
from clearway.records.text import plain

from .commands_here import Here, day_of, opened, say, say_json

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence

    from clearway.advisories.table import Table, VexClaim
    from clearway.records.fleet_input import Observed

    from .observe import Seen


EXPOSED = ("public", "internal", "unknown")
_SHOWN = 5  # rows set aside, of one document
_PACKED = (".zip", ".tar", ".tgz", ".zst", ".gz", ".xz", ".bz2")
_JUDGED = 100  # assets of one document of which is said what could not be judged
ENVIRONMENTS = ("production", "development", "unknown")


def about_asset(parser: argparse.ArgumentParser) -> None:
    """The options that say what is known of an asset beside its document."""
    parser.add_argument(
        "--exposure", choices=EXPOSED, default="", help="of the asset; unknown counts as public"
    )
    parser.add_argument("--environment", choices=ENVIRONMENTS, default="")
    parser.add_argument("--owner", default="", metavar="WHO")
    parser.add_argument(
        "--witness", default="", metavar="TOOL", help="which tool saw it (default: by the document)"
    )
    parser.add_argument(
        "--detected", metavar="DATE", type=day_of, help="when a scan first saw its flaws (default: today)"
    )
    parser.add_argument(
        "--org", default="", metavar="SLUG", help="default: the only organisation you operate"
    )
    parser.add_argument("--distro", default="", metavar="NAME", type=_distro)
    parser.add_argument("--json", action="store_true")


def _distro(text: str) -> str:
    from clearway.exposure.commands import distro_of

    return distro_of(text)


def run_add(args: argparse.Namespace) -> int:
    """Takes inventories in; returns 10 when something was set aside or is older than what is kept, else 0."""
    import os

    from clearway.advisories.table import Table

    for path in args.inventory:
        if path != "-" and not os.path.lexists(path):
            raise NotFoundError("no such file or folder", where=plain(path), mend="check the path")
    table = Table.of_home(args.home)
    with opened(args) as here:
        call = _Call(here, table, args, _given(args.apply_vex))
        paths = _once(args.inventory)
        if not args.asset:
            call.tell_apart([p for path in paths for p in _places(path)])
        for path in paths:
            call.take(path, path)
        call.finish()
        with here.pool.owner() as owner:
            from . import marked

            marked.pending(owner, here.day)
    if not call.answers and not call.aside:
        raise UsageError(
            "no inventory among the files named", mend="name an SBOM, a package list or a scanner's export"
        )
    if args.json:
        say_json(call.answers)
    else:
        for a in call.answers:
            _told(a)
    for words in call.absent:
        say(plain(words), sys.stderr if args.json else sys.stdout)
    return 10 if call.aside or call.older else 0


def _once(paths: Sequence[str]) -> list[str]:
    """The paths, each file or folder as it was named first: named twice it is not two documents."""
    import os

    named: dict[str, str] = {}
    for path in paths:
        named.setdefault("-" if path == "-" else os.path.realpath(path), path)
    return list(named.values())


def _given(paths: Sequence[str]) -> list[VexClaim]:
    """The statements in VEX documents, as `clearway match --apply-vex` reads them."""
    if not paths:
        return []
    from clearway.exposure.vex import claims_in, read_documents

    return [claim for document in read_documents(paths) for claim in claims_in(document)]


def _told(a: dict[str, Any]) -> None:
    say(_added(a))
    for reason in a["passed_over"][:_SHOWN]:
        say(f"  passed over: {plain(reason)}; `inventory add --again` takes it")
    if len(a["passed_over"]) > _SHOWN:
        say(f"  passed over: {len(a['passed_over']) - _SHOWN:,} more; `--json` has them")
    for problem in a["problems"][:_SHOWN]:
        say(f"  {plain(problem)}")
    if len(a["problems"]) > _SHOWN:
        say(f"  and {len(a['problems']) - _SHOWN:,} more; `--json` has them")


def _added(a: dict[str, Any]) -> str:
    from . import take

    silenced = [take.Silenced(**s) for s in a["silenced"]]
    notes = (take.not_affected(silenced, a["inventory"]), a["unjudged"])
    bare = "".join(f"; {plain(note)}" for note in notes if note)
    if a["unchanged"]:
        return f"{plain(a['asset'])}: unchanged{bare}"
    return (
        f"{plain(a['asset'])}: {a['components']:,} components, {a['added']:,} added, {a['removed']:,} removed; "
        f"{a['appeared']:,} new exposures, {a['ended']:,} ended{bare}"
    )


class _Call:
    """One call that takes documents in: what it changed by asset, and how much of it was set aside."""

    def __init__(
        self, here: Here, table: Table, args: argparse.Namespace, given: Sequence[VexClaim] = ()
    ) -> None:
        from . import observe

        self.here, self.table, self.args = here, table, args
        self.org = here.org(args.org)
        self.answers: list[dict[str, Any]] = []
        self.aside = 0
        self._several: frozenset[str] = frozenset()  # names of files that stand in more than one folder
        self._alike: dict[str, str] = {}  # by place, what tells folders of one name apart
        # Assets of which nothing was taken, or not a document that was named, for what is kept is newer.
        self.older = 0
        self._named = frozenset(getattr(args, "inventory", ()))
        self.absent: list[str] = []  # what earlier lists had and these have not
        self._passed: list[Any] = []
        self._taking = observe.Taking(
            here.pool, here.key, table, self.org, here.day, detected=args.detected, given=given,
            passed_over=self._passed, again=args.again,
        )  # fmt: skip

    def tell_apart(self, places: Sequence[str]) -> None:
        """Names assets from now on so that those of documents at `places` are told apart."""
        from .naming import alike, in_several

        self._several, self._alike = in_several(places), alike(places)

    def take(self, path: str, root: str, *, links: bool = True, gone: bool = False) -> None:
        """Takes the documents under `path`; `root` is the folder or file that was named.

        Not `links`: `path` itself must be none. With `gone` it is passed over where it is there no longer.
        """
        import os

        from clearway.exposure.reading import documents
        from clearway.formats.archive import Refused

        if gone and not os.path.lexists(path):
            return
        for piece in documents(path, links=links):
            if isinstance(piece, Refused):
                if gone and not os.path.lexists(path):
                    return
                self.refuse(f"{piece.place}: {piece.reason}")
            else:
                self._guarded(lambda piece=piece: self._one(piece.place, piece.data, root))  # type: ignore[misc]

    def finish(self) -> None:
        """Takes what is waiting still."""
        self._guarded(lambda: self._done(self._taking.finish()))
        self.absent = [one.words() for one in self._taking.missing()]

    def refuse(self, reason: str) -> None:
        """Counts and says what was set aside."""
        self.aside += 1
        say(f"set aside: {plain(reason)}", sys.stderr)

    def _guarded(self, act: Callable[[], None]) -> None:
        try:
            act()
        except InputError as error:
            self.refuse(str(error))

    def _one(self, place: str, data: bytes, root: str) -> None:
        from clearway.formats.observed import read_fleet

        from . import asset, mention, naming, witness

        found = read_fleet(data, place, self.args.distro)
        if self.args.asset and len(found.observed) > 1:
            raise InputError(
                f"speaks of {len(found.observed):,} assets", where=place, mend="leave --asset out"
            )
        for row in found.set_aside[:_SHOWN]:
            say(f"set aside: {plain(row.place)}: {plain(row.reason)}", sys.stderr)
        if len(found.set_aside) > _SHOWN:
            say(f"set aside: {len(found.set_aside) - _SHOWN:,} more of {plain(place)}", sys.stderr)
        self.aside += len(found.set_aside)
        several, folder = naming.file_name(place) in self._several, self._alike.get(place, "")
        named = None
        if self.args.asset:
            with self.here.pool.acting(self.here.key) as db:
                named = asset.find(db, self.org, self.args.asset)
        document = mention.Document(
            observed=tuple(
                _said(seen, place, self.args, several=several, folder=folder) for seen in found.observed
            ),
            raw=data,
            place=place,
            file=witness.file_of(_below(place, root)),
            whole=not found.set_aside,
            asset=None if named is None else named.asset,
            called=bool(self.args.asset),
        )
        self._done(self._taking.add(document))

    def _done(self, done: Sequence[Seen]) -> None:
        from . import unjudged

        for row in self._passed:
            self.refuse(f"{row.place}: {row.reason}")
        self._passed.clear()
        if not done:
            return
        self.older += sum(one.taken.older or not self._named.isdisjoint(one.older) for one in done)
        with self.here.pool.acting(self.here.key) as db:
            room = max(0, _JUDGED - len(self.answers))
            bare = [
                unjudged.of_asset(db, self.table, one.asset, self.here.day).words() for one in done[:room]
            ]
        for one, words in zip(done, [*bare, *[""] * (len(done) - len(bare))], strict=True):
            told = {"asset": one.name, "asset_id": one.asset, "made": one.made}
            self.answers.append({**told, **_counts(one.taken), "unjudged": words})


def _said(seen: Observed, place: str, args: argparse.Namespace, *, several: bool, folder: str) -> Observed:
    """The observation with what the command says of it."""
    from msgspec.structs import replace

    from .naming import place_name

    name = args.asset or seen.name
    if name in ("", place):
        name = place_name(place, seen.subject, several=several, folder=folder)
    seen = replace(seen, name=name)
    if args.exposure:
        word = "" if args.exposure == "unknown" else args.exposure
        # The day of another word is none of this one's.
        since = seen.exposure_since if word == seen.exposure else None
        seen = replace(seen, exposure=word, exposure_by="command line", exposure_since=since)
    if args.environment:
        seen = replace(seen, environment=args.environment)
    if args.owner:
        seen = replace(seen, owner=args.owner)
    if args.witness:
        seen = replace(seen, witness=replace(seen.witness, tool=args.witness))
    return seen


def _below(place: str, root: str) -> str:
    """The place within the folder or archive named, else the file's name: the same wherever that lies."""
    below = place.removeprefix(root).lstrip("/!")
    return below.replace("!", "/") if place.startswith(root) and below else place.rpartition("/")[2]


def _places(root: str) -> Iterator[str]:
    """Where documents are, of a file or folder, also within archives."""
    import os

    from clearway.exposure.reading import documents
    from clearway.formats.archive import Refused

    for path in [path for path, _ in _files(root)] if os.path.isdir(root) else [root]:  # noqa: PTH112 - as `_files`
        if path.lower().endswith(_PACKED):
            found = documents(path, links=path == root)
            yield from (p.place for p in found if not isinstance(p, Refused))
        else:
            yield path


def _counts(taken: Any) -> dict[str, Any]:
    import msgspec

    return {
        "inventory": taken.inventory,
        "components": taken.components,
        "added": taken.added,
        "removed": taken.removed,
        "appeared": len(taken.appeared),
        "ended": taken.ended,
        "dated": taken.dated,
        "silenced": msgspec.to_builtins(taken.silenced),
        "unchanged": taken.unchanged,
        "passed_over": list(taken.passed_over),
        "problems": list(taken.problems),
    }


def run_watch(args: argparse.Namespace) -> int:
    """Takes in what appears in a folder until it is interrupted; a file that is being written is left for later."""
    import time
    from pathlib import Path

    from clearway.advisories.live_table import LiveTable
    from clearway.advisories.table import TABLE_FILE

    folder = Path(args.folder)
    if not folder.is_dir():
        raise NotFoundError("no such folder", where=args.folder, mend="check the path")
    tables = LiveTable(args.home / TABLE_FILE)
    seen: dict[str, tuple[int, int, int]] = {}  # path -> what it was at the last look
    taken: dict[str, tuple[int, int, int]] = {}  # path -> what it was when it was taken
    aside = 0
    with opened(args) as here:
        here.org(args.org)
        while True:
            now = dict(_files(str(folder)))
            # The same at two looks: nobody writes it.
            still = [p for p, stamp in now.items() if args.once or seen.get(p) == stamp]
            fresh = [p for p in still if taken.get(p) != now[p]]
            seen, taken = now, {p: stamp for p, stamp in taken.items() if p in now}
            if fresh:
                every = list(dict.fromkeys([*now, *(place for path in fresh for place in _places(path))]))
                aside += _look(here, tables.current(), args, str(folder), fresh, every)
                taken |= {p: now[p] for p in fresh}
            if args.once:
                return 10 if aside else 0
            time.sleep(args.every)


def _look(
    here: Here,
    table: Table,
    args: argparse.Namespace,
    folder: str,
    paths: Sequence[str],
    every: Sequence[str],
) -> int:
    """Takes these files in; returns how much was set aside. `every` are the places of the whole folder's documents."""
    call = _Call(here, table, args)
    call.tell_apart(every)
    for path in paths:
        call.take(path, folder, links=False, gone=True)
    call.finish()
    for a in call.answers:
        _told(a)
    for words in call.absent:
        say(plain(words))
    return call.aside


def _files(root: str) -> Iterator[tuple[str, tuple[int, int, int]]]:
    """(path, what would differ if it were another) of the files in a folder, by name; no link is followed.

    Whoever may write into the folder moves and removes files meanwhile: what can't be looked at is passed over.
    """
    import os
    import stat

    todo = [root]
    while todo:
        path = todo.pop()
        try:
            found = os.lstat(path)
            if stat.S_ISDIR(found.st_mode) or path == root:
                names = sorted(os.listdir(path), reverse=True)  # noqa: PTH208 - names as they are
                todo += [os.path.join(path, n) for n in names if not n.startswith(".")]  # noqa: PTH118
            elif stat.S_ISREG(found.st_mode):
                yield path, (found.st_mtime_ns, found.st_size, found.st_ino)
        except OSError:
            continue
