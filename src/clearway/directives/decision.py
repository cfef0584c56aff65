"""From what is known to a row of the table, and the reasons.

1. A policy's assumptions stand in for unknown values (exposure unknown is exposed).
2. The rows that agree with all that is known remain. If they name one tier, that is the answer,
   whatever is still unknown.
3. Else, where the policy has a default for values that nobody published, that default,
   moved into the range of the remaining rows: it never contradicts what is published.
4. Else the strictest of the remaining rows, with the range shown. A value is also unknown when no
   source that could tell is loaded; then no default applies, because nobody knows what is published.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from .directive import NOT_LOADED, UNKNOWN, Directive, Outcome, Point, Policy, Row
from .facts import Fact

OUT_OF_SCOPE = "out_of_scope"
REVOKED = "revoked"  # the basis of what a directive asked before it was revoked


class Decision(Struct, frozen=True, kw_only=True):
    """One answer of a table.

    `row` is the row that decides: the strictest possible one, the first of equals;
    None for a policy's default and out of scope. `rows` are all rows that agree with
    what is known, and `strictest`..`lenient` the range of their tiers. `days` and
    `months` are both None when the tier has no due date. `basis` joins by "+":
    published, defaulted, strictest, assumed_<what>, <point>_not_loaded; it is out_of_scope or revoked
    where the table has nothing to say.
    """

    directive: str
    row: int | None
    rows: tuple[int, ...]
    code: str
    name: str
    days: int | None = None
    months: int | None = None
    forensic_triage: bool = False
    basis: str
    strictest: str
    lenient: str
    reasons: tuple[str, ...]


def decide(
    directive: Directive, inputs: Mapping[str, Fact], policy: str = "", *, cve: str = "CVE"
) -> Decision:
    """What `directive` says about `inputs`, one fact a decision point; an absent point is unknown.

    `cve` "" puts the finding out of scope where the directive needs a CVE id.

    Raises:
        UsageError: the directive has no such policy.
    """
    rule = directive.policy(policy)
    if directive.scope.needs_cve and not cve:
        return _out_of_scope(directive)
    known, words, reasons = _resolve(directive, inputs, rule, cve)
    rows = [row for row in directive.rows if all(row.when[point] == value for point, value in known.items())]
    if not rows:  # a value that the table does not have: nothing is ruled out by it
        rows = list(directive.rows)
    ranked = sorted(rows, key=lambda row: -directive.rank(row.code))
    strictest, lenient = ranked[0], ranked[-1]
    open_points = [point for point in directive.points if point.id not in known]
    row: Row | None = strictest
    outcome = directive.outcome_of(strictest.code)
    if strictest.code == lenient.code:
        if not any(_of_publisher(directive, word) for word in words):
            words = ["published", *words]
        if open_points:
            names = " and ".join(point.name for point in open_points)
            reasons.append(f"{names}: not known, and every possible row gives {outcome.name}")
    else:
        default = _default(directive, rule, inputs, known)
        if default is not None:
            low, high = directive.rank(lenient.code), directive.rank(strictest.code)
            outcome = directive.outcomes[min(max(directive.rank(default.code), low), high)]
            row = None
            words = ["defaulted", *words]
            reasons.append(_say_default(rule, default, outcome))
        else:
            words = ["strictest", *words]
            reasons.append("unknown values take the strictest row that is consistent with what is known")
    words += [f"{p.id}_not_loaded" for p in directive.points if _value(inputs, p) == NOT_LOADED]
    numbers = tuple(sorted(r.row for r in rows))
    if row is not None:
        reasons.append(f"{directive.short} row {row.row}: {outcome.name}")
    if strictest.code != lenient.code:
        reasons.append(f"possible rows {_spell(numbers)}: from {strictest.code} to {lenient.code}")
    return Decision(
        directive=directive.id,
        row=None if row is None else row.row,
        rows=numbers,
        code=outcome.code,
        name=outcome.name,
        days=outcome.days,
        months=outcome.months,
        forensic_triage=outcome.forensic_triage,
        basis="+".join(words),
        strictest=strictest.code,
        lenient=lenient.code,
        reasons=tuple(reasons),
    )


def _value(inputs: Mapping[str, Fact], point: Point) -> str:
    fact = inputs.get(point.id)
    return UNKNOWN if fact is None else fact.value


def _resolve(
    directive: Directive, inputs: Mapping[str, Fact], rule: Policy, cve: str
) -> tuple[dict[str, str], list[str], list[str]]:
    """Known values after the policy's assumptions, the words for these, and a sentence a point."""
    known: dict[str, str] = {}
    words: list[str] = []
    reasons: list[str] = []
    assumed = {assumption.point: assumption for assumption in rule.assume}
    for point in directive.points:
        if point.cve_year_since:
            year = _cve_year(cve)
            if year is not None:
                known[point.id] = "since" if year >= point.cve_year_since else "before"
                reasons.append(f"{point.name}: {known[point.id]} {point.cve_year_since}")
            continue
        value = _value(inputs, point)
        if any(value == allowed.id for allowed in point.values):
            known[point.id] = value
            reasons.append(f"{point.name}: {value}{_whence(inputs.get(point.id))}")
            continue
        why = "no source loaded" if value == NOT_LOADED else "unknown"
        if point.id in assumed:
            known[point.id] = assumed[point.id].value
            words.append(assumed[point.id].basis)
            reasons.append(f"{point.name}: {why}, taken as {known[point.id]}")
        elif value == NOT_LOADED:
            reasons.append(f"{point.name}: no source loaded that could tell")
        else:
            reasons.append(f"{point.name}: unknown")
    return known, words, reasons


def _whence(fact: Fact | None) -> str:
    if fact is None or not (fact.by or fact.dated):
        return ""
    since = f"since {fact.dated}" if fact.dated else ""
    return f" ({', '.join(part for part in (fact.by, since) if part)})"


def _cve_year(cve: str) -> int | None:
    year = cve[4:8]
    return int(year) if cve[8:9] == "-" and year.isascii() and year.isdigit() else None


def _default(
    directive: Directive, rule: Policy, inputs: Mapping[str, Fact], known: Mapping[str, str]
) -> Outcome | None:
    """The policy's default tier where it applies: nothing that it rests on may be merely not loaded."""
    default = rule.default
    if default is None or any(known.get(point) != value for point, value in default.when.items()):
        return None
    for point in directive.points:
        if point.id in default.missing and _value(inputs, point) == NOT_LOADED:
            return None
    return directive.outcome_of(default.code)


def _say_default(rule: Policy, default: Outcome, outcome: Outcome) -> str:
    if outcome.code == default.code:
        return f"policy {rule.id}: {default.name} where nothing is published"
    return f"policy {rule.id}: {default.name} is outside the possible rows; the nearest is {outcome.name}"


def _of_publisher(directive: Directive, word: str) -> bool:
    """Whether the assumption called `word` stands for what a publisher, not the organisation, supplies."""
    for policy in directive.policies:
        for assumption in policy.assume:
            if assumption.basis == word:
                return any(
                    p.id == assumption.point and p.supplied_by != "organisation" for p in directive.points
                )
    return False


def _spell(numbers: tuple[int, ...]) -> str:
    """(1, 2, 3, 7) as "1-3, 7"."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def _out_of_scope(directive: Directive) -> Decision:
    why = f"out of scope: {directive.short} speaks of vulnerabilities with a CVE id"
    return _nothing(directive, "out of scope", OUT_OF_SCOPE, why)


def when_revoked(directive: Directive) -> Decision:
    """What a directive says of anything from the day on which it is revoked: nothing, by no row."""
    why = f"nothing is due under {directive.short} from {directive.revoked} on"
    return _nothing(directive, "nothing: it is revoked", REVOKED, why)


def _nothing(directive: Directive, name: str, basis: str, why: str) -> Decision:
    return Decision(
        directive=directive.id,
        row=None,
        rows=(),
        code=OUT_OF_SCOPE,
        name=name,
        basis=basis,
        strictest=OUT_OF_SCOPE,
        lenient=OUT_OF_SCOPE,
        reasons=(why,),
    )
