""" "Is this already public, or fixed?" Answered from public records alone, before anything is sent.

Three things are compared with each flaw that public sources know of the product: whether the asked release is
inside its ranges or past its fix, whether a record names the same class (CWE), and whether a record names the same
file or function. Nothing that is kept here under a marking is looked at, so the answer tells nothing that a member
of the public could not find; and that nothing is found proves nothing (what the loaded sources cover is said with
it). Pure: the caller fetches.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from clearway.exposure.judge import claims, coverage, judge
from clearway.formats.reported_parts import identified
from clearway.records.errors import InputError

if TYPE_CHECKING:
    from clearway.advisories.table import Table

MAX_SHOWN = 20
MAX_LOOKED_AT = 200  # flaws of one product whose records are read; the newest names first
MAX_WORDS = 16  # of a place
_CWE = re.compile(rb"CWE-(\d{1,5})(?!\d)")
_WORD = re.compile(r"[\w.+-]+(?:/[\w.+-]+)*")
# Names that are in every second record and tell nothing of a place.
_COMMON = frozenset(
    "main index init __init__.py setup.py utils util common core test parse read write get set run".split()  # noqa: SIM905
)
_MIN_WORD = 5
Refs = Sequence[tuple[str, str]]  # (source, record id)
Fetch = Callable[[Refs], Mapping[tuple[str, str], bytes]]
Standing = Literal["affected", "fixed", "not_affected", "unknown"]
Verdict = Literal["public", "fixed", "similar", "nothing"]


class Question(Struct, frozen=True, kw_only=True):
    """What is asked about: a product, and what is known of the flaw. `release` is in the purl or beside it."""

    purl: str = ""
    ecosystem: str = ""
    package: str = ""
    release: str = ""
    place: str = ""  # "src/parse.c parse_string"
    cwe: str = ""


class Known(Struct, frozen=True, kw_only=True):
    """One flaw of the product that is public. `same_class` None: no record names a class, or none was asked for."""

    flaw: str
    title: str
    release: Standing
    fixed: tuple[str, ...] = ()
    same_class: bool | None = None
    same_place: bool | None = None
    records: tuple[str, ...] = ()


class Answer(Struct, frozen=True, kw_only=True):
    """What public records say.

    `public`: a known flaw of the same class or place covers the release. `fixed`: such a flaw is known, and the
    release is past its fix. `similar`: flaws of the product are known, and none is told to be this one. `nothing`:
    none is known.
    """

    ecosystem: str
    package: str
    release: str
    verdict: Verdict
    known: tuple[Known, ...] = ()
    more: int = 0  # further flaws of the product that are not shown
    covered: bool = False
    sources: tuple[str, ...] = ()
    words: str = ""


def ask(table: Table, question: Question, fetch: Fetch) -> Answer:
    """What public records say of the flaw in question. `fetch` gives the bytes of records marked TLP:CLEAR.

    Raises:
        InputError: no product, or a purl that can't be read.
    """
    product = identified(question.purl, question.ecosystem, question.package, question.release)
    ecosystem, package, release = product["ecosystem"], product["package"], product["release"]
    if not package or not ecosystem:
        raise InputError(
            "no product is named",
            where="purl",
            mend="give a purl, or an ecosystem as OSV spells it and a name",
        )
    covers = coverage(table, ecosystem, package)
    by_flaw = _flaws(table, ecosystem, package)
    standing = _standing(table, ecosystem, package, release)
    looked = list(by_flaw)[:MAX_LOOKED_AT]
    wanted = [ref for flaw in looked for ref in by_flaw[flaw]] if question.cwe or question.place else []
    bodies = fetch(wanted) if wanted else {}
    known = [_known(table, flaw, by_flaw[flaw], standing, bodies, question) for flaw in looked]
    known.sort(key=lambda k: (-_likeness(k), k.release != "affected", k.flaw))
    verdict = _verdict(known)
    return Answer(
        ecosystem=ecosystem,
        package=package,
        release=release,
        verdict=verdict,
        known=tuple(known[:MAX_SHOWN]),
        more=max(0, len(by_flaw) - MAX_SHOWN),
        covered=covers.covered,
        sources=covers.sources,
        words=_words(verdict, covered=covers.covered, reason=covers.reason),
    )


def words_of(place: str) -> tuple[bytes, ...]:
    """What of a place is looked for in records: paths, their last parts, functions; no names that tell nothing."""
    found: dict[str, None] = {}
    for word in _WORD.findall(place[:2_000]):
        for part in (word, word.rpartition("/")[2]):
            if len(part) >= _MIN_WORD and part.lower() not in _COMMON and not part.isdigit():
                found.setdefault(part)
    return tuple(word.encode() for word in list(found)[:MAX_WORDS])


def _flaws(table: Table, ecosystem: str, package: str) -> dict[str, list[tuple[str, str]]]:
    """The flaws of a product with the records that speak of it, newest names first."""
    found: dict[str, list[tuple[str, str]]] = {}
    for claim in claims(table, ecosystem, package):
        for flaw in table.flaws_of(claim.record) or (claim.record,):
            refs = found.setdefault(flaw, [])
            known = table.flaw(flaw)
            for ref in (known.records if known is not None else ()) or ((claim.source, claim.record),):
                if ref not in refs:
                    refs.append(ref)
    return dict(sorted(found.items(), reverse=True))


def _standing(
    table: Table, ecosystem: str, package: str, release: str
) -> dict[str, tuple[Standing, tuple[str, ...]]]:
    """How the release stands with each record, and which versions it calls fixed."""
    found: dict[str, tuple[Standing, tuple[str, ...]]] = {}
    fixes: dict[str, list[str]] = {}
    for claim in claims(table, ecosystem, package):
        fixes.setdefault(claim.record, []).extend(i[3] for i in claim.intervals if i[4] == "fixed" and i[3])
    if not release:
        return {record: ("unknown", tuple(dict.fromkeys(fix))) for record, fix in fixes.items()}
    judged = judge(table, ecosystem, package, release)
    said = {s.record: s for s in judged.statements}
    for record, fix in fixes.items():
        statement = said.get(record)
        if statement is not None and statement.verdict in ("affected", "unknown"):
            found[record] = (statement.verdict, tuple(dict.fromkeys(statement.fixed or fix)))
        elif judged.problem:
            found[record] = ("unknown", tuple(dict.fromkeys(fix)))
        else:
            found[record] = ("fixed" if fix else "not_affected", tuple(dict.fromkeys(fix)))
    return found


def _known(
    table: Table,
    flaw: str,
    refs: Sequence[tuple[str, str]],
    standing: Mapping[str, tuple[Standing, tuple[str, ...]]],
    bodies: Mapping[tuple[str, str], bytes],
    question: Question,
) -> Known:
    stands = [standing[record] for _, record in refs if record in standing]
    order: tuple[Standing, ...] = ("affected", "unknown", "fixed", "not_affected")
    release: Standing = next((s for s in order if any(s == kind for kind, _ in stands)), "unknown")
    titles = [note.title for _, record in refs for note in table.records(record) if note.title]
    raw = [bodies[ref] for ref in refs if ref in bodies]
    return Known(
        flaw=flaw,
        title=titles[0] if titles else "",
        release=release,
        fixed=tuple(dict.fromkeys(v for _, fix in stands for v in fix))[:10],
        same_class=_same_class(raw, question.cwe),
        same_place=_same_place(raw, words_of(question.place)),
        records=tuple(record for _, record in refs)[:10],
    )


def _same_class(raw: Sequence[bytes], cwe: str) -> bool | None:
    named = {f"CWE-{int(n)}" for body in raw for n in _CWE.findall(body)}
    return None if not cwe or not named else cwe in named


def _same_place(raw: Sequence[bytes], words: Sequence[bytes]) -> bool | None:
    if not words or not raw:
        return None
    # Most records have no such word at all, and that is told a hundred times faster.
    return any(
        word in body and re.search(rb"(?<!\w)" + re.escape(word) + rb"(?!\w)", body)
        for body in raw
        for word in words
    )


def _likeness(known: Known) -> int:
    return 2 * bool(known.same_place) + bool(known.same_class)


def _verdict(known: Sequence[Known]) -> Verdict:
    alike = [k for k in known if _likeness(k)]
    if any(k.release in ("affected", "unknown") for k in alike):
        return "public"
    if any(k.release == "fixed" for k in alike):
        return "fixed"
    return "similar" if known else "nothing"


def _words(verdict: Verdict, *, covered: bool, reason: str) -> str:
    said = {
        "public": "A public record of the same class or place covers this release. Compare before you report it.",
        "fixed": "A public record of the same class or place calls this release fixed. If it still happens, the fix "
        "does not hold: report that.",
        "similar": "Flaws of this product are public, and none is told to be of this class or place.",
        "nothing": "No public record that is loaded here speaks of this product.",
    }[verdict]
    return (
        said if covered else f"{said} Silence proves nothing here: {reason or 'no loaded source covers it'}."
    )
