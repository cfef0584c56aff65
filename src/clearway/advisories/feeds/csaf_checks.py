"""What is checked of each CSAF document before it is taken in: its hash, its signature, its publisher, its label.

Requirements 18 (integrity), 19 (signatures) and 20 (keys) of CSAF 2.0 and 2.1 §7.1. Signatures are verified by the
`gpg` of this machine; where there is none, the pull says that they are not verified.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec import Struct

from clearway.records.errors import IntegrityError, UpstreamError
from clearway.records.text import plain

from . import csaf_provider as provider
from . import judge, openpgp
from .place import MiB, MissingError

if TYPE_CHECKING:
    from .csaf_index import Listed
    from .csaf_provider import Metadata
    from .layout import Ask, Batch
    from .place import Got

_DOCUMENT_BYTES = 64 * MiB
_SMALL_BYTES = 1 * MiB
_ALGORITHMS = {".sha512": hashlib.sha512, ".sha256": hashlib.sha256}  # the stronger first


class Checks(Struct):
    """How the documents of one provider are checked in one pull, and how many were."""

    keys: openpgp.Keyring | None
    allowed: set[str]
    pinned: bool
    any_publisher: bool
    any_name: bool
    publisher: str
    unhashed: int = 0
    unsigned: int = 0
    verified: int = 0

    def said(self, documents: int) -> list[str]:
        """What there is to say of so many documents."""
        found = []
        if self.verified:
            found.append(f"{self.verified:,} of {documents:,} signatures verified")
        if self.unsigned:
            found.append(f"{self.unsigned:,} documents bear no signature")
        if self.unhashed:
            found.append(f"{self.unhashed:,} documents have no hash file")
        return found


def checks_of(ask: Ask, found: Metadata, before: set[str], notes: list[str]) -> Checks:
    """The publisher's keys. Those that the operator pinned are the only ones; else they are trusted as first seen.

    `before` are the fingerprints of the last good pull. Raises IntegrityError where keys are pinned and can't be used.
    """
    pinned = {k.upper().replace(" ", "") for k in ask.feed.option("keys").split(",") if k.strip()}
    checks = Checks(
        keys=None, allowed=set(), pinned=bool(pinned), any_publisher=ask.feed.option("any-publisher") == "yes",
        any_name=ask.feed.option("any-name") == "yes",
        publisher=provider.host(found.publisher.namespace),
    )  # fmt: skip
    if not openpgp.available():
        notes.append("signatures are not verified: gpg is not installed")
        if pinned:
            raise IntegrityError("keys are pinned, and there is no gpg to verify with", where=ask.feed.name,
                                 mend="install gnupg")  # fmt: skip
        return checks
    own = hashlib.sha256(checks.publisher.encode()).hexdigest()[:12]  # no two parties share a ring
    checks.keys = openpgp.Keyring(ask.staging.folder / f"keyring-{own}")
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
    if before and checks.allowed and not checks.allowed & before:
        notes.append("its signing keys are all others than before")
    if pinned:
        checks.allowed &= pinned
    elif not checks.allowed:
        notes.append("signatures are not verified: the provider names no key that can be used")
    return checks


def take(ask: Ask, listed: Listed, checks: Checks, batch: Batch) -> None:
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


def file_name(tracking_id: str) -> str:
    """The name that a document's file has by its id (CSAF 2.0 and 2.1 §5.1)."""
    return re.sub(r"[^+\-a-z0-9]+", "_", tracking_id.lower()) + ".json"


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


def _hold_hash(got: Got, hashes: dict[str, str], checks: Checks) -> None:
    if not hashes:
        checks.unhashed += 1
        return
    ending, digest = next(iter(hashes.items()))
    if _ALGORITHMS[ending](got.path.read_bytes()).hexdigest() != digest:
        raise IntegrityError(f"its {ending[1:]} is another than its hash file says", where=got.url)


def _hold_signature(ask: Ask, listed: Listed, got: Got, name: str, checks: Checks) -> None:
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


def _hold_head(ask: Ask, got: Got, listed: Listed, checks: Checks) -> None:
    """Its publisher is this provider's, its own label is no wider than its feed's, and it is not of a day to come."""
    judge.refuse_page(got, "a CSAF document")
    try:
        head = msgspec.json.decode(
            got.path.read_bytes().removeprefix(b"\xef\xbb\xbf"), type=provider.Document
        ).document
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise judge.UnsoundError(f"is no CSAF document: {plain(str(error), 120)}", where=got.url) from None
    judge.not_ahead(head.tracking.current_release_date, ask.now, got)
    stated, named = file_name(head.tracking.id), unquote(urlsplit(listed.url).path).rpartition("/")[2]
    if named != stated and not checks.any_name:
        raise IntegrityError(
            f"holds {plain(head.tracking.id, 80)}, whose file is {plain(stated, 90)} (option any-name lets it in)",
            where=got.url,
        )
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
