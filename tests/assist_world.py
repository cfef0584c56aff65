"""A findings desk with a model's endpoint beside it, and short ways to ask it and to run its job."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

from clearway.app.worker import mint
from clearway.findings import kept as findings
from clearway.findings.assist import at_desk, kept, start
from clearway.findings.assist.kept import Proposal
from clearway.findings.assist.settings import FILE
from clearway.findings.assist.view import ProposalView, proposal
from clearway.findings.case import kept as cases
from clearway.findings.intake import submit
from clearway.findings.kept import Finding
from clearway.store.jobs import Job
from findings_world import Desk
from model_server import KEY, ModelServer
from people import Somebody
from report_documents import dump, own

STORY = (
    "The parser of strings reads beyond its buffer when the closing quote is missing. The buffer is as long as the "
    "string, and the parser looks one byte further. An attacker who sends such a string reads memory of the process."
)


class Assist:
    """The coordinator asks; `run` does what the worker would."""

    def __init__(self, desk: Desk, model: ModelServer) -> None:
        self.desk, self.model = desk, model
        self.home: Path = desk.home
        key = self.home / "assist.key"
        key.write_text(KEY + "\n")
        key.chmod(0o600)
        self.on()

    def on(self, **more: Any) -> None:
        (self.home / FILE).write_text(self.model.settings(**{"key_file": "assist.key", **more}))

    def off(self) -> None:
        (self.home / FILE).unlink(missing_ok=True)

    def reported(self, who: Somebody | None = None, **changed: Any) -> Finding:
        """A finding with a report, as its reporter sends it."""
        reporter = who or self.desk.finder
        report = own(**{"description": STORY, **changed})
        with self.desk.acting(reporter) as db:
            taken = submit.submit(db, self.desk.tools, reporter.org, dump(report)).taken
            return findings.one(db, taken[0].handling)

    def opened(self, *chosen: Finding) -> cases.Case:
        with self.desk.acting(self.desk.coordinator) as db:
            return cases.add(db, self.desk.people.house, list(chosen))

    def ask(self, kind: Any, about: Finding | cases.Case, who: Somebody | None = None) -> int:
        with self.desk.acting(who or self.desk.coordinator) as db:
            return start.ask(db, self.desk.owner, self.home, kind, about)

    def run(self, number: int, *, failures: int = 0, who: Somebody | None = None) -> Proposal:
        """One attempt of the job, as the worker makes it; raises what would be tried again."""
        job = Job(
            self.desk.people.pool,
            id=0,
            task=kept.TASK,
            args={"proposal": number},
            run=uuid4(),
            failures=failures,
            by_person=(who or self.desk.coordinator).person,
            mint=mint,
        )
        at_desk.draft(self.home, job, job.args)
        return self.one(number)

    def drafted(self, kind: Any, about: Finding | cases.Case) -> ProposalView:
        """What the desk sees when the model has answered."""
        return self.shown(self.run(self.ask(kind, about)).id)

    def shown(self, number: int) -> ProposalView:
        with self.desk.acting(self.desk.coordinator) as db:
            return proposal(db, self.desk.vault, kept.one(db, number))

    def one(self, number: int) -> Proposal:
        with self.desk.owner() as db:
            return kept.one(db, number)
