"""Evidence that is taken back counts for nothing, stays in sight, and is told to whoever holds its statements."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_desk_validates import VOUCHED, one_site, pages, reported  # noqa: F401

from clearway.app import cli
from clearway.app.cli import main
from clearway.findings import artefact, desk_key, kept
from clearway.findings.artefact import File
from clearway.findings.validate import revoked, validation
from clearway.findings.validate.judge import Judged
from clearway.findings.validate.level import Ladder, Step
from clearway.findings.validate.statement import Digested, Statement, Validation, signed
from clearway.records.clock import SystemClock
from clearway.records.errors import ConflictError, ForbiddenError, NotFoundError
from findings_targets import COPIES, MENDED, c_recipe, sha
from findings_world import Desk
from site_client import Site, words

RAW = json.dumps(c_recipe(COPIES, MENDED)).encode()


def judged(
    desk: Desk,
    finding: kept.Finding,
    *results: str,
    recipe: str = sha(RAW),
    vouched: tuple[str, ...] = VOUCHED,
    why: str = "",
) -> int:
    """A validation that was asked for, and that a job has kept with these results from E1 on."""
    with desk.acting(desk.coordinator) as db:
        number = validation.ask(db, kept.by_id(db, finding.id), vouched=vouched, why=why)
        made_id = validation.one(db, finding.id, number).id
    steps = tuple(
        Step(level=n, result=result, why=f"of E{n}")  # type: ignore[arg-type]
        for n, result in enumerate(("met", *results))
    )
    with desk.owner() as db:
        numbers = {}
        for step in steps:
            made = Statement(
                subject=(Digested(name="recipe.json", digest={"sha256": sha(RAW)}),),
                predicate=Validation(
                    level=step.level, result=step.result, why=step.why, times=1, of=1, target="c:toy@1",
                    oracle="sanitizer", proof="command",
                    inputs={
                        "target/main.c": sha(COPIES), "patched/main.c": sha(MENDED), "proof/in": sha(b"A" * 24),
                        "benign-1/in": sha(b"abc"),
                    },
                    builds={}, environment="", enforcement={}, at=SystemClock().now(), seconds=float(number),
                    finding=finding.handling,
                ),
            )  # fmt: skip
            file = File(
                kind="statement", data=signed(desk.key, made), name=f"validation-{number}-E{step.level}.json"
            )
            numbers[step.level] = artefact.add(db, desk.vault, finding, file).id
        validation.finish(
            db,
            made_id,
            Judged(ladder=Ladder(steps=steps)),
            recipe=recipe,
            environment="",
            statements=numbers,
            log=None,
        )
        now = validation.best(db, finding.id)
        kept.set_level(db, finding, now.level, now.why)
        kept.move(db, kept.by_id(db, finding.id), "judged")
    return number


def level(desk: Desk, finding: kept.Finding) -> tuple[int, str]:
    with desk.owner() as db:
        now = kept.by_id(db, finding.id)
    return now.level, now.level_why


def test_a_repeat_that_fails_lowers_the_finding_and_another_recipe_does_not(desk: Desk) -> None:
    finding = reported(desk)
    judged(desk, finding, "met", "met", "not_tried")
    assert level(desk, finding)[0] == 2
    judged(desk, finding, "failed", recipe=sha(b"another"))
    assert level(desk, finding)[0] == 2
    number = judged(desk, finding, "failed")
    assert level(desk, finding) == (0, "lowered from E2: a repeat of the same recipe fails at E1: of E1")
    judged(desk, finding, "met", "met")
    assert level(desk, finding)[0] == 0
    assert level(desk, finding)[1].startswith(
        "a repeat without a reason met E2, which was lowered or taken back"
    )
    again = judged(desk, finding, "met", "met", why="the kernel of that worker was changed since")
    assert level(desk, finding)[0] == 2
    assert "an earlier repeat of the same recipe failed at E1" in level(desk, finding)[1]
    assert desk.acts().count("finding.levelled") == 5
    with desk.owner() as db:
        (told,) = db.execute(
            """select content from clearway.log_entry where act = 'validation.asked'
            order by entry desc limit 1"""
        ).fetchone() or ("",)
    assert "the kernel of that worker" in told
    with desk.acting(desk.coordinator) as db:
        assert validation.one(db, finding.id, again).again_why.startswith("the kernel")
    with desk.acting(desk.coordinator) as db:
        assert validation.one(db, finding.id, number).level == 0


def test_what_was_taken_back_comes_back_by_a_trial_with_a_reason_alone(desk: Desk, pages: Site) -> None:  # noqa: F811
    finding = reported(desk)
    wrong = judged(desk, finding, "met", "met", "met", "met")
    evidence = f"/findings/{finding.handling}/evidence"
    assert "Why it is tried again" not in words(pages.page(desk.coordinator.cookie, evidence))
    with desk.acting(desk.coordinator) as db:
        validation.revoke(db, finding, wrong, "the wheel was none of theirs")
    assert "Why it is tried again" in words(pages.page(desk.coordinator.cookie, evidence))
    repeat = judged(desk, finding, "met", "met", "met", "met")
    assert level(desk, finding)[0] == 0
    with pytest.raises(ConflictError, match="no longer holds"), desk.acting(desk.coordinator) as db:
        validation.accept(db, finding, repeat, "A. Person", "read it")
    where = f"/api/v1/findings/{finding.handling}/validations"
    why = "the publisher has confirmed the wheel"
    made = pages.api(desk.coordinator.secret, "POST", where, 201, {"upto": 2, "why": why}).json()["id"]
    assert pages.api(desk.finder.secret, "GET", f"{where}/{made}").json()["again_why"] == why
    assert why in words(pages.page(desk.finder.cookie, evidence))
    with desk.owner() as db:
        validation.fail(db, made, "no box")
        kept.move(db, kept.by_id(db, finding.id), "queued", "it could not be tried here")
    judged(desk, finding, "met", "met", why=why)
    assert level(desk, finding)[0] == 2, "as far as it was looked"


def test_what_a_repeat_contradicts_is_not_accepted(desk: Desk) -> None:
    finding = reported(desk)
    number = judged(desk, finding, "met", "met", "met", "met")
    judged(desk, finding, "met", "failed")
    with pytest.raises(ConflictError, match="no longer holds"), desk.acting(desk.coordinator) as db:
        validation.accept(db, finding, number, "A. Person", "read it")


def test_a_validation_is_taken_back_with_a_reason_and_what_is_left_counts(desk: Desk, pages: Site) -> None:  # noqa: F811
    finding = reported(desk)
    first = judged(desk, finding, "met", vouched=())
    wrong = judged(desk, finding, "met", "met", "met", recipe=sha(b"another"))
    assert level(desk, finding)[0] == 3
    where = f"/api/v1/findings/{finding.handling}/validations"
    why = {"why": "the wheel was none of theirs"}
    pages.api(desk.finder.secret, "POST", f"{where}/{wrong}/revocation", 403, why)
    pages.api(desk.rival.secret, "POST", f"{where}/{wrong}/revocation", 403, why)
    pages.api(desk.coordinator.secret, "POST", f"{where}/{wrong}/revocation", 400, {"why": ""})
    pages.api(desk.coordinator.secret, "POST", f"{where}/{wrong + 9}/revocation", 404, why)
    told = pages.api(desk.coordinator.secret, "POST", f"{where}/{wrong}/revocation", 200, why).json()
    assert (told["revoked_why"], told["level"]) == ("the wheel was none of theirs", 3)
    assert level(desk, finding) == (1, "of E1")
    pages.api(desk.coordinator.secret, "POST", f"{where}/{wrong}/revocation", 409, why)
    shown = words(pages.page(desk.finder.cookie, f"/findings/{finding.handling}/evidence"))
    assert "the wheel was none of theirs" in shown
    assert "Take evidence back" not in shown
    evidence = f"/findings/{finding.handling}/evidence"
    assert "Take evidence back" in words(pages.page(desk.coordinator.cookie, evidence))
    refused = pages.post(
        desk.coordinator.cookie, f"{evidence}/revocation", 422, which=str(first), revoke_why=" "
    )
    assert "why it is taken back" in words(refused.text)
    pages.post(desk.coordinator.cookie, f"{evidence}/revocation", which=str(first), revoke_why="it as well")
    assert level(desk, finding) == (0, "the evidence that it had was taken back")
    assert desk.acts().count("validation.revoked") == 2


def test_a_vouching_that_is_taken_back_takes_what_rests_on_it(desk: Desk, pages: Site) -> None:  # noqa: F811
    finding = reported(desk)
    alone = judged(desk, finding, "met", vouched=())
    resting = judged(desk, finding, "met", "met", recipe=sha(b"another"))
    where = f"/api/v1/findings/{finding.handling}/vouching/revocation"
    body = {"files": [sha(COPIES)], "why": "it is not what was published"}
    pages.api(desk.finder.secret, "POST", where, 403, body)
    assert pages.api(desk.coordinator.secret, "POST", where, 200, body).json() == {"validations": [resting]}
    assert level(desk, finding)[0] == 1
    pages.api(desk.coordinator.secret, "POST", where, 409, body)
    with desk.acting(desk.coordinator) as db:
        assert validation.one(db, finding.id, alone).revoked is None
    assert desk.acts().count("validation.unvouched") == 1


def test_the_desk_alone_takes_back_and_only_of_what_is_the_findings(desk: Desk) -> None:
    finding, other = reported(desk), reported(desk)
    number = judged(desk, finding, "met")
    for who, error in (
        (desk.finder, ForbiddenError),
        (desk.rival, NotFoundError),
        (desk.maintainer, NotFoundError),
    ):
        with pytest.raises(error), desk.acting(who) as db:
            db.execute("select clearway.revoke_validations(%s, %s, 'x')", (finding.id, [number]))
    with pytest.raises(ConflictError), desk.acting(desk.coordinator) as db:
        db.execute("select clearway.revoke_validations(%s, %s, 'x')", (other.id, [number]))


def test_who_holds_a_statement_learns_from_the_desks_list_that_it_was_taken_back(
    desk: Desk,
    pages: Site,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(cli.COMMANDS, "finding", ("clearway.findings.commands", "the findings desk"))
    finding = reported(desk)
    number = judged(desk, finding, "met")
    (tmp_path / "recipe.json").write_bytes(RAW)
    with desk.owner() as db:
        held = artefact.read(db, desk.vault, artefact.listed(db, finding.id, "statement")[1], logged=False)
        keys = desk_key.known(db)
    (tmp_path / "E1.json").write_bytes(json.dumps(json.loads(held), indent=1).encode() + b"\n")
    verify = [
        "--home", str(desk.home), "finding", "verify", str(tmp_path / "E1.json"), "--subject", str(tmp_path),
        "--revocations", str(tmp_path / "list.json"),
    ]  # fmt: skip
    where = f"/api/v1/findings/{finding.handling}/revocations"
    pages.api(desk.rival.secret, "GET", where, 404)
    (tmp_path / "list.json").write_bytes(pages.api(desk.finder.secret, "GET", where).content)
    assert main(verify) == 0
    assert "not taken back as of" in capsys.readouterr().out
    with desk.acting(desk.coordinator) as db:
        validation.revoke(db, finding, number, "the wheel was none of theirs")
    told = pages.api(desk.finder.secret, "GET", where).content
    assert [one.level for one in revoked.opened(told, keys).revoked] == [0, 1]
    (tmp_path / "list.json").write_bytes(told)
    assert main(verify) == 9
    assert "the wheel was none of theirs" in capsys.readouterr().err
    other = reported(desk)
    elsewhere = pages.api(desk.finder.secret, "GET", f"/api/v1/findings/{other.handling}/revocations").content
    (tmp_path / "list.json").write_bytes(elsewhere)
    assert main(verify) == 10
    (tmp_path / "list.json").write_bytes(
        told.replace(b'"payload": "', b'"payload": "A').replace(b'"payload":"', b'"payload":"A')
    )
    assert main(verify) == 9
