"""Matching one inventory: components to packages, packages to flaws, flaws to due dates.

One flaw counts once in a component, whatever the number of records and aliases. Sources that
disagree are all shown; one that affirms is enough for *affected*. Only a VEX statement that
names the component and the flaw takes a finding back, and it stays visible.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from clearway.records.finding import Finding, Statement, Unjudged
from clearway.records.inventory import Component

from . import judge as judging
from .identity import Identity, identities, unnamed_source
from .report import CoverageLine, Report

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

    from clearway.advisories.table import FlawFacts, Table
    from clearway.records.inventory import Inventory

    Rule = Callable[[Finding, Component], Finding]


# The findings of one package version, and why it can't be judged, or "".
Answer = tuple[tuple[Finding, ...], str]


class Due(NamedTuple):
    """When an affected finding is due, in the words of `Finding`'s fields."""

    directive: str = ""
    due: date | None = None
    tier: str = ""
    due_basis: str = ""
    due_reasons: tuple[str, ...] = ()


NOT_DUE = Due()


class Matcher:
    """Matches inventories against one table. Answers are remembered by package version."""

    def __init__(self, table: Table, *, as_of: date) -> None:
        self.table = table
        self.as_of = as_of
        self._silences: dict[str, str] = {}
        self._quiet: dict[str, dict[str, Answer]] = {}  # ecosystem -> name that nobody speaks of
        self._answers: dict[Identity, Answer] = {}

    def match(
        self,
        inventory: Inventory,
        *,
        exposure: str = "",
        detected: date,
        detected_by: str,
        rules: Sequence[Callable[[Inventory], Rule]] = (),
        deadline: Callable[[Finding, str], Due] | None = None,
        directive: str = "",
        standing: str = "",
        policy: str = "",
    ) -> Report:
        """The report for `inventory`.

        `exposure` overrides what the inventory says of itself. `rules` (VEX) may change a
        finding's verdict; `deadline(finding, exposure)` says when an affected one is due.
        """
        applied = [rule(inventory) for rule in rules]
        findings: list[Finding] = []
        unjudged: list[Unjudged] = []
        counts = {"affected": 0, "not_affected": 0, "unknown": 0}
        seen: dict[str, int] = {}
        stated = exposure or inventory.exposure
        dated: dict[tuple[str, str], Due] = {}
        self.table.expect(len(inventory.components))
        for component in inventory.components:
            place = component.ecosystem
            if place == "Packagist":
                place = judging.home_repository(place, component.name) or place
            seen[place] = seen.get(place, 0) + 1
            found, problem = self.component(component)
            status = "unknown" if problem else "not_affected"
            hits = 0
            for finding in found:
                for apply in applied:
                    finding = apply(finding, component)
                due = NOT_DUE
                if finding.verdict == "affected":
                    hits += 1
                    if deadline is not None:
                        where = exposure or component.exposure or inventory.exposure
                        due = dated.get((finding.flaw, where)) or deadline(finding, where)
                        dated[finding.flaw, where] = due
                elif finding.verdict == "unknown":
                    status = "unknown"
                findings.append(
                    replace(
                        finding,
                        component=component,
                        directive=due.directive,
                        due=due.due,
                        tier=due.tier,
                        due_basis=due.due_basis,
                        due_reasons=due.due_reasons,
                    )
                )
            if hits:
                status = "affected"
            elif problem:
                unjudged.append(Unjudged(component=component, reason=problem))
            counts[status] += 1
        findings.sort(key=_order)
        return Report(
            name=inventory.name,
            format=inventory.format,
            components=len(inventory.components),
            **counts,
            findings=tuple(findings),
            unjudged=tuple(unjudged),
            coverage=self._coverage(seen),
            sources=self.table.meta.sources,
            problems=inventory.problems,
            exposure=stated or "unknown",
            exposure_stated_by="" if not stated else ("given" if exposure else "inventory"),
            detected=detected,
            detected_by=detected_by,
            as_of=self.as_of,
            directive=directive,
            standing=standing,
            policy=policy,
            data_built=self.table.meta.built,
            data_content=self.table.meta.content,
        )

    def component(self, component: Component) -> Answer:
        """The findings of one component (affected or unknown flaws), and why it can't be judged, or ""."""
        if component.problem:
            return (), component.problem
        ecosystem = component.ecosystem
        if ecosystem and ecosystem != judging.VENDOR and not component.source_name and not component.commit:
            # Most components end here: seen before, or a package that nobody speaks of.
            quiet = self._quiet.get(ecosystem)
            if quiet is None:
                quiet = self._quiet[ecosystem] = {}
            name = component.name
            answer = quiet.get(name)
            if answer is None:
                at = (ecosystem, name, component.version, component.module_stream)
                answer = self._answers.get(at)  # type: ignore[call-overload]  # an Identity is such a tuple
                if answer is None:
                    if judging.spoken_of(self.table, ecosystem, name):
                        return self._answer(Identity(*at))
                    answer = quiet[name] = ((), self._silence(ecosystem, name))
            return answer
        found_as, problem = identities(self.table, component)
        if not found_as:
            return (), problem
        answers = [self._answer(identity) for identity in found_as]
        if len(answers) == 1:
            return answers[0]
        if ecosystem == judging.VENDOR:  # a CPE adds what is possible, and takes no doubt away
            answers[1:] = [(found, answers[0][1]) for found, _ in answers[1:]]
        merged: dict[str, Finding] = {}
        for found, _ in answers:
            for finding in found:
                merged.setdefault(finding.flaw, finding)
        problems = [p for _, p in answers if p]
        return tuple(merged.values()), problems[0] if len(problems) == len(answers) else ""

    def _silence(self, ecosystem: str, name: str) -> str:
        """Why a package that no record names can't be called safe; "" where silence says just that."""
        home = judging.home_repository(ecosystem, name) or ecosystem
        known = self._silences.get(home)
        if known is None:
            coverage = self.table.coverage(home)
            silence = unnamed_source(home) if coverage.covered else coverage.reason
            known = self._silences[home] = silence
        return known

    def _answer(self, identity: Identity) -> Answer:
        known = self._answers.get(identity)
        if known is None:
            known = self._answers[identity] = self._ask(identity)
        return known

    def _ask(self, identity: Identity) -> Answer:
        ecosystem, name = identity.ecosystem, identity.name
        judged = judging.judge(self.table, *identity)
        if judged.problem:
            return (), judged.problem
        coverage = judging.coverage(self.table, ecosystem, name)
        problem = "" if coverage.covered else self._uncovered(ecosystem, name, judged.named, coverage.reason)
        if not judged.statements:
            return (), problem
        silent = {s.record for s in judged.statements if s.basis == "unstated"}
        if silent and not problem:
            problem = f"{len(silent):,} records name it and do not speak of this version"
        by_flaw: dict[str, list[Statement]] = {}
        for statement in judged.statements:
            for flaw in self.table.flaws_of(statement.record) or (statement.record,):
                by_flaw.setdefault(flaw, []).append(statement)
        for claim in judged.clear:
            for flaw in self.table.flaws_of(claim.record) or (claim.record,):
                if flaw in by_flaw:
                    by_flaw[flaw].append(judging.clearing(claim, identity.version))
        findings = [
            finding
            for flaw, statements in by_flaw.items()
            if (finding := summarise(flaw, statements, self.table.facts(flaw))) is not None
        ]
        return tuple(findings), problem

    def _uncovered(self, ecosystem: str, name: str, named: bool, reason: str) -> str:
        if ecosystem == judging.VENDOR:
            if named:
                return ""  # the vendor's own ranges speak of this product
            return f"no loaded source states versions of {name}"
        if ecosystem == judging.VENDOR_UNREVIEWED:
            return f"{name} is not in the reviewed vendor map, so a match by its name is only possible"
        if ecosystem == "commit":
            return "a git commit: only commits that an advisory names can be judged without its repository"
        if ecosystem == judging.CPE:
            return "only a CPE is known: a match by it is possible, never certain"
        return reason

    def _coverage(self, seen: dict[str, int]) -> tuple[CoverageLine, ...]:
        lines = []
        for ecosystem in sorted(seen):
            known = self.table.coverage(ecosystem)
            if ecosystem == judging.VENDOR:
                reason = "by product: only products that a loaded source names"
                lines.append(CoverageLine(ecosystem, seen[ecosystem], False, (), reason))
            else:
                lines.append(
                    CoverageLine(ecosystem, seen[ecosystem], known.covered, known.sources, known.reason)
                )
        return tuple(lines)


# What remembered findings carry until they are given the component they were found in.
_NOBODY = Component()


def summarise(flaw: str, statements: list[Statement], about: FlawFacts | None) -> Finding | None:
    """One flaw's finding from what the sources say; None when every source clears the version."""
    affirming = [s for s in statements if s.verdict == "affected"]
    leading = affirming or [s for s in statements if s.verdict == "unknown" and s.basis != "unstated"]
    if not leading:
        return None
    reasons = [f"{s.source}: {s.reason}" for s in leading]
    if affirming:
        reasons += disagreements(statements)
    return Finding(
        component=_NOBODY,
        flaw=flaw,
        verdict="affected" if affirming else "unknown",
        basis=leading[0].basis,
        ids=_once([s.record for s in affirming]),
        aliases=() if about is None else tuple([i for i in about.ids if i != flaw]),
        fixed=_once([f for s in leading for f in s.fixed]),
        statements=tuple(statements),
        reasons=_once(reasons),
        sources=_once([s.source for s in leading]),
        kev=None if about is None else about.kev,
        ssvc=None if about is None else about.ssvc,
        epss=None if about is None or about.epss is None else about.epss[0],
        score=None if about is None else about.best_score,
    )


def _once(texts: list[str]) -> tuple[str, ...]:
    # Most flaws are said by one source.
    return tuple(texts) if len(texts) < 2 else tuple(dict.fromkeys(texts))


def disagreements(statements: Sequence[Statement]) -> list[str]:
    """Where sources contradict each other on one version, in words."""
    words: list[str] = []
    if len(statements) < 2:
        return words
    clearing = [s for s in statements if s.verdict == "not_affected"]
    affirming = [s for s in statements if s.verdict == "affected"]
    if affirming:
        words += [f"{s.source} disagrees: {s.reason}" for s in clearing]
    fixes = {s.source: s.fixed for s in affirming if s.fixed}
    if len(set(fixes.values())) > 1:
        said = "; ".join(
            f"{source} says fixed in {', '.join(fixed)}" for source, fixed in sorted(fixes.items())
        )
        words.append(f"sources disagree on the fix: {said}")
    return words


def _order(finding: Finding) -> tuple[int, str, int, str, str, str, str]:
    due = finding.due
    rank = 0 if finding.verdict == "affected" else 1 if finding.verdict == "unknown" else 2
    c = finding.component
    return (
        rank,
        "9999" if due is None else due.isoformat(),
        _tier(finding.tier),
        c.name,
        c.version,
        finding.flaw,
        c.place,
    )


def _tier(tier: str) -> int:
    """Fix on system upgrade before no date at all."""
    return 0 if tier == "FSU" else 1
