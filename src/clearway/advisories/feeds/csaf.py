"""A CSAF provider: what its indexes list is fetched, and each document is checked before it is taken in.

1. the provider's metadata, and its keys; or an aggregator's list, and each provider in turn (`csaf_aggregator`)
2. each ROLIE feed, else each directory, whose TLP label the operator lets in
3. each document that is new or changed: its hash, its signature, its publisher, its label
4. what does not hold is left out with its reason and tried again; the rest is taken in
5. an index that can't be read fails the pull in the end, and keeps none of the others from being taken in
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import Struct

from clearway.records.errors import UpstreamError
from clearway.records.text import plain

from . import csaf_aggregator as aggregator
from . import csaf_checks as checks
from . import csaf_index as index
from . import csaf_provider as provider
from . import judge
from .layout import FORGET, Ask, Batch, Outcome, one_by_one

if TYPE_CHECKING:
    from .csaf_index import Index, Listed
    from .csaf_provider import Metadata
    from .layout import Pull

_BATCH = 500
_LEAST = 0.9
_MOST_INDEXES = 200  # of one provider
_MOST_SERVICES = 20


class Part(Struct, kw_only=True):
    """One provider as it was pulled. `memory` is what to remember of it; `unchanged` when no index has changed."""

    entries: int
    dated: str
    memory: dict[str, Any]
    troubled: set[str]  # of the documents with a problem, those that it still lists
    unchanged: bool = False


class _Source(NamedTuple):
    url: str
    label: str
    is_rolie: bool


def pull(ask: Ask) -> Pull:
    """Documents that are new, changed, or that did not hold the last time."""
    notes: list[str] = []
    found, at = provider.located(ask, notes)
    troubled = {url for url, item in ask.items.items() if item.problem}
    ask.reread = bool(troubled)
    if isinstance(found, provider.Aggregator):
        return (yield from aggregator.pull(ask, found, troubled, notes, of_provider))
    part = yield from of_provider(ask, found, at, ask.feed.state, notes)
    if part.unchanged:
        return None
    if gone := troubled - part.troubled:
        yield Batch(paths=[], items=dict.fromkeys(gone, FORGET))
    dated = judge.latest((ask.feed.dated, part.dated))
    return Outcome(entries=part.entries, dated=dated, state=part.memory, notes=notes, whole=True)


def of_provider(
    ask: Ask, found: Metadata, at: str, before: dict[str, Any], notes: list[str]
) -> Generator[Batch, None, Part]:
    """Pulls one provider. `before` is its `Part.memory` of the last good pull; `notes` are added to.

    Raises:
        UnsoundError: its metadata do not hold, it speaks as another than before, or one of its indexes is unsound.
        UpstreamError: one of its indexes can't be had. What the others list was handed over before.
    """
    speaks_as = provider.host(found.publisher.namespace)
    spoke_as = before.get("publisher", "")
    if spoke_as and spoke_as != speaks_as:
        raise judge.UnsoundError(
            f"speaks as {plain(speaks_as, 80)}, and as {plain(spoke_as, 80)} before", where=at,
            mend="if that is right, remove the feed and add it again",
        )  # fmt: skip
    until = judge.moment_of(found.maintained_until)
    if until is not None and until < ask.now:
        notes.append(
            f"maintained until {until:%Y-%m-%d}: look for where it went, or remove it ({plain(at, 200)})"
        )
    read = _Reading(ask, before, notes)
    read.all(_sources(ask, found, at, notes))
    todo = [d for d in read.listed.values() if _is_due(ask, d)]
    keys = set(before.get("keys", []))
    if read.changed:
        held = checks.checks_of(ask, found, keys, notes)
        keys = held.allowed
        yield from one_by_one(
            todo, lambda d, batch: checks.take(ask, d, held, batch), lambda d: d.url, size=_BATCH
        )
        notes += held.said(len(todo))
    if read.failures:
        raise read.failures[0]
    memory = {
        "at": at, "keys": sorted(keys), "publisher": speaks_as, "listed": read.sizes, "pages": read.pages,
    }  # fmt: skip
    return Part(
        entries=sum(read.sizes.values()), dated=read.newest, memory=memory, unchanged=not read.changed,
        troubled={url for url, item in ask.items.items() if item.problem and url in read.listed},
    )  # fmt: skip


def _sources(ask: Ask, found: Metadata, at: str, notes: list[str]) -> list[_Source]:
    """The indexes to read, those labelled beyond what the operator lets in left out.

    A provider has ROLIE feeds or directories; where it has both they list the same, and the feeds say more (§7.3.2).
    Feeds that only a service document names count too.

    Raises:
        UnsoundError: there is none. UpstreamError: all are left out.
    """
    named = {f.url: f.tlp_label for d in found.distributions if d.rolie for f in d.rolie.feeds}
    services = [url for d in found.distributions if d.rolie for url in d.rolie.services]
    for url in services[:_MOST_SERVICES]:
        try:
            for feed, label in index.service(ask, url):
                named.setdefault(feed, label)
        except UpstreamError as error:
            notes.append(f"a service document is not used: {error.what} ({plain(url, 200)})")
    places = [(d.directory_url, "") for d in found.distributions if d.directory_url]
    places += [(d.directory.url, d.directory.tlp_label) for d in found.distributions if d.directory]
    sources = [_Source(url, label, True) for url, label in named.items()]
    sources = sources or [_Source(url, label, False) for url, label in dict(places).items()]
    if not sources:
        raise judge.UnsoundError("names neither a ROLIE feed nor a directory", where=at)
    if len(sources) > _MOST_INDEXES:
        raise judge.UnsoundError(f"names more than {_MOST_INDEXES} feeds or directories", where=at)
    most = provider.TLP.get(ask.feed.option("tlp", "CLEAR").upper().removeprefix("TLP:"), 0)
    closed = [s for s in sources if provider.strictness(s.label) > most]
    if len(closed) == len(sources):
        labels = ", ".join(sorted({plain(s.label, 20) for s in closed}))
        raise UpstreamError(
            f"all of its indexes are left out, as labelled TLP:{labels}", where=at,
            mend="if you may read them: clearway feeds add … --option tlp=LABEL",
        )  # fmt: skip
    notes += [
        f"left out, as labelled TLP:{plain(s.label, 20)}: {plain(s.url, 200)} (option tlp lets it in)"
        for s in closed
    ]
    return [s for s in sources if s not in closed]


class _Reading:
    """The indexes of one provider while they are read."""

    def __init__(self, ask: Ask, before: dict[str, Any], notes: list[str]) -> None:
        self._ask, self._notes = ask, notes
        self._sizes: dict[str, int] = before.get("listed", {})
        self._pages: dict[str, list[str]] = before.get("pages", {})
        self.sizes: dict[str, int] = {}
        self.pages: dict[str, list[str]] = {}
        self.listed: dict[str, Listed] = {}
        self.newest = ""
        self.changed = False
        self.failures: list[UpstreamError] = []

    def all(self, sources: list[_Source]) -> None:
        """Reads each; what can't be read stands in `failures`.

        Raises:
            UpstreamError: none of them can be read.
        """
        for source in sources:
            try:
                self._one(source)
            except UpstreamError as error:
                self.failures.append(error)
        if len(self.failures) == len(sources):
            raise self.failures[0]

    def _one(self, source: _Source) -> None:
        ask, url = self._ask, source.url
        before = self._sizes.get(url, 0)
        found = (
            index.rolie(ask, url, source.label, self._pages)
            if source.is_rolie
            else index.directory(ask, url, source.label)
        )
        if found is None:
            self.sizes[url] = before
            if url in self._pages:
                self.pages[url] = self._pages[url]
            return
        judge.not_ahead(found.dated, ask.now, found.first)
        count = len(found.documents)
        judge.not_shrunk("documents", count, before, found.first, least=_LEAST, accept=ask.accept_smaller)
        self._add(found)
        if len(self.listed) > index.MOST_DOCUMENTS:
            raise judge.UnsoundError(f"lists more than {index.MOST_DOCUMENTS:,} documents", where=url)
        self.changed = True
        self.sizes[url] = count
        if len(found.pages) > 1:
            self.pages[url] = found.pages
        self.newest = judge.latest((self.newest, found.dated))
        self._notes += found.notes

    def _add(self, found: Index) -> None:
        """Of a document that two indexes list, the stricter label holds."""
        for document in found.documents:
            kept = self.listed.get(document.url)
            if kept is None or provider.strictness(document.label) > provider.strictness(kept.label):
                self.listed[document.url] = document


def _is_due(ask: Ask, document: Listed) -> bool:
    known = ask.items.get(document.url)
    return (
        ask.afresh
        or known is None
        or bool(known.problem)
        or not document.stamp
        or known.stamp != document.stamp
    )
