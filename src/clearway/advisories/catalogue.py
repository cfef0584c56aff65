"""What may take the place of a catalogue: a set that is published whole, where not to be listed means to be taken off.

A file that was cut short, is of another origin or was made up says the same of everything that it lacks. So a
publisher is taken at its word where it takes back or dates anew little; more is asked about first, whoever brings the
file: `clearway ingest` and a feed's pull alike. A date that moves earlier counts as one that moves later does: what
was dated too early would keep each true catalogue out, as one that postpones. What is lost little by little counts
together: a year's loss is held to the same share as one day's. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from clearway.records.text import plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clearway.records.advisory import Kev

# The share of what stands that may be lost at once; FIRST drops scores with rejected CVEs, CISA hardly ever an entry.
MOST_LOST = {"kev": 0.02, "epss": 0.1}
_ALWAYS = 2  # entries: of a small catalogue every one is a large share
_NAMED = 3  # of those that would go, in a sentence


class Loss(Struct, frozen=True):
    """What a newer catalogue would take from the one in force: entries, and the dates that it gave them.

    No CVE is in two of the lists.
    """

    left: tuple[str, ...] = ()  # no longer listed
    later: tuple[str, ...] = ()  # listed, added on a later day or due on a later one than before, or no more
    earlier: tuple[str, ...] = ()  # listed, added or due on an earlier day, and neither on a later one


def loss(standing: Mapping[str, Kev], offered: Mapping[str, Kev]) -> Loss:
    """What `offered` would take off `standing` or date anew, both by CVE; sorted."""
    left = sorted(standing.keys() - offered.keys())
    later, earlier = [], []
    for cve in sorted(standing.keys() & offered.keys()):
        if _is_later(standing[cve], offered[cve]):
            later.append(cve)
        elif _is_later(offered[cve], standing[cve]):
            earlier.append(cve)
    return Loss(tuple(left), tuple(later), tuple(earlier))


def _is_later(before: Kev, now: Kev) -> bool:
    if now.date_added > before.date_added:
        return True
    return before.due_date is not None and (now.due_date is None or now.due_date > before.due_date)


def is_much(kind: str, lost: int, before: int) -> bool:
    """Whether to lose `lost` of `before` entries at once is more than a publisher of this kind does."""
    return lost > _ALWAYS and lost > MOST_LOST[kind] * before


def refusal(lost: Loss, listed: int, before: int, stand: str = "stand") -> str:
    """Why a KEV catalogue of `listed` entries is not taken in the place of `before`; "" where it may be.

    `stand` says when those stood.
    """
    if not is_much("kev", len(lost.left) + len(lost.later) + len(lost.earlier), before):
        return ""
    parts = []
    if lost.left:
        parts.append(f"would take {len(lost.left):,} off ({named(lost.left)})")
    if lost.later:
        parts.append(f"dates {len(lost.later):,} later than before ({named(lost.later)})")
    if lost.earlier:
        parts.append(f"dates {len(lost.earlier):,} earlier than before ({named(lost.earlier)})")
    return f"lists {entries(listed)} where {before:,} {stand}, and {' and '.join(parts)}"


def fewer(kind: str, listed: int, before: int, when: str = "before") -> str:
    """The same of a catalogue whose entries are known by their number alone."""
    return (
        f"lists {entries(listed)}, and listed {before:,} {when}"
        if is_much(kind, before - listed, before)
        else ""
    )


def entries(number: int) -> str:
    """So many entries, in words."""
    return "1 entry" if number == 1 else f"{number:,} entries"


def named(cves: Sequence[str]) -> str:
    """The first few of a list, and that there are more."""
    return ", ".join(plain(cve, 60) for cve in cves[:_NAMED]) + (", …" if len(cves) > _NAMED else "")
