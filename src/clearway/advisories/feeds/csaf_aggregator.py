"""A CSAF aggregator or lister: each issuing party of its list is pulled as a provider of its own.

Requirements 21 to 23 of CSAF 2.0 and 2.1 §7.1. A party is read at its own address and, where that can't be had, at the
aggregator's mirror of it; a publisher, which has no metadata of its own, at its mirror alone. The aggregator says where
to look, and nothing more: a party's metadata must speak as the party that is listed, and its documents as its metadata.

A party that fails is left out with its reason and tried again at the next pull; the others are taken in.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, TypeAlias

from clearway.records.errors import ClearwayError, IntegrityError, UpstreamError
from clearway.records.text import plain

from . import csaf_provider as provider
from . import judge
from .layout import FORGET, Ask, Batch, Outcome

if TYPE_CHECKING:
    from .csaf import Part
    from .csaf_provider import Aggregator, Metadata, Party
    from .layout import Pull

MOST_PARTIES = 1_000
_MOST_MIRRORS = 3
OfProvider: TypeAlias = Callable[
    [Ask, "Metadata", str, dict[str, Any], list[str]], Generator[Batch, None, "Part"]
]


def pull(ask: Ask, found: Aggregator, troubled: set[str], notes: list[str], of_provider: OfProvider) -> Pull:
    """Every party that the operator wants, one after the other.

    Raises:
        UnsoundError: it lists nobody, too many, or none of them can be read.
    """
    parties = _wanted(ask, found)
    before: dict[str, Any] = ask.feed.state.get("parties", {})
    parts: dict[str, Part] = {}
    failed: dict[str, str] = {}
    for key, (party, mirrors_only) in parties.items():
        own: list[str] = []
        try:
            parts[key] = yield from _party(ask, party, mirrors_only, before.get(key, {}), own, of_provider)
            notes += [f"{provider.host(party.metadata.publisher.namespace)}: {note}" for note in own]
        except (UpstreamError, IntegrityError) as error:
            failed[key] = f"{plain(party.metadata.publisher.name, 80)}: {plain(error.what, 300)}"
    if not parts:
        raise judge.UnsoundError(
            f"none of its {len(parties):,} providers can be read: {next(iter(failed.values()))}",
            where=ask.feed.url,
        )
    mended = {k for k in troubled & parts.keys() if k not in failed}
    if not failed:  # only then is it known what nobody lists any more
        still = set().union(*(part.troubled for part in parts.values()))
        mended |= troubled - still
    if failed or mended:
        yield Batch(paths=[], items=dict.fromkeys(mended, FORGET), problems=failed)
    if not failed and all(part.unchanged for part in parts.values()):
        return None
    memories = {key: parts[key].memory if key in parts else before.get(key, {}) for key in parties}
    notes += [f"left out: {reason}" for reason in failed.values()]
    return Outcome(
        entries=sum(part.entries for part in parts.values()),
        dated=judge.latest([ask.feed.dated, *(part.dated for part in parts.values())]),
        state={"parties": {key: memory for key, memory in memories.items() if memory}},
        notes=notes,
        whole=True,
    )


def _wanted(ask: Ask, found: Aggregator) -> dict[str, tuple[Party, bool]]:
    """Key -> party, and whether only its mirrors are to be read. A party that is listed twice counts once."""
    only = {host.strip().lower() for host in ask.feed.option("providers").split(",") if host.strip()}
    mirrors_only = ask.feed.option("from") == "mirrors"
    parties: dict[str, tuple[Party, bool]] = {}
    listed = [(p, mirrors_only) for p in found.csaf_providers] + [(p, True) for p in found.csaf_publishers]
    if len(listed) > MOST_PARTIES:
        raise judge.UnsoundError(f"lists more than {MOST_PARTIES:,} providers", where=ask.feed.url)
    for party, mirrored in listed:
        host = provider.host(party.metadata.publisher.namespace)
        key = party.metadata.url or next(iter(party.mirrors), "")
        if key and (not only or host in only):
            parties.setdefault(key, (party, mirrored))
    if not parties:
        raise judge.UnsoundError(
            "lists none of the wanted providers" if only else "lists no provider at all",
            where=ask.feed.url,
            mend="option providers names hosts of their namespaces: example.com,cert.example",
        )
    return parties


def _party(
    ask: Ask,
    party: Party,
    mirrors_only: bool,
    before: dict[str, Any],
    notes: list[str],
    of_provider: OfProvider,
) -> Generator[Batch, None, Part]:
    """Pulls one party at the first of its addresses whose metadata are sound and its own."""
    addresses = ([] if mirrors_only or not party.metadata.url else [party.metadata.url]) + party.mirrors
    listed_as = provider.host(party.metadata.publisher.namespace)
    failure: ClearwayError | None = None
    seen = dict(ask.seen)
    for address in addresses[: 1 + _MOST_MIRRORS]:
        said = [] if failure is None else [f"read at a mirror, as its own address fails: {failure.what}"]
        try:
            found = provider.metadata(ask, address)
            speaks_as = provider.host(found.publisher.namespace)
            if speaks_as != listed_as:
                raise judge.UnsoundError(
                    f"speaks as {plain(speaks_as, 80)}, and is listed as {plain(listed_as, 80)}",
                    where=address,
                )
            part = yield from of_provider(ask, found, address, _at(before, address), said)
        except (UpstreamError, IntegrityError) as error:
            failure = failure or error
            # Its indexes count as unread: what they list may not have been taken in.
            ask.seen.clear()
            ask.seen.update(seen)
            continue
        notes += said
        return part
    raise failure or judge.UnsoundError("has no address to be read at", where=ask.feed.url)


def _at(before: dict[str, Any], address: str) -> dict[str, Any]:
    """What is remembered of a party, for one of its addresses: its keys are others at a mirror, which signs anew."""
    return before if before.get("at", address) == address else {**before, "keys": []}
