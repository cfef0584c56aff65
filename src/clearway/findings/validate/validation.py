"""A validation as it is kept: what the desk asked for, how far the trial is, and how far the evidence went.

    waiting ─> running ─> done, or failed: this machine could not try it, which says nothing of the finding

The application asks for one through a function of the database and reads; all else is written by the desk's jobs, as
the owner (`at_desk`).
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

from clearway import ledger
from clearway.records.errors import ConflictError, InputError, NotFoundError
from clearway.store.scalar import scalar

from .. import artefact, kept
from .standing import Standing, Tried, standing

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg

    from ..artefact import Artefact
    from ..kept import Finding
    from ..vault import Vault
    from .judge import Judged
    from .level import Step

    Connection = psycopg.Connection[Any]

TASK = "findings.validate"
ACCEPT = "findings.accept"
State = Literal["waiting", "running", "done", "failed"]


class KeptStep(Struct, frozen=True, kw_only=True):
    """One level. `statement` is its signed statement's `Artefact.id`, `statement_file` its number in the finding."""

    level: int
    result: str
    why: str
    times: int
    of: int
    statement: int | None
    at: datetime
    statement_file: int | None = None


class Validation(Struct, frozen=True, kw_only=True):
    """One trial. `crash` is the key of the crash state; `log` the file with what the first run wrote.

    `id`, `patch` and `log` stay within: they count what hangs on all findings. What is told is `number`, `patch_file`
    and `log_file`: 1, 2, … within the finding.
    """

    id: int
    number: int
    finding: int
    org: int
    aud: int
    asked: datetime
    upto: int
    seconds: int
    patch: int | None
    vouched: tuple[str, ...]
    state: State
    doing: str
    done: int
    total: int
    begun: datetime | None
    ended: datetime | None
    level: int | None
    why: str
    recipe: str
    crash: str
    crash_state: str
    vulnerable: str
    patched: str
    environment: str
    log: int | None
    version: int
    revoked: datetime | None
    revoked_why: str
    again_why: str
    patch_file: int | None
    log_file: int | None
    steps: tuple[KeptStep, ...] = ()


class Accepting(Struct, frozen=True, kw_only=True):
    """Who accepts a validation: `person` is the coordinator whose act it was (0: the owner), `name` whom they name."""

    person: int
    name: str
    why: str


_SELECT = """select v.validation, v.nth, v.finding, v.org, v.aud::int, v.asked, v.upto, v.seconds, v.patch, v.vouched,
    v.state, v.doing, v.done, v.total, v.begun, v.ended, v.level, v.why, v.recipe, v.crash, v.crash_state, v.vulnerable,
    v.patched, v.environment, v.log, v.version, v.revoked, v.revoked_why, v.again_why,
    (select a.nth from clearway.artefact a where a.artefact = v.patch),
    (select a.nth from clearway.artefact a where a.artefact = v.log) from clearway.validation v"""


def ask(
    db: Connection,
    finding: Finding,
    *,
    upto: int = 4,
    seconds: int = 30,
    patch: int | None = None,
    vouched: Iterable[str] = (),
    why: str = "",
) -> int:
    """Starts a validation of `finding`; its number within it. `patch` is the number of a file.

    The act, with what the desk vouches for, is on the log.

    `vouched` are the SHA-256 of files of the target that the caller has seen to be what is published: a target that
    the reporter alone has sent goes no further than E1. `why` is for a trial after one that failed or was taken back:
    without it no level comes back that was lowered (`standing`).

    Raises:
        ForbiddenError: the caller is no coordinator, or another clearinghouse keeps its case.
        ConflictError: one is under way, or the finding is in no state to be validated.
        NotFoundError: the finding has no such patch.
    """
    known = sorted({digest.lower() for digest in vouched})
    file = None if patch is None else artefact.of(db, finding, patch).id
    made = int(
        scalar(
            db,
            "select clearway.ask_validation(%s, %s, %s, %s, %s, %s)",
            (finding.id, upto, seconds, file, known, why.strip()),
        )
    )
    number = by_id(db, made).number
    ledger.append(
        db,
        "validation.asked",
        finding.subject,
        {"validation": number, "upto": upto, "seconds": seconds, "patch": patch, "vouched": known}
        | ({"why": why.strip()} if why.strip() else {}),
        aud=finding.aud,
    )
    kept.move(db, finding, "validating")
    return number


def accept(db: Connection, finding: Finding, number: int, name: str, why: str) -> None:
    """A named human accepts the evidence of a validation (E6); the statement is signed by the desk's job.

    Raises:
        ForbiddenError: the caller is no desk, or another clearinghouse keeps its case.
        ConflictError: it does not reach E4, or was accepted.
    """
    kept.check_works(db, finding)
    found = one(db, finding.id, number)
    if found.state != "done" or found.level is None or found.level < 4:
        raise ConflictError(
            "what is accepted has reached E4", where=f"validation {number}", mend="validate it further"
        )
    if found.level == 6:
        raise ConflictError("it is accepted already", where=f"validation {number}")
    if not stands(db, found):
        raise ConflictError(
            "what it says no longer holds: it was taken back, or a repeat fails", where=f"validation {number}"
        )
    db.execute("select clearway.accept_validation(%s, %s, %s, %s)", (finding.id, found.id, name, why))
    ledger.append(
        db,
        "validation.accepting",
        finding.subject,
        {"validation": number, "by": name, "why": why},
        aud=finding.aud,
    )


def stands(db: Connection, found: Validation) -> bool:
    """Whether a validation may be accepted now: it, what repeats of it say, and the finding are at E4 or E5."""
    if found.state != "done" or found.level not in (4, 5) or found.revoked is not None:
        return False
    same = [t for t in _tried(db, found.finding) if t.recipe == found.recipe]
    return min(standing(same).level, best(db, found.finding).level) >= 4


def accepting(owner: Connection, number: int) -> Accepting | None:
    """Who accepts the validation whose `id` that is, as the database noted it with the act; None where nobody does."""
    row = owner.execute(
        """select accept_by, accept_name, accept_why from clearway.validation
        where validation = %s and accept_by is not null""",
        (number,),
    ).fetchone()
    return None if row is None else Accepting(person=row[0], name=row[1], why=row[2])


def revoke(db: Connection, finding: Finding, number: int, why: str) -> Finding:
    """Takes one validation back, for a reason: it counts for nothing from now on, and its statements are revoked.

    Answers with the finding, whose level is what its other evidence comes to. On the log.

    Raises:
        ForbiddenError: the caller is no coordinator.
        ConflictError: it was taken back already.
        NotFoundError: the finding has no such validation.
    """
    taken = _revoke(db, finding, [one(db, finding.id, number).id], why)
    ledger.append(
        db, "validation.revoked", finding.subject, {"validations": taken, "why": why}, aud=finding.aud
    )
    return _levelled(db, finding)


def unvouch(db: Connection, finding: Finding, files: Iterable[str], why: str) -> tuple[int, ...]:
    """Takes back that these files, by SHA-256, are what is published, and with it every validation that rests on one;
    their numbers. On the log. A validation that is asked for later vouches anew.

    Raises:
        ForbiddenError, ConflictError: as `revoke`; nothing that stands rests on them.
    """
    digests = sorted({digest.lower() for digest in files})
    rows = db.execute(
        "select validation from clearway.validation where finding = %s and vouched && %s and revoked is null",
        (finding.id, digests),
    ).fetchall()
    taken = _revoke(db, finding, [row[0] for row in rows], why)
    ledger.append(
        db, "validation.unvouched", finding.subject,
        {"files": digests, "validations": taken, "why": why}, aud=finding.aud,
    )  # fmt: skip
    _levelled(db, finding)
    return tuple(taken)


def _revoke(db: Connection, finding: Finding, ids: list[int], why: str) -> list[int]:
    """The numbers, within the finding, of those that were taken back."""
    if not why.strip():
        raise InputError("why it is taken back", where="why")
    row = db.execute(
        "select clearway.revoke_validations(%s, %s::bigint[], %s)", (finding.id, ids, why)
    ).fetchone()
    taken = list(row[0]) if row else []
    told = db.execute("select nth from clearway.validation where validation = any(%s) order by nth", (taken,))
    return [number for (number,) in told]


def _levelled(db: Connection, finding: Finding) -> Finding:
    """The finding at the level that its evidence comes to now."""
    now, fresh = best(db, finding.id), kept.by_id(db, finding.id)
    why = now.why if now.validation is not None else "the evidence that it had was taken back"
    if (fresh.level, fresh.level_why) != (now.level, why):
        fresh = kept.set_level(db, fresh, now.level, why)
    return fresh


def listed(db: Connection, finding: int) -> list[Validation]:
    """The finding's validations, newest first, each with its levels; at most 200."""
    rows = db.execute(
        f"{_SELECT} where v.finding = %s order by v.validation desc limit 200", (finding,)
    ).fetchall()
    steps = _steps(db, [row[0] for row in rows])
    return [_validation(row, steps.get(row[0], ())) for row in rows]


def one(db: Connection, finding: int, number: int) -> Validation:
    """One validation of a finding, by its number there. Raises NotFoundError."""
    return _one(db, "v.nth = %s and v.finding = %s", (number, finding), f"validation {number}")


def by_id(db: Connection, validation: int) -> Validation:
    """The validation whose `id` that is, as jobs have it. Raises NotFoundError."""
    return _one(db, "v.validation = %s", (validation,))


def log_of(db: Connection, vault: Vault, found: Validation) -> tuple[Artefact, bytes]:
    """What its first run wrote, and the file that it is kept as; that it was read is on the log.

    Raises:
        NotFoundError: it has none.
    """
    if found.log is None:
        raise NotFoundError("it has no log", where=f"validation {found.number}")
    kept_log = artefact.one(db, found.log)
    return kept_log, artefact.read(db, vault, kept_log)


def begin(owner: Connection, number: int) -> None:
    """It runs; an attempt more."""
    owner.execute(
        """update clearway.validation set state = 'running', begun = coalesce(begun, clock_timestamp()),
            attempts = attempts + 1, version = version + 1 where validation = %s and state in ('waiting', 'running')""",
        (number,),
    )


def tell(owner: Connection, number: int, doing: str, done: int, total: int) -> None:
    """How far it is."""
    owner.execute("set local synchronous_commit = off")
    owner.execute(
        """update clearway.validation set doing = %s, done = %s, total = %s, version = version + 1
        where validation = %s and state = 'running'""",
        (doing[:200], done, total, number),
    )


def finish(
    owner: Connection,
    number: int,
    judged: Judged,
    *,
    recipe: str,
    environment: str,
    statements: dict[int, int],
    log: int | None,
) -> None:
    """Keeps what was found; `statements` are the numbers of the files by level. Once: a second time does nothing."""
    state = judged.state
    row = owner.execute(
        """update clearway.validation set state = 'done', ended = clock_timestamp(), level = %s, why = %s, recipe = %s,
            crash = %s, crash_state = %s, vulnerable = %s, patched = %s, environment = %s, log = %s, doing = '',
            uncapped = %s, reported = %s,
            version = version + 1
        where validation = %s and state in ('waiting', 'running') returning finding, org, aud""",
        (
            max(judged.ladder.level, 0), judged.ladder.why[:2000], recipe, state.key if state else "",
            str(state)[:2000] if state else "", judged.vulnerable, judged.patched, environment, log,
            not judged.capped, judged.reported, number,
        ),
    ).fetchone()  # fmt: skip
    if row is None:
        return
    for step in judged.ladder.steps:
        add_step(owner, number, row, step, statements.get(step.level))


def add_step(
    owner: Connection,
    number: int,
    place: tuple[Any, ...],
    step: Step,
    statement: int | None,
    by_person: int = 0,
) -> None:
    """Keeps one level; `place` is its finding, organisation and audience."""
    owner.execute(
        """insert into clearway.validation_step (validation, level, finding, org, aud, result, why, times, of_runs,
            statement, by_person)
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict (validation, level) do update
        set result = excluded.result, why = excluded.why, times = excluded.times, of_runs = excluded.of_runs,
            statement = excluded.statement, at = clock_timestamp(), by_person = excluded.by_person""",
        (
            number, step.level, *place, step.result, step.why[:2000], step.times, step.of, statement, by_person,
        ),
    )  # fmt: skip


def fail(owner: Connection, number: int, why: str) -> bool:
    """This machine could not try it; whether it was still open."""
    return bool(
        owner.execute(
            """update clearway.validation set state = 'failed', ended = clock_timestamp(), why = %s, doing = '',
                version = version + 1
            where validation = %s and state in ('waiting', 'running') returning 1""",
            (why[:2000], number),
        ).fetchone()
    )


def best(db: Connection, finding: int) -> Standing:
    """What the finding's validations come to: those that were taken back count for nothing, and hold down what is tried
    again without a reason."""
    return standing(_tried(db, finding))


def _tried(db: Connection, finding: int) -> list[Tried]:
    rows = db.execute(
        """select v.validation, v.recipe, v.level, v.why,
            (select min(s.level) from clearway.validation_step s
             where s.validation = v.validation and s.result = 'failed' and s.level >= 1),
            v.asked, coalesce(v.ended, v.asked), v.again_why <> '', v.revoked
        from clearway.validation v where v.finding = %s and v.state = 'done'""",
        (finding,),
    ).fetchall()
    return [Tried(**dict(zip(Tried.__struct_fields__, row, strict=True))) for row in rows]


def _one(db: Connection, where: str, values: tuple[Any, ...], place: str = "") -> Validation:
    row = db.execute(f"{_SELECT} where {where}", values).fetchone()
    if row is None:
        raise NotFoundError("no such validation", where=place)
    return _validation(row, _steps(db, [row[0]]).get(row[0], ()))


def _steps(db: Connection, numbers: list[int]) -> dict[int, tuple[KeptStep, ...]]:
    found: dict[int, tuple[KeptStep, ...]] = {}
    for number, *rest in db.execute(
        """select s.validation, s.level, s.result, s.why, s.times, s.of_runs, s.statement, s.at,
            (select a.nth from clearway.artefact a where a.artefact = s.statement)
        from clearway.validation_step s where s.validation = any(%s) order by s.validation, s.level""",
        (numbers,),
    ):
        found[number] = (
            *found.get(number, ()),
            KeptStep(**dict(zip(KeptStep.__struct_fields__, rest, strict=True))),
        )
    return found


def _validation(row: tuple[Any, ...], steps: tuple[KeptStep, ...]) -> Validation:
    fields = dict(zip(Validation.__struct_fields__, row, strict=False))
    return Validation(**{**fields, "vouched": tuple(fields["vouched"]), "steps": steps})
