"""A CSAF provider: what its indexes list is fetched, and each document is checked before it is taken in.

1. the provider's metadata, and its keys
2. each ROLIE feed, else each directory, whose TLP label the operator lets in
3. each document that is new or changed: its hash, its signature, its publisher, its label
4. what does not hold is left out with its reason and tried again; the rest is taken in
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from clearway.records.errors import IntegrityError, UpstreamError
from clearway.records.text import plain

from . import csaf_provider as provider
from . import judge, openpgp
from .layout import FORGET, Ask, Batch, Outcome, one_by_one
from .place import MiB, MissingError

if TYPE_CHECKING:
    from .csaf_provider import Listed, Metadata
    from .layout import Pull
    from .place import Got

_DOCUMENT_BYTES = 64 * MiB
_SMALL_BYTES = 1 * MiB
_BATCH = 500
_LEAST = 0.9
_ALGORITHMS = {".sha512": hashlib.sha512, ".sha256": hashlib.sha256}  # the stronger first


class _Checks(Struct):
    """How the documents of a pull were checked."""

    keys: openpgp.Keyring | None
    allowed: set[str]
    pinned: bool
    any_publisher: bool
    publisher: str
    unhashed: int = 0
    unsigned: int = 0
    verified: int = 0


def pull(ask: Ask) -> Pull:
    """Documents that are new, changed, or that did not hold the last time."""
    found, at = provider.metadata(ask)
    notes: list[str] = []
    before = ask.feed.state.get("publisher", "")
    speaks_as = provider.host(found.publisher.namespace)
    if before and before != speaks_as:
        raise judge.UnsoundError(
            f"speaks as {plain(speaks_as, 80)}, and as {plain(before, 80)} before", where=at,
            mend="if that is right, remove the feed and add it again",
        )  # fmt: skip
    troubled = {url for url, item in ask.items.items() if item.problem}
    ask.reread = bool(troubled)
    sizes: dict[str, int] = dict(ask.feed.state.get("listed", {}))
    indexes = _indexes(ask, found, at, notes, sizes)
    if indexes is None:
        return None
    listed, dated = indexes
    todo = [d for d in listed.values() if _is_due(ask, d)]
    checks = _checks(ask, found, notes)
    yield from one_by_one(todo, lambda d, batch: _take(ask, d, checks, batch), lambda d: d.url, size=_BATCH)
    if gone := troubled - listed.keys():
        yield Batch(paths=[], items=dict.fromkeys(gone, FORGET))
    notes += _said(checks, len(todo))
    state = {"keys": sorted(checks.allowed), "publisher": speaks_as, "listed": sizes}
    return Outcome(entries=sum(sizes.values()), dated=dated, state=state, notes=notes)


def _indexes(
    ask: Ask, found: Metadata, at: str, notes: list[str], sizes: dict[str, int]
) -> tuple[dict[str, Listed], str] | None:
    """What the changed indexes list, and the newest time; None when none of them has changed. `sizes` is kept up.

    Requirement 11 ff.: a provider has ROLIE feeds or directories; where it has both they list the same, and the
    feeds say more.
    """
    most = provider.strictness(ask.feed.option("tlp", "CLEAR"))
    feeds = [f for d in found.distributions if d.rolie for f in d.rolie.feeds]
    places = [(d.directory_url, "") for d in found.distributions if d.directory_url]
    places += [(d.directory.url, d.directory.tlp_label) for d in found.distributions if d.directory]
    sources = [(f.url, f.tlp_label, True) for f in feeds] or [(url, label, False) for url, label in places]
    if not sources:
        raise judge.UnsoundError("names neither a ROLIE feed nor a directory", where=at)
    if all(provider.strictness(label) > most for _, label, _ in sources):
        labels = ", ".join(sorted({plain(label, 20) for _, label, _ in sources}))
        raise UpstreamError(
            f"all of its indexes are left out, as labelled TLP:{labels}", where=at,
            mend="if you may read them: clearway feeds add … --option tlp=LABEL",
        )  # fmt: skip
    listed: dict[str, Listed] = {}
    newest = ""
    changed = False
    for url, label, is_rolie in sources:
        if provider.strictness(label) > most:
            notes.append(
                f"left out, as labelled TLP:{plain(label, 20)}: {plain(url, 200)} (option tlp lets it in)"
            )
            continue
        read = _read(ask, url, label, is_rolie=is_rolie)
        if read is None:
            continue
        changed = True
        documents, dated, index = read
        judge.not_ahead(dated, ask.now, index)
        newest = max(newest, dated)
        judge.not_shrunk(
            "documents", len(documents), sizes.get(url, 0), index, least=_LEAST, accept=ask.accept_smaller
        )
        sizes[url] = len(documents)
        for document in documents:
            kept = listed.get(document.url)
            if kept is None or provider.strictness(document.label) > provider.strictness(kept.label):
                listed[document.url] = document
    return (listed, max(newest, ask.feed.dated)) if changed else None


def _read(ask: Ask, url: str, label: str, *, is_rolie: bool) -> tuple[list[Listed], str, Got] | None:
    if not is_rolie:
        return provider.directory(ask, url, label)
    name = f"{hashlib.sha256(url.encode()).hexdigest()[:12]}-feed.json"
    got = ask.get(url, name, max_bytes=provider.INDEX_BYTES)
    if got is None:
        return None
    documents, dated = provider.rolie(got, label)
    return documents, dated, got


def _is_due(ask: Ask, document: Listed) -> bool:
    known = ask.items.get(document.url)
    return (
        ask.afresh
        or known is None
        or bool(known.problem)
        or not document.stamp
        or known.stamp != document.stamp
    )


def _checks(ask: Ask, found: Metadata, notes: list[str]) -> _Checks:
    """The publisher's keys. Those that the operator pinned are the only ones; else they are trusted as first seen."""
    pinned = {k.upper().replace(" ", "") for k in ask.feed.option("keys").split(",") if k.strip()}
    checks = _Checks(
        keys=None, allowed=set(), pinned=bool(pinned), any_publisher=ask.feed.option("any-publisher") == "yes",
        publisher=provider.host(found.publisher.namespace),
    )  # fmt: skip
    if not openpgp.available():
        notes.append("signatures are not verified: gpg is not installed")
        if pinned:
            raise IntegrityError("keys are pinned, and there is no gpg to verify with", where=ask.feed.name,
                                 mend="install gnupg")  # fmt: skip
        return checks
    checks.keys = openpgp.Keyring(ask.staging.folder / "keyring")
    for at, key in enumerate(found.public_openpgp_keys[:20]):
        try:
            file = ask.fetch(key.url, f"key-{at}.asc", max_bytes=_SMALL_BYTES)
        except UpstreamError as error:
            notes.append(f"a key can't be had: {error.what}")
            continue
        held = checks.keys.add(file.path)
        stated = key.fingerprint.upper()
        if stated and stated not in held:
            notes.append(f"the key at {plain(key.url, 200)} is not the one that is stated: not used")
        else:
            checks.allowed |= held
    before = set(ask.feed.state.get("keys", []))
    if before and checks.allowed and not checks.allowed & before:
        notes.append("its signing keys are all others than before")
    if pinned:
        checks.allowed &= pinned
    return checks


def _take(ask: Ask, listed: Listed, checks: _Checks, batch: Batch) -> None:
    """One document into the batch.

    Raises:
        UpstreamError, IntegrityError: it can't be had, or does not hold.
    """
    name = f"{hashlib.sha256(listed.url.encode()).hexdigest()[:12]}-{listed.url.rpartition('/')[2]}"
    hashes = _hashes(ask, listed, name)
    known = ask.items.get(listed.url)
    stamp = listed.stamp or next(iter(hashes.values()), "")
    if not listed.stamp and stamp and known is not None and known.stamp == stamp and not known.problem:
        batch.items[listed.url] = stamp
        return  # an index without times: the hash says that it is the same
    got = ask.fetch(listed.url, name, max_bytes=_DOCUMENT_BYTES)
    _hold_hash(got, hashes, checks)
    _hold_signature(ask, listed, got, name, checks)
    _hold_head(ask, got, listed, checks)
    batch.paths.append(got.path)
    batch.items[listed.url] = stamp or got.sha256


def _hashes(ask: Ask, listed: Listed, name: str) -> dict[str, str]:
    """Algorithm -> digest of the hash files beside a document, the strongest that can be had."""
    for ending in _ALGORITHMS:
        stated = [h for h in listed.hashes if h.endswith(ending)]
        if listed.stated and not stated:
            continue
        try:
            got = ask.fetch(
                stated[0] if stated else listed.url + ending, name + ending, max_bytes=_SMALL_BYTES
            )
        except MissingError:
            if stated:
                raise judge.UnsoundError("its hash file is listed and missing", where=listed.url) from None
            continue
        words = got.path.read_bytes().decode("ascii", "replace").split()
        digest = words[0].lower() if words else ""
        if len(digest) != 2 * _ALGORITHMS[ending]().digest_size or digest.strip("0123456789abcdef"):
            raise IntegrityError("its hash file holds no hash", where=listed.url)
        return {ending: digest}
    return {}


def _hold_hash(got: Got, hashes: dict[str, str], checks: _Checks) -> None:
    if not hashes:
        checks.unhashed += 1
        return
    ending, digest = next(iter(hashes.items()))
    if _ALGORITHMS[ending](got.path.read_bytes()).hexdigest() != digest:
        raise IntegrityError(f"its {ending[1:]} is another than its hash file says", where=got.url)


def _hold_signature(ask: Ask, listed: Listed, got: Got, name: str, checks: _Checks) -> None:
    if checks.keys is None or (not checks.allowed and not checks.pinned):
        return
    try:
        signature = ask.fetch(listed.signature or listed.url + ".asc", name + ".asc", max_bytes=_SMALL_BYTES)
    except MissingError:
        if checks.pinned:
            raise IntegrityError("it is not signed", where=listed.url) from None
        checks.unsigned += 1
        return
    if reason := checks.keys.refusal(got.path, signature.path, checks.allowed):
        raise IntegrityError(reason, where=listed.url)
    checks.verified += 1


def _hold_head(ask: Ask, got: Got, listed: Listed, checks: _Checks) -> None:
    """Its publisher is this provider's, its own label is no wider than its feed's, and it is not of a day to come."""
    judge.refuse_page(got, "a CSAF document")
    try:
        head = msgspec.json.decode(
            got.path.read_bytes().removeprefix(b"\xef\xbb\xbf"), type=provider.Document
        ).document
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise judge.UnsoundError(f"is no CSAF document: {plain(str(error), 120)}", where=got.url) from None
    judge.not_ahead(head.tracking.current_release_date, ask.now, got)
    spoken_by = provider.host(head.publisher.namespace)
    if not checks.any_publisher and spoken_by != checks.publisher:
        raise IntegrityError(
            f"speaks as {plain(spoken_by, 80)}, and the provider is {plain(checks.publisher, 80)}", where=got.url,
            mend="for an aggregator: clearway feeds add … --option any-publisher=yes",
        )  # fmt: skip
    if provider.strictness(head.distribution.tlp.label) < provider.strictness(listed.label):
        raise IntegrityError(
            f"is labelled wider than its feed, which is TLP:{plain(listed.label, 20)}", where=got.url
        )


def _said(checks: _Checks, documents: int) -> list[str]:
    found = []
    if checks.verified:
        found.append(f"{checks.verified:,} of {documents:,} signatures verified")
    if checks.unsigned:
        found.append(f"{checks.unsigned:,} documents bear no signature")
    if checks.unhashed:
        found.append(f"{checks.unhashed:,} documents have no hash file")
    return found
