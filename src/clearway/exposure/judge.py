"""One package version against every source's claims: the heart of matching, pure.

The order of a package's versions is its ecosystem's own (`versions`). A claim answers
*affected* inside one of its intervals or on its list, *not_affected* outside them, and
*unknown* when the version or part of the claim can't be read. Nothing here guesses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from clearway.advisories.streams import module_of, same_stream
from clearway.advisories.table import Claim
from clearway.records.errors import VersionUnreadableError
from clearway.records.finding import Statement
from clearway.versions import compare, has_keys, is_generic, key, scheme_of

from .fixes import release_after

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clearway.advisories.table import Coverage, IntervalTuple, Table

VENDOR = "vendor"  # reviewed vendor/product pairs
VENDOR_UNREVIEWED = "vendor-unreviewed"  # pairs that agree by text only
CPE = "cpe"
_DRUPAL = "Packagist:https://packages.drupal.org/8"
# Ecosystem names whose match is a hint and never a verdict of *affected*.
_POSSIBLE = {VENDOR_UNREVIEWED: "possible_name", CPE: "possible_cpe"}


class Judged(Struct, frozen=True):
    """What the sources say of one package version. `problem` is set when nothing could be judged.

    `clear` are claims whose versions all lie elsewhere: most of what is said of most packages, so it is
    put into words (`clearing`) only where another source says otherwise.
    """

    statements: tuple[Statement, ...]
    named: bool  # some source speaks of this package
    problem: str = ""
    clear: tuple[Claim, ...] = ()


def judge(table: Table, ecosystem: str, name: str, version: str, stream: str = "") -> Judged:
    """Every source's word on `version` of one package; statements in the table's order.

    `stream` is the rpm module stream it was built in ("nodejs:16"), where an inventory says it.
    """
    spoken = claims(table, ecosystem, name)
    if not spoken:
        return Judged((), False)
    scheme = scheme_of(ecosystem)
    problem = ""
    position: bytes | None = None
    if not version:
        problem = "no version is given"
    elif has_keys(scheme):
        try:
            position = key(scheme, version)
        except VersionUnreadableError as error:
            problem = error.what
    clear: list[Claim] = []
    if position is not None:
        open_: list[Claim] = []
        for claim in spoken:
            (clear if _lies_elsewhere(claim, scheme, position) else open_).append(claim)
        spoken = tuple(open_)
    statements = [
        (c.module and in_stream(c, name, version, stream))
        or weigh(c, ecosystem, scheme, version, position, problem)
        for c in spoken
    ]
    if position is not None and any(c.status != "affected" for c in spoken):
        statements = exceptions(spoken, statements, position)
    if problem and any(s.verdict != "unknown" for s in statements):
        problem = ""  # without an order, but listed just so
    return Judged(tuple(statements), True, problem, tuple(clear))


def _lies_elsewhere(claim: Claim, scheme: str, position: bytes) -> bool:
    """Whether a plain claim's intervals all miss `position`; False sends any other claim to be weighed."""
    if (
        claim.status != "affected"
        or claim.listed
        or claim.unread
        or claim.silent
        or claim.module
        or (claim.scheme != scheme and claim.scheme)
    ):
        return False
    return not any(interval[0] <= position < interval[1] for interval in claim.intervals)


def clearing(claim: Claim, version: str) -> Statement:
    """The statement of a claim in `Judged.clear`."""
    return _say(claim, "not_affected", "none", f"{version} is outside {_all_bounds(claim)}")


def in_stream(claim: Claim, name: str, version: str, stream: str) -> Statement | None:
    """The answer of a claim about a package built in a module; None where versions may be compared."""
    if not module_of(version):
        return _say(claim, "unknown", "none", "the advisory is for a build in a module, and this is none")
    same = same_stream(claim.module, name, version, stream)
    if same is None:
        return _say(
            claim, "unknown", "none", "the module stream of the package or of the advisory is not stated"
        )
    if not same:
        return _say(claim, "not_affected", "none", f"the advisory is for the module stream {claim.module}")
    return None


def exceptions(spoken: Sequence[Claim], statements: list[Statement], position: bytes) -> list[Statement]:
    """What a record says of fewer versions outranks what it says of more: "before 9", but "7.4-LTS not".

    A clearing that is as wide as the affirmation, or wider, takes nothing back: "7 and later are
    not affected, but 8.0 to 8.5.3 are" leaves 8.1 affected.
    """
    spans = [_span(c, position) for c in spoken]
    kept = []
    for claim, statement, span in zip(spoken, statements, spans, strict=True):
        if statement.verdict == "affected" and span is not None:
            excepted = any(
                other.status != "affected"
                and (other.record, other.source, other.conditions)
                == (claim.record, claim.source, claim.conditions)
                and narrow is not None
                and narrow != span
                and span[0] <= narrow[0]
                and narrow[1] <= span[1]
                for other, narrow in zip(spoken, spans, strict=True)
            )
            if excepted:
                continue
        kept.append(statement)
    return kept


def _span(claim: Claim, position: bytes) -> tuple[bytes, bytes] | None:
    """The narrowest stated span of keys that holds `position`; a listed version is a span of itself."""
    if any(at == position for at, _ in claim.listed):
        return position, position
    holding = [(i[0], i[1]) for i in claim.intervals if i[0] <= position < i[1]]
    return max(holding, default=None)


def claims(table: Table, ecosystem: str, name: str) -> tuple[Claim, ...]:
    """Every claim on a package, under each of its names."""
    found = table.claims(ecosystem, name)
    other = other_names(ecosystem, name)
    return found + table.claims(*other) if other else found


def spoken_of(table: Table, ecosystem: str, name: str) -> bool:
    """Whether any source may speak of a package, under one of its names; False is certain, and quick."""
    if table.speaks_of(ecosystem, name):
        return True
    other = other_names(ecosystem, name)
    return other is not None and table.speaks_of(*other)


def home_repository(ecosystem: str, name: str) -> str:
    """The repository with advisories of its own that serves this package; "" when there is none.

    A purl says `composer` whatever the repository, and Drupal's packages come from Drupal's.
    """
    return _DRUPAL if ecosystem == "Packagist" and name.startswith("drupal/") else ""


def other_names(ecosystem: str, name: str) -> tuple[str, str] | None:
    """Where else claims on a package may stand: its repository, or Go's names in lower case; None for most."""
    if ecosystem == "Go":
        return ("go-folded", name) if name.islower() else None
    repository = home_repository(ecosystem, name)
    return (repository, name) if repository else None


def coverage(table: Table, ecosystem: str, name: str) -> Coverage:
    """Whether silence about this package says anything: its repository's advisories decide where it has some."""
    return table.coverage(home_repository(ecosystem, name) or ecosystem)


def weigh(
    claim: Claim, ecosystem: str, own: str, version: str, position: bytes | None, problem: str
) -> Statement:
    """One claim's answer. `own` is the ecosystem's scheme and `position` the version's key in it, None without one."""
    if problem:
        if version and any(text == version for _, text in claim.listed):
            return _inside(claim, _POSSIBLE.get(ecosystem) or "listed", f"{version} is listed", (), False)
        return _say(claim, "unknown", "none", problem)
    scheme = claim.scheme or own
    if scheme != own and has_keys(scheme):
        try:  # a vendor range in an order of its own
            position = key(scheme, version)
        except VersionUnreadableError as error:
            return _say(claim, "unknown", "none", error.what)
    possible = _POSSIBLE.get(ecosystem)
    holding: IntervalTuple | None = None
    for interval in claim.intervals:
        lo, hi, introduced, end, kind = interval
        inside = (
            lo <= position < hi if position is not None else _between(scheme, version, introduced, end, kind)
        )
        # Of several the narrowest speaks: it is the one that may know the fix.
        if inside and (holding is None or kind or not holding[4]):
            holding = interval
    if holding is not None:
        _, _, introduced, end, kind = holding
        basis = possible or ("vendor_range" if ecosystem == VENDOR else "range")
        if not possible and basis == "range" and is_generic(scheme):
            basis = "generic_order"
        reason = f"{version} is in {_bounds(introduced, end, kind)}"
        if scheme == "rpm" and not claim.module and module_of(version):
            return _say(
                claim, "unknown", "none", "the advisory is for a build outside modules, and this is of one"
            )
        fixed = release_after(ecosystem, holding, claim.intervals)
        return _inside(claim, basis, reason, fixed, bool(possible))
    for listed_key, text in claim.listed:
        if listed_key == position if position is not None else text == version:
            basis = possible or ("vendor_range" if ecosystem == VENDOR else "listed")
            return _inside(claim, basis, f"{version} is listed", (), bool(possible))
    if claim.unread:
        return _say(claim, "unknown", "none", claim.unread)
    if claim.status != "affected":
        return _say(claim, "unknown", "unstated", f"{version} is not among the versions that it clears")
    if claim.silent and not any(lo <= position for lo, *_ in claim.intervals if position is not None):
        return _say(
            claim, "unknown", "unstated", f"{version} is none of the versions that the source speaks of"
        )
    return clearing(claim, version)


def _inside(claim: Claim, basis: str, reason: str, fixed: tuple[str, ...], possible: bool) -> Statement:
    if claim.status != "affected":
        verdict = "unknown" if possible else "not_affected"
        return _say(claim, verdict, basis, f"{reason}, which the source states as not affected")
    if possible:
        return _say(claim, "unknown", basis, f"possible only: {reason}", fixed)
    return _say(claim, "affected", basis, reason, fixed)


def _say(claim: Claim, verdict: str, basis: str, reason: str, fixed: tuple[str, ...] = ()) -> Statement:
    return Statement(
        record=claim.record,
        source=claim.source,
        verdict=verdict,  # type: ignore[arg-type]
        basis=basis,  # type: ignore[arg-type]
        reason=reason,
        fixed=fixed,
        conditions=claim.conditions,
    )


def _between(scheme: str, version: str, introduced: str, end: str, kind: str) -> bool:
    """Containment by comparison, for an order without keys (pacman)."""
    if introduced != "0" and compare(scheme, version, introduced) < 0:
        return False
    if not end:
        return True
    order = compare(scheme, version, end)
    return order <= 0 if kind == "last_affected" else order < 0


def _bounds(introduced: str, end: str, kind: str) -> str:
    if not end:
        return "every version" if introduced in ("0", "") else f"[{introduced}, no fix known)"
    closing = "]" if kind == "last_affected" else ")"
    return f"[{introduced or '0'}, {end}{closing}"


def _all_bounds(claim: Claim) -> str:
    texts = [_bounds(i[2], i[3], i[4]) for i in claim.intervals[:4]]
    if len(claim.intervals) > 4:
        texts.append(f"{len(claim.intervals) - 4} more ranges")
    if claim.listed:
        texts.append(f"{len(claim.listed)} listed versions")
    return ", ".join(texts) if texts else "every range stated"
