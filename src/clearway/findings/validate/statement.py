"""Evidence as others can hold it: one in-toto Statement v1 a level, in a DSSE envelope that the desk has signed.

    subject      the recipe and the builds that were judged, by SHA-256
    predicate    the level and its result, k of k, the crash state, every file by SHA-256, and the environment: what
                 held the box, and which compilers built the target

Who has the statement and the recipe's files runs it again: another machine may build other bytes, and says so; the
level is to be the same. What a program wrote is in no statement.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
from msgspec import Struct

from clearway.records.errors import InputError, IntegrityError

from . import build, crash, level, tools
from . import recipe as r
from .level import Result

if TYPE_CHECKING:
    from clearway.sandbox.run import Enforcement

    from ..desk_key import DeskKey, PublicKey
    from .fuzz import Fuzzed
    from .judge import Judged

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Final = "urn:clearway:predicate:validation:1"
READ = "recipe.json"  # among the subjects; in `vouched`, by whom the recipe was read
MOST_BYTES = 1 << 20
DRIVE = "drive/v3"  # the rules of our harness for steps


class Digested(Struct, frozen=True, kw_only=True):
    """A resource of in-toto: what it is called, and its digests by algorithm."""

    name: str
    digest: dict[str, str]


class Crash(Struct, frozen=True, kw_only=True):
    """A crash state, and the version of the rules that found its key."""

    key: str
    version: str
    error: str
    frames: tuple[str, ...]


class Variants(Struct, frozen=True, kw_only=True, rename="camel"):
    """How the variants of E4 were made. `lacking` says why libFuzzer was not used: then they are mutations alone.

    `runs` is libFuzzer's own word, which ran in one process with the target.
    """

    lacking: str = ""
    engine: str = ""
    entry: str = ""
    seed: int = 0
    slices: int = 0
    runs: int = 0
    seconds: float = 0.0


class Second(Struct, frozen=True, kw_only=True):
    """The proof under another compiler or interpreter: fired `times` of `of`. `lacking` says why there was none."""

    tool: str = ""
    times: int = 0
    of: int = 0
    lacking: str = ""


class Validation(Struct, frozen=True, kw_only=True, rename="camel"):
    """The predicate. `times` of `of` runs, or tests, or variants said so; `accepted_by` is of E6 alone."""

    level: int
    result: Result
    why: str
    times: int
    of: int
    target: str  # "python:jinja2@3.1.2"
    patched: str = ""
    ids: tuple[str, ...] = ()
    oracle: str
    proof: str
    inputs: dict[str, str]  # SHA-256 by name: all that the recipe names
    builds: dict[str, str]  # SHA-256 of "vulnerable" and "patched"
    crash: Crash | None = None
    environment: str  # SHA-256 of `environment_of`'s text
    enforcement: dict[str, Any]
    compilers: tuple[str, ...] = ()
    at: datetime
    seconds: float
    variant_seconds: float = 0.0  # given to the variants of E4
    variants: Variants | None = None  # of E4 alone
    second: Second | None = None  # of E4 alone
    finding: str = ""  # its handling id, where the desk has one
    # Which of `inputs` somebody says to be what is published, and READ where the recipe was read, by role; null in
    # statements from before it was said.
    vouched: dict[str, tuple[str, ...]] | None = None
    capped: tuple[str, ...] = ()  # why nothing above E1 counts
    accepted_by: str = ""


class Statement(
    Struct, frozen=True, kw_only=True, rename={"type": "_type", "predicate_type": "predicateType"}
):
    """in-toto Statement v1."""

    type: Literal["https://in-toto.io/Statement/v1"] = STATEMENT_TYPE
    subject: tuple[Digested, ...]
    predicate_type: Literal["urn:clearway:predicate:validation:1"] = PREDICATE_TYPE
    predicate: Validation


def environment_of(enforcement: Enforcement, compilers: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """The digest of all that may change a result besides the files, and the sandbox's part of it in words."""
    held = msgspec.to_builtins(enforcement)
    said = {
        "enforcement": held,
        "compilers": sorted(compilers),
        "python": tools.soabi(),
        "rules": [build.VERSION, crash.VERSION, DRIVE],
    }
    return sha256(msgspec.json.encode(said, order="sorted")).hexdigest(), held


def statements(
    recipe: r.Recipe,
    recipe_bytes: bytes,
    judged: Judged,
    enforcement: Enforcement,
    at: datetime,
    *,
    finding: str = "",
    vouched: Mapping[str, frozenset[str]] | None = None,
) -> tuple[Statement, ...]:
    """One statement for each level that was looked at, lowest first; `vouched` are SHA-256 of files by whose word."""
    words = vouched_names(recipe, vouched or {}, sha256(recipe_bytes).hexdigest())
    environment = {
        high: environment_of(enforcement, _used(judged.compilers, 4 if high else 0)) for high in (False, True)
    }
    builds = {k: v for k, v in (("vulnerable", judged.vulnerable), ("patched", judged.patched)) if v}
    fuzzed, second = judged.fuzzed, judged.second
    if second is not None and second.build and second.build != judged.vulnerable:
        builds["vulnerable, second compiler"] = second.build
    if fuzzed is not None and fuzzed.build:
        builds["patched, libFuzzer"] = fuzzed.build
    state = judged.state
    found = (
        Crash(key=state.key, version=crash.VERSION, error=state.error, frames=state.frames)
        if state is not None
        else None
    )
    subject = (
        Digested(name=READ, digest={"sha256": sha256(recipe_bytes).hexdigest()}),
        *(Digested(name=f"build/{name}", digest={"sha256": value}) for name, value in builds.items()),
    )
    return tuple(
        Statement(
            subject=subject,
            predicate=Validation(
                level=step.level, result=step.result, why=step.why, times=step.times, of=step.of,
                target=named(recipe.target), patched=named(recipe.patched) if recipe.patched else "",
                ids=recipe.ids, oracle=tag(recipe.oracle), proof=tag(recipe.proof),
                inputs=dict(sorted(r.files_of(recipe).items())), builds=builds, crash=found if step.level else None,
                environment=environment[step.level >= 4][0], enforcement=environment[False][1],
                compilers=_used(judged.compilers, step.level), at=at,
                seconds=round(judged.seconds, 3), variant_seconds=judged.variant_seconds if step.level == 4 else 0.0,
                variants=_variants(fuzzed) if step.level == 4 and fuzzed is not None else None,
                second=_second(second) if step.level == 4 and second is not None else None,
                finding=finding, vouched=words, capped=judged.capped_by,
            ),
        )
        for step in judged.ladder.steps
        if step.result != "not_tried"
    )  # fmt: skip


def vouched_names(
    recipe: r.Recipe, by: Mapping[str, frozenset[str]], document: str = ""
) -> dict[str, tuple[str, ...]]:
    """What of the target and its fix is said to be what is published, as `r.files_of` names it, by whose word; and
    `READ` by whose word the recipe, whose SHA-256 is `document`, was read."""
    counts = r.published(recipe)
    names = sorted((n, d) for n, d in r.files_of(recipe).items() if d in counts)
    names += [(READ, document)] if document else []
    found = {role: tuple(n for n, digest in names if digest in known) for role, known in by.items()}
    return {role: held for role, held in found.items() if held}


def known_to(statement: Statement) -> frozenset[str] | None:
    """The SHA-256 of what somebody vouched for; None for all, in a statement from before that was said."""
    said = statement.predicate
    if said.vouched is None:
        return None
    inputs = said.inputs | {s.name: s.digest.get("sha256", "") for s in statement.subject if s.name == READ}
    return frozenset(inputs[n] for names in said.vouched.values() for n in names if n in inputs)


def _used(compilers: Sequence[str], at: int) -> tuple[str, ...]:
    """The compilers that a level rests on: the second one is E4's."""
    return tuple(compilers) if at >= 4 else tuple(compilers[:1])


def _variants(fuzzed: Fuzzed) -> Variants:
    same = {n: getattr(fuzzed, n) for n in Variants.__struct_fields__}
    return Variants(**{**same, "seconds": round(fuzzed.seconds, 3)})


def _second(second: level.Second) -> Second:
    return Second(tool=second.tool, times=second.times, of=second.of, lacking=second.lacking)


def signed(key: DeskKey, statement: Statement) -> bytes:
    """The DSSE envelope of a statement, as JSON."""
    return key.envelope(PAYLOAD_TYPE, msgspec.json.encode(statement))


def accepted(before: Statement, by: str, why: str, at: datetime) -> Statement:
    """E6: a named human, or upstream, has accepted what `before` says; its subject and facts are the same."""
    told = msgspec.structs.replace(
        before.predicate,
        level=6,
        result="met",
        why=why,
        times=1,
        of=1,
        at=at,
        accepted_by=by,
        variant_seconds=0.0,
        variants=None,
        second=None,
    )
    return msgspec.structs.replace(before, predicate=told)


def opened(envelope: bytes, keys: Iterable[PublicKey]) -> tuple[Statement, PublicKey]:
    """The statement in an envelope that one of `keys` has signed, and that key.

    Raises:
        InputError: it is no statement of a validation.
        IntegrityError: none of the keys has signed it.
    """
    from ..desk_key import opened as opened_envelope

    payload, key = opened_envelope(envelope, keys, PAYLOAD_TYPE)
    return read(payload), key


def read(payload: bytes) -> Statement:
    """The statement of a payload. Raises InputError."""
    if len(payload) > MOST_BYTES:
        raise InputError(f"a statement of over {MOST_BYTES >> 10} KiB", where="payload")
    try:
        return msgspec.json.decode(payload, type=Statement)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        raise InputError("this is no statement of a validation", where="payload") from None


def same_subject(statement: Statement, recipe_bytes: bytes) -> None:
    """Nothing, when the statement is about this recipe and names the files that it names.

    Raises:
        IntegrityError: it is about another one.
        InputError: `recipe_bytes` are no recipe.
    """
    digest = sha256(recipe_bytes).hexdigest()
    if not any(s.name == READ and s.digest.get("sha256") == digest for s in statement.subject):
        raise IntegrityError("the statement is about another recipe", where="subject")
    if statement.predicate.inputs != r.files_of(r.read(recipe_bytes)):
        raise IntegrityError("the statement names other files than the recipe", where="predicate.inputs")


def differences(
    statement: Statement, judged: Judged, enforcement: Enforcement
) -> tuple[list[str], list[str]]:
    """What a run again shows otherwise: what contradicts the statement, and what may differ between machines.

    E5 rests on all levels below it, and they are met again or contradict it. Of E6 no run shows more than what was
    accepted, which is E4 (E3 where E4 can't be tried here): that somebody accepted it is the signer's word.
    """
    said = statement.predicate
    against: list[str] = []
    notes: list[str] = []
    again = {s.level: s for s in judged.ladder.steps}
    if said.level == 6:
        untried = 4 not in again or again[4].result == "not_tried"
        if untried and judged.ladder.level == 3:
            notes.append(f"E4, which was accepted, was not tried here: {judged.ladder.why}")
        elif judged.ladder.level < 4:
            against.append(f"E6 rests on E4, and it went to E{judged.ladder.level} ({judged.ladder.why})")
        notes.append(
            f"that {said.accepted_by or 'somebody'} accepted it is what the signer says: no run can show it"
        )
    else:
        step = again.get(said.level)
        result = step.result if step is not None else "not_tried"
        if result != said.result:
            went = f"it went to E{judged.ladder.level} ({judged.ladder.why})"
            why = step.why if step is not None else went
            against.append(f"E{said.level} was {said.result}, and is {result}: {why}")
        elif result == "met" and judged.ladder.level < said.level:
            against.append(
                f"E{said.level} rests on what is below it, and it went to E{judged.ladder.level} ({judged.ladder.why})"
            )
    key = judged.state.key if judged.state is not None else ""
    if said.crash is not None and key != said.crash.key:
        against.append("the crash state is another one")
    for name, mine in (("vulnerable", judged.vulnerable), ("patched", judged.patched)):
        theirs = said.builds.get(name, "")
        if theirs and mine and theirs != mine:
            notes.append(f"the {name} build has other bytes here")
    if environment_of(enforcement, _used(judged.compilers, said.level))[0] != said.environment:
        notes.append("the environment is another one: compilers, kernel or sandbox")
    return against, notes


def named(target: r.Target) -> str:
    """A target on one line."""
    return f"{tag(target)}:{target.name}@{target.version}"


def tag(thing: Struct) -> str:
    """Which kind of its union a struct is."""
    return str(type(thing).__struct_config__.tag)
