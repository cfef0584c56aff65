"""A directive as data: decision points, rows, outcomes, the clock's options and the missing-data policies.

The tables live in `data/*.json`, one file a directive and version, because their
issuers revise them; nothing in this room names a row, a tier or a number of days.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from msgspec import Struct, field

from clearway.records.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

UNKNOWN = "unknown"
NOT_LOADED = "not_loaded"  # no source that could tell is loaded; never the same as a published "no"


class Value(Struct, frozen=True):
    """One value of a decision point, with its key in the SSVC registry ("" where it has none)."""

    id: str
    ssvc: str = ""


class Point(Struct, frozen=True, kw_only=True):
    """One decision point. `values` run from the lenient to the strict end.

    `supplied_by` tells who states it: "organisation", or the publisher's name.
    `cve_year_since`: the value follows from the CVE id ("since" or "before" that year).
    """

    id: str
    name: str
    values: tuple[Value, ...]
    ssvc: str = ""
    supplied_by: str
    cve_year_since: int = 0


class Outcome(Struct, frozen=True, kw_only=True):
    """One tier. Neither `days` nor `months` means that the tier has no due date."""

    code: str
    name: str
    days: int | None = None
    months: int | None = None
    forensic_triage: bool = False


class Row(Struct, frozen=True):
    """One row of the table: every decision point with one value, and the tier's code."""

    row: int
    when: dict[str, str]
    code: str


class Assumption(Struct, frozen=True):
    """What a policy puts in the place of an unknown value; `basis` is the word that shows it."""

    point: str
    value: str
    basis: str


class Default(Struct, frozen=True):
    """The tier for values that nobody published: only where `when` is known to hold."""

    when: dict[str, str]
    missing: tuple[str, ...]
    code: str


class Policy(Struct, frozen=True, kw_only=True):
    """What to do about missing data. Whatever is left open takes the strictest row possible."""

    id: str
    note: str = ""
    assume: tuple[Assumption, ...] = ()
    default: Default | None = None


class Phase(Struct, frozen=True, rename={"since": "from"}):
    """From when one part of the directive applies."""

    phase: str
    since: date
    what: str


class Scope(Struct, frozen=True):
    needs_cve: bool = True


class ClockRule(Struct, frozen=True, kw_only=True):
    """Which events start the clock, and how a tier change may move it; the first option is the default.

    `catalogue_due`: a due date printed in the catalogue goes before the table's own days.
    """

    starts: tuple[str, ...]
    retier: tuple[str, ...]
    catalogue_due: bool = False


class Directive(Struct, frozen=True, kw_only=True):
    """One version of one directive. `outcomes` run from the lenient to the strict end."""

    id: str
    title: str
    short: str
    issuer: str
    version: str
    url: str
    published: date
    effective: tuple[Phase, ...]
    calendar: str
    scope: Scope
    points: tuple[Point, ...]
    outcomes: tuple[Outcome, ...]
    rows: tuple[Row, ...]
    clock: ClockRule
    policies: tuple[Policy, ...]
    outcome: str = ""  # id of the outcome in the SSVC registry
    revokes: tuple[str, ...] = ()
    revoked: date | None = None
    revoked_by: str = ""
    notes: tuple[str, ...] = field(default=())

    def policy(self, name: str = "") -> Policy:
        """The policy of that name, or the first, which is the default. Raises UsageError."""
        if not name:
            return self.policies[0]
        for policy in self.policies:
            if policy.id == name:
                return policy
        known = ", ".join(policy.id for policy in self.policies)
        raise UsageError(f"{self.short} has no policy {name!r}", mend=f"one of: {known}")

    def retier(self, name: str = "") -> str:
        """The re-tiering rule of that name, or the default. Raises UsageError."""
        if not name:
            return self.clock.retier[0]
        if name not in self.clock.retier:
            raise UsageError(
                f"{self.short} has no re-tiering rule {name!r}",
                mend=f"one of: {', '.join(self.clock.retier)}",
            )
        return name

    def notice(self, as_of: date) -> str:
        """What is to be said of the directive itself on that day; "" while it is in force."""
        if as_of < self.published:
            return f"{self.short} was issued on {self.published}, after {as_of}"
        if as_of < effective_day(self):
            return f"{self.short} {self.version} is in effect from {effective_day(self)} on"
        if self.ended(as_of) is not None:
            by = f" by {self.revoked_by}" if self.revoked_by else ""
            return f"{self.short} was revoked on {self.revoked}{by}"
        return ""

    def ended(self, as_of: date) -> date | None:
        """The day from which nothing is due under it any more, where that has come by `as_of`; else None."""
        return self.revoked if self.revoked is not None and self.revoked <= as_of else None

    def rank(self, code: str) -> int:
        """How strict a tier is: 0 for the most lenient. Raises InputError for a code it does not have."""
        for i, outcome in enumerate(self.outcomes):
            if outcome.code == code:
                return i
        raise InputError(f"{self.id} has no outcome {code!r}", where=self.id)

    def outcome_of(self, code: str) -> Outcome:
        """The tier of that code. Raises InputError for a code it does not have."""
        return self.outcomes[self.rank(code)]


_EVENTS = frozenset(("kev_added", "detected"))  # what the clock can be told of
_MOST_DAYS = 36_500
_MOST_ROWS = 1_000
_SIGNS = str.maketrans("", "", "_.+-")


def _bounded(directive: Directive, fail: Callable[[str], None]) -> None:
    """What a signature does not promise: names that can be shown, an address to follow, and days of the calendar."""
    if not directive.points or len(directive.points) > 16 or len(directive.rows) > _MOST_ROWS:
        fail(f"{len(directive.points)} decision points and {len(directive.rows):,} rows")
    if not set(directive.clock.starts) <= _EVENTS or not directive.clock.starts:
        fail(f"the clock starts with {', '.join(sorted(_EVENTS))}, or one of them")
    if not directive.url.startswith(("https://", "http://")):
        fail("its address is no web address")
    words = [
        *(point.id for point in directive.points),
        *(value.id for point in directive.points for value in point.values),
        *(outcome.code for outcome in directive.outcomes),
        *(policy.id for policy in directive.policies),
        *(assumed.basis for policy in directive.policies for assumed in policy.assume),
        *directive.clock.retier,
    ]
    for word in words:
        bare = word.translate(_SIGNS)
        if not (len(word) <= 60 and bare.isascii() and bare.isalnum()):
            fail(f"{word[:80]!r} can't name a part of a table")
    for names in (
        [point.id for point in directive.points],
        [outcome.code for outcome in directive.outcomes],
        [policy.id for policy in directive.policies],
    ):
        if len(set(names)) != len(names):
            fail("a decision point, outcome or policy is there twice")
    for outcome in directive.outcomes:
        for number, unit in ((outcome.days, "days"), (outcome.months, "months")):
            if number is not None and not 0 <= number <= _MOST_DAYS // (1 if unit == "days" else 30):
                fail(f"outcome {outcome.code} has {number} {unit}")


def effective_day(directive: Directive) -> date:
    """The first day on which a part of it applies; of one that names no phases, the day it was published."""
    return min((phase.since for phase in directive.effective), default=directive.published)


def check(directive: Directive) -> Directive:
    """The directive itself, once its parts agree with each other.

    Every combination of values has exactly one row, and all names lead somewhere.
    Raises InputError: a table with a hole would give silence where a duty is.
    """

    def fail(what: str) -> None:
        raise InputError(what, where=directive.id, mend="mend the directive's data file")

    _bounded(directive, fail)
    values = {point.id: {value.id for value in point.values} for point in directive.points}
    seen: set[tuple[str, ...]] = set()
    for row in directive.rows:
        directive.rank(row.code)
        if set(row.when) != set(values):
            fail(f"row {row.row} does not name every decision point once")
        combination = tuple(row.when[point] for point in values)
        if any(row.when[point] not in allowed for point, allowed in values.items()):
            fail(f"row {row.row} has a value that its decision point lacks")
        if combination in seen:
            fail(f"row {row.row} repeats an earlier row")
        seen.add(combination)
    wanted = 1
    for allowed in values.values():
        wanted *= len(allowed)
    if len(seen) != wanted:
        fail(f"{len(seen)} rows for {wanted} combinations of values")
    if directive.calendar != "calendar_days":
        fail(f"calendar {directive.calendar!r} is not known: only calendar_days is")
    if not directive.policies or not directive.clock.retier:
        fail("a policy and a re-tiering rule are needed")
    for policy in directive.policies:
        for assumption in policy.assume:
            if assumption.value not in values.get(assumption.point, ()):
                fail(f"policy {policy.id} assumes a value that {assumption.point} lacks")
        if policy.default is not None:
            directive.rank(policy.default.code)
            if not set(policy.default.when) | set(policy.default.missing) <= set(values):
                fail(f"policy {policy.id} names a decision point that the table lacks")
    return directive
