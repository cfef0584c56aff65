"""The desk's validations: a finding's sealed files judged, and what was found kept, once, with signed statements.

1. The recipe is the newest `recipe.json` of the finding; with a patch that was asked for, its fix is the target and it.
2. Files come from the vault, and from `corpus/` of the home, where the desk keeps what it fetched itself: known without
   a person's word for the product and release that they were fetched as alone (`fetched`).
3. The judging writes nothing but how far it is: a worker that is killed leaves nothing, and another begins anew.
4. Statements, levels, the finding's level and state, and the log are one transaction with the step's mark: they happen
   once, whatever is killed.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec

from clearway import ledger
from clearway.records.errors import (
    ClearwayError,
    ConfigError,
    InputError,
    IntegrityError,
    NotFoundError,
    TooLargeError,
)
from clearway.records.text import plain
from clearway.sandbox import backend
from clearway.store.jobs import JobStoppedError
from clearway.store.jobs_retry import LASTING

from .. import artefact, desk_key, kept
from ..artefact import File
from ..intake import overlap
from . import apart, fetched, identity, level, statement, validation
from . import recipe as r
from .files import Folders
from .judge import Judged, Subject, judge

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import psycopg

    from clearway.sandbox import Backend
    from clearway.store.jobs import Job

    from ..desk_key import DeskKey
    from ..kept import Finding
    from ..vault import Vault
    from .validation import Validation

    Connection = psycopg.Connection[Any]

RECIPE = "recipe.json"
ATTEMPTS = 5
FETCHED = fetched.FOLDER
_TELL_S = 1.0
_SMALL = 64 << 10  # bytes; a recipe names a few hundred files at most
# What is wrong with a recipe or its files is an answer; what is wrong with this machine is none.
_ANSWERS = (InputError, NotFoundError, IntegrityError, TooLargeError)


class Sealed:
    """The files of one finding by their SHA-256, opened as they are asked for; then what the desk has fetched."""

    def __init__(self, job: Job, vault: Vault, finding: Finding, fetched: Folders) -> None:
        self._job, self._vault, self._finding, self._fetched = job, vault, finding, fetched
        self._small: dict[str, bytes] = {}  # a proof's files are asked for in every run

    def read(self, digest: str) -> bytes:
        """See `files.Files`."""
        if digest in self._small:
            return self._small[digest]
        data = self._read(digest)
        if len(data) <= _SMALL:
            self._small[digest] = data
        return data

    def _read(self, digest: str) -> bytes:
        with self._job.owner() as db:
            try:
                found = artefact.by_sha256(db, self._finding.id, digest)
            except NotFoundError:
                found = None
            if found is not None:
                return artefact.read(db, self._vault, found, logged=False)
        return self._fetched.read(digest)


class Desk:
    """What judges at one home."""

    def __init__(self, home: Path, vault: Vault, key: DeskKey, box: Callable[[], Backend] = backend) -> None:
        self.home, self.vault, self.key, self._box = home, vault, key, box

    def validate(self, job: Job, args: dict[str, Any]) -> None:
        """The task: judges what was asked for and keeps it. Runs again from the beginning after a crash.

        Where its last attempt fails, the finding is given back to the queue: nothing stays open for ever.
        """
        try:
            self._validate(job, int(args["validation"]))
        except Exception as error:
            if job.failures + 1 >= ATTEMPTS or isinstance(error, LASTING):
                with job.owner() as db:
                    asked = validation.by_id(db, int(args["validation"]))
                    finding = kept.by_id(db, asked.finding)
                why = error.what if isinstance(error, ClearwayError) else "a fault of this release"
                self._give_back(job, finding, asked.id, why)
            raise

    def _validate(self, job: Job, number: int) -> None:
        with job.owner() as db:
            asked = validation.by_id(db, number)
            if asked.state not in ("waiting", "running"):
                return
            finding = kept.by_id(db, asked.finding)
        if not kept.starter_works(job, finding):
            self._give_back(job, finding, number, "who asked for it works on the finding no more")
            return
        with job.owner() as db:
            validation.begin(db, number)
            raw, sent = self._recipe(db, finding, asked)
        judged: Judged
        recipe: r.Recipe | None = None
        environment = ""
        made: tuple[statement.Statement, ...] = ()
        try:
            if raw is None:
                raise NotFoundError("the finding has no recipe", where=RECIPE)
            recipe = r.read(raw)
            box = self._box()
            corpus = fetched.Fetched(self.home / FETCHED)
            vouched = _vouched(corpus, finding, asked, recipe, sent, raw)
            judged = self._judged(job, box, finding, asked, recipe, raw, vouched, corpus)
            made = statement.statements(
                recipe, raw, judged, box.enforcement(), datetime.now(UTC), finding=finding.handling,
                vouched=vouched,
            )  # fmt: skip
            environment = made[0].predicate.environment
        except _ANSWERS as error:
            why = error.what
            if isinstance(error, NotFoundError) and error.where:
                why += f" ({r.named(recipe, error.where) if recipe else error.where})"
            why = plain(why)
            judged = Judged(ladder=level.Ladder(steps=(level.Step(level=0, result="failed", why=why),)))
        except ConfigError as error:
            self._give_back(job, finding, number, f"{error.what}")
            return
        with job.owner() as db, job.step(f"kept {number}", db) as todo:
            if todo:
                self._keep(db, finding, asked, judged, raw or b"", environment, made)

    def accept(self, job: Job, args: dict[str, Any]) -> None:
        """The task: E6, signed, in the words that the database noted with the act of whoever started the job.

        It does nothing where that person no longer works on the finding, or what was accepted no longer stands.
        """
        number = int(args["validation"])
        with job.owner() as db:
            finding = kept.by_id(db, validation.by_id(db, number).finding)
        if not kept.starter_works(job, finding):
            return
        with job.owner() as db, job.step(f"accepted {number}", db) as todo:
            said = validation.accepting(db, number)
            if not todo or said is None or said.person != (job.by_person or 0):
                return
            found = validation.by_id(db, number)
            before = next((s for s in found.steps if s.level == 4), None)
            if before is None or before.statement is None or not validation.stands(db, found):
                return
            data = artefact.read(db, self.vault, artefact.one(db, before.statement), logged=False)
            told, _ = statement.opened(data, desk_key.known(db))
            by, why = plain(said.name, 200), plain(said.why, 2000)
            new = statement.accepted(told, by, why, datetime.now(UTC))
            file = self._statement(found.number, new)
            added = artefact.add(db, self.vault, finding, file)
            step = level.Step(level=6, result="met", why=f"accepted by {by}: {why}", times=1, of=1)
            place = (finding.id, finding.org, finding.aud)
            validation.add_step(db, number, place, step, added.id, said.person)
            db.execute(
                "update clearway.validation set level = 6, why = %s, version = version + 1 where validation = %s",
                (step.why, number),
            )
            ledger.append(
                db, "validation.accepted", finding.subject,
                {"validation": found.number, "statement": added.sha256}, aud=finding.aud,
            )  # fmt: skip
            now = validation.best(db, finding.id)
            kept.set_level(db, finding, now.level, now.why)

    def _judged(
        self,
        job: Job,
        box: Backend,
        finding: Finding,
        asked: Validation,
        recipe: r.Recipe,
        raw: bytes,
        vouched: dict[str, frozenset[str]],
        corpus: fetched.Fetched,
    ) -> Judged:
        known = frozenset().union(*vouched.values())
        doubt = identity.of_finding(recipe, finding.ecosystem, finding.package, finding.release)
        last = [0.0]

        def told(what: str, done: int, total: int) -> None:
            if job.stopping:
                raise JobStoppedError
            job.progress(done, total, what)
            if time.monotonic() - last[0] >= _TELL_S:
                last[0] = time.monotonic()
                with job.owner() as db:
                    validation.tell(db, asked.id, what, done, total)
                    kept.announce(db, finding, "validation.progressed")

        subject = Subject(
            recipe=recipe,
            files=Sealed(job, self.vault, finding, corpus),
            known=known,
            document=sha256(raw).hexdigest(),
            doubts=(doubt,) if doubt else (),
            unknown_why=corpus.why(recipe, known),
        )
        with apart.builder(box, self.home, corpus.digests()) as builder:
            return judge(box, builder, subject, upto=asked.upto, seconds=float(asked.seconds), progress=told)

    def _recipe(self, db: Connection, finding: Finding, asked: Validation) -> tuple[bytes | None, str]:
        """The recipe to judge, and the SHA-256 of the one that was sent; None and "" without one."""
        named = [a for a in artefact.listed(db, finding.id, "attachment", "document") if a.name == RECIPE]
        if not named:
            return None, ""
        raw, sent = artefact.read(db, self.vault, named[-1], logged=False), named[-1].sha256
        if asked.patch is None:
            return raw, sent
        patch = artefact.one(db, asked.patch)
        try:
            return _with_patch(raw, patch.sha256), sent
        except ClearwayError:
            return raw, sent  # what is wrong with it is told where it is read

    def _keep(
        self,
        db: Connection,
        finding: Finding,
        asked: Validation,
        judged: Judged,
        raw: bytes,
        environment: str,
        made: tuple[statement.Statement, ...],
    ) -> None:
        files = [self._statement(asked.number, one) for one in made]
        if made and asked.patch is not None:  # what was judged is no file of the report's
            files.append(File(kind="statement", data=raw, name=f"validation-{asked.number}-recipe.json"))
        added = artefact.add_all(db, self.vault, finding, files)
        numbers = {one.predicate.level: a.id for one, a in zip(made, added, strict=False)}
        log = None
        if judged.output:
            file = File(
                kind="log", data=judged.output, name=f"validation-{asked.number}.log", media="text/plain"
            )
            log = artefact.add(db, self.vault, finding, file).id
        if judged.firing:  # who mends the patch needs it
            file = File(kind="log", data=judged.firing, name=f"validation-{asked.number}-variant")
            artefact.add(db, self.vault, finding, file)
        validation.finish(
            db, asked.id, judged, recipe=sha256(raw).hexdigest() if raw else "", environment=environment,
            statements=numbers, log=log,
        )  # fmt: skip
        ledger.append(
            db, "validation.judged", finding.subject,
            {
                "validation": asked.number, "level": judged.ladder.level, "vulnerable": judged.vulnerable,
                "patched": judged.patched, "statements": [a.sha256 for a in added],
            },
            aud=finding.aud,
        )  # fmt: skip
        now = validation.best(db, finding.id)
        fresh = kept.by_id(db, finding.id)
        if (fresh.level, fresh.level_why) != (now.level, now.why):
            fresh = kept.set_level(db, fresh, now.level, now.why)
        if fresh.state == "validating":
            fresh = kept.move(db, fresh, "judged")
        if fresh.live and judged.ladder.level >= 1 and not judged.capped:
            # Its reporter knows of the flaw without us. Who runs a program of their own here knows of nothing.
            overlap.ask(db, fresh)

    def _statement(self, number: int, one: statement.Statement) -> File:
        return File(
            kind="statement", data=statement.signed(self.key, one), media="application/vnd.dsse.envelope.v1+json",
            name=f"validation-{number}-E{one.predicate.level}.json",
        )  # fmt: skip

    def _give_back(self, job: Job, finding: Finding, number: int, why: str) -> None:
        with job.owner() as db:
            if validation.fail(db, number, plain(why, 2000)):
                fresh = kept.by_id(db, finding.id)
                if fresh.state == "validating":
                    kept.move(db, fresh, "queued", "it could not be tried here")


def _vouched(
    corpus: fetched.Fetched, finding: Finding, asked: Validation, recipe: r.Recipe, sent: str, raw: bytes
) -> dict[str, frozenset[str]]:
    """The SHA-256 of what is said to be what is published, by whose word: of a statement's `vouched`. Who has read the
    recipe as it was `sent` has read it with the desk's own patch in it as well.

    What the desk has fetched is of one product; a finding that names its own by more than the name ("owner/name") may
    be of another one.
    """
    known = frozenset(asked.vouched)
    whole = identity.whole(recipe, finding.ecosystem, finding.package)
    return {
        "coordinator": known | {sha256(raw).hexdigest()} if sent in known else known,
        "fetched by the desk": corpus.counting(recipe, read=sent in known) if whole else frozenset[str](),
    }


def _with_patch(raw: bytes, digest: str) -> bytes:
    """The recipe with its own target, patched by that file, in place of the fix that it names.

    Raises:
        InputError: it is no recipe about a program in C.
    """
    recipe = r.read(raw)
    if not isinstance(recipe.target, r.CTarget):
        raise InputError("a patch is of a program in C", where="target")
    target = msgspec.structs.replace(
        recipe.target,
        version=f"{recipe.target.version}+{digest[:12]}",
        patches={**recipe.target.patches, f"zz-{digest}.patch": digest},
    )
    return msgspec.json.encode(msgspec.structs.replace(recipe, patched=target))
