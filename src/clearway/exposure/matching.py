"""One run of `clearway match`: its options, made ready once for many inventories."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from clearway.advisories.table import Table
    from clearway.records.finding import Finding
    from clearway.records.inventory import Component, Inventory

    from .match import Due, Matcher
    from .report import Report

    _Rules = list[Callable[[Inventory], Callable[[Finding, Component], Finding]]]


class Matching:
    """The options of one run, ready for many inventories."""

    def __init__(self, args: argparse.Namespace, table: Table) -> None:
        from clearway.directives import load

        from .match import Matcher

        self.table = table
        self.today = args.as_of or datetime.now(UTC).date()
        self.detected: date = args.detected or self.today
        self.detected_by = "given" if args.detected else "as_of" if args.as_of else "today"
        self.args = args
        self.directive = load(args.directive)
        self.matcher: Matcher = Matcher(table, as_of=self.today)
        self._vex: _Rules | None = None
        self._deadline = self._judging()

    def report(self, inventory: Inventory) -> Report:
        """The report of one inventory."""
        return self.matcher.match(
            inventory,
            exposure=self.args.exposure,
            detected=self.detected,
            detected_by=self.detected_by,
            rules=self._rules(inventory),
            deadline=self._deadline,
            directive=self.directive.id,
            standing=self.args.standing,
            policy=self.args.policy or self.directive.policy("").id,
        )

    def _rules(self, inventory: Inventory) -> _Rules:
        """VEX, where there is any: given, inside the inventory, or loaded."""
        if not self.args.apply_vex and not inventory.vex and not self.table.has_vex():
            return []
        if self._vex is None:
            from .vex import claims_in, read_documents, rule

            given = [c for d in read_documents(self.args.apply_vex) for c in claims_in(d)]
            self._vex = [rule(self.table, given, self.today)]
        return self._vex

    def _judging(self) -> Callable[[Finding, str], Due]:
        from clearway.directives import Judge

        from .match import Due

        judges: dict[str, Judge] = {}
        kev_loaded = bool(self.table.meta.kev)

        def deadline(finding: Finding, exposure: str) -> Due:
            judge = judges.get(exposure)
            if judge is None:
                judge = judges[exposure] = Judge(
                    self.directive,
                    self.args.policy,
                    self.args.standing,
                    exposure or "unknown",
                    self.args.detected,
                    self.today,
                    retier=self.args.retier,
                    ssvc_loaded=self.table.meta.ssvc,
                )
            cve = finding.flaw if finding.flaw.startswith("CVE-") else ""
            answer = judge.due(cve, finding.kev, kev_loaded, finding.ssvc)
            reasons = (*((answer.wording,) if answer.wording else ()), *answer.reasons)
            return Due(self.directive.id, answer.due, answer.tier, answer.basis, reasons)

        return deadline
