"""Reports land with their receipts, once, each for itself; what they lack is named; what was added counts."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from clearway.findings import artefact, kept
from clearway.findings.intake import limit, receipt, submit
from clearway.findings.intake.submit import Submission
from clearway.records.errors import ConflictError, ForbiddenError, InputError, IntegrityError
from clearway.records.principal import Membership
from findings_world import Desk
from people import Somebody
from report_documents import CANARY, PROOF, dump, mail, own, sarif


def send(desk: Desk, data: bytes, who: Somebody | None = None, **more: Any) -> Submission:
    reporter = who or desk.finder
    with desk.acting(reporter) as db:
        return submit.submit(db, desk.tools, reporter.org, data, **more)


def test_a_report_that_lacks_nothing_is_queued_and_its_receipt_verifies_offline(desk: Desk) -> None:
    data = dump(own())
    (taken,) = send(desk, data).taken
    assert (taken.state, taken.new, taken.missing) == ("queued", True, ())
    found, key = receipt.verified(taken.receipt.encode(), [desk.key.public], data)
    assert (found.handling, found.organisation, found.live, found.state) == (
        taken.handling,
        "lab",
        True,
        "queued",
    )
    assert key.key_id == desk.key.public.key_id
    with pytest.raises(IntegrityError, match="another report"):
        receipt.verified(taken.receipt.encode(), [desk.key.public], dump(own(title="Another")))


def test_a_receipt_that_was_changed_or_signed_by_another_does_not_verify(desk: Desk, tmp_path: Any) -> None:
    from clearway.findings.desk_key import DeskKey

    (taken,) = send(desk, dump(own())).taken
    envelope = json.loads(taken.receipt)
    envelope["payload"] = envelope["payload"][:-4] + "AAA="
    for data, keys in (
        (json.dumps(envelope).encode(), [desk.key.public]),
        (taken.receipt.encode(), [DeskKey.of_home(tmp_path / "other").public]),
        (taken.receipt.encode(), []),
    ):
        with pytest.raises((IntegrityError, InputError)):
            receipt.verified(data, keys)


def test_the_same_report_again_is_the_same_finding_with_the_same_receipt_and_no_new_entry(desk: Desk) -> None:
    (first,) = send(desk, dump(own())).taken
    acts = desk.acts()
    (second,) = send(desk, dump(own())).taken
    assert (second.handling, second.new, second.receipt) == (first.handling, False, first.receipt)
    assert desk.acts() == acts


def test_what_is_missing_is_named_and_what_is_added_counts(desk: Desk) -> None:
    (taken,) = send(desk, dump(own(trace=[], ruled_out=[], reproduction={}))).taken
    assert taken.state == "incomplete"
    assert [gate.gate for gate in taken.missing] == ["reproduction", "trace", "ruled-out"]
    with desk.acting(desk.finder) as db:
        finding = kept.one(db, taken.handling)
        half, gates = submit.supplement(db, desk.tools, finding, dump({"trace": own()["trace"]}))
        assert half.state == "incomplete"
        assert [g.gate for g in gates if not g.met] == ["reproduction", "ruled-out"]
    with desk.acting(desk.finder) as db:
        more = {"reproduction": own()["reproduction"], "ruled_out": own()["ruled_out"]}
        whole, gates = submit.supplement(db, desk.tools, half, dump(more))
        assert whole.state == "queued"
        assert all(gate.met for gate in gates)
        assert [a.name for a in artefact.listed(db, whole.id, "attachment")] == [
            "supplement-1.json",
            "supplement-2.json",
            "recipe.json",
        ]
        with pytest.raises(ConflictError):
            submit.supplement(db, desk.tools, whole, dump(more))


def test_a_mail_lacks_what_mails_lack(desk: Desk) -> None:
    (taken,) = send(desk, mail()).taken
    assert [gate.gate for gate in taken.missing] == ["trace", "ruled-out"]
    with desk.acting(desk.finder) as db:
        finding = kept.one(db, taken.handling)
        assert {a.kind for a in artefact.listed(db, finding.id)} == {"document", "input", "patch"}
        proof = artefact.listed(db, finding.id, "input")[0]
        assert artefact.read(db, desk.vault, proof) == PROOF


def test_many_reports_in_one_call_land_or_are_set_aside(desk: Desk) -> None:
    reports = [own(title=f"Report {n}") for n in range(20)]
    reports[7] = own(cwe="none")
    reports[9] = reports[8]
    made = send(desk, dump(reports))
    assert len(made.taken) == 19
    assert sum(t.new for t in made.taken) == 18
    assert [a.place for a in made.set_aside] == ["reports[7].cwe"]
    for taken in made.taken:
        receipt.verified(taken.receipt.encode(), [desk.key.public], dump(reports))
    with desk.owner() as db:
        row = db.execute(
            "select reports, set_aside, seal <> '', sealed is not null from clearway.submission"
        ).fetchall()
    assert row == [(19, 1, True, True)]


def test_a_report_that_fails_when_it_is_kept_is_set_aside_and_leaves_nothing_behind(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artefact, "MAX_FILES", 3)
    over = own(title="over the bound", files=[{"name": f"f{n}", "text": "x"} for n in range(9)])
    made = send(desk, dump([over, own(title="one"), over, own(title="two")]))
    assert [t.place for t in made.taken] == ["reports[1]", "reports[3]"]
    assert [a.place for a in made.set_aside] == ["reports[0]", "reports[2]"]
    assert "too many files" in made.set_aside[0].reason
    with desk.owner() as db:
        for table in ("finding", "finding_receipt", "submission"):
            found = db.execute(f"select count(*) from clearway.{table}").fetchone()
            assert found == ((1,) if table == "submission" else (2,)), table


def test_a_sarif_log_becomes_a_finding_for_each_result(desk: Desk) -> None:
    made = send(desk, dump(sarif(3)))
    assert len(made.taken) == 3
    (again,) = {t.new for t in send(desk, dump(sarif(3))).taken}
    assert again is False
    with desk.acting(desk.coordinator) as db:
        places = {kept.one(db, t.handling).place for t in made.taken}
    assert places == {f"src/parse.c:{n} parse_string" for n in (100, 101, 102)}


def test_a_trial_is_kept_apart_and_says_so(desk: Desk) -> None:
    (trial,) = send(desk, dump(own()), live=False).taken
    (real,) = send(desk, dump(own())).taken
    assert trial.handling != real.handling
    assert (trial.live, real.live) == (False, True)
    assert receipt.verified(trial.receipt.encode(), [desk.key.public])[0].live is False
    assert "finding.tried" in desk.acts()


def test_nobody_submits_for_another_organisation_or_without_the_right(desk: Desk) -> None:
    for who, org in ((desk.finder, desk.rival_org), (desk.operator, desk.water), (desk.colleague, desk.lab)):
        with pytest.raises(ForbiddenError), desk.acting(who) as db:
            submit.submit(db, desk.tools, org, dump(own()))


def _member(desk: Desk) -> Membership:
    return Membership(
        org=desk.vendor,
        slug="vendor",
        name="Vendor",
        kind="vendor",
        roles=("maintainer",),
        rights=("read", "maintain"),
    )


def test_a_receivers_limit_counts_once_a_coordinator_has_confirmed_it(desk: Desk) -> None:
    with desk.acting(desk.maintainer) as db:
        made = limit.put(db, _member(desk), "PyPI", "example", per_reporter=2, note="two a week, please")
    states = [send(desk, dump(own(title=f"Before {n}"))).taken[0].state for n in range(2)]
    assert states == ["queued", "queued"]
    with pytest.raises(ForbiddenError), desk.acting(desk.maintainer) as db:
        limit.confirm(db, made.id, holds=True)
    with desk.acting(desk.coordinator) as db:
        limit.confirm(db, made.id, holds=True)
    (over,) = send(desk, dump(own(title="Over"))).taken
    assert (over.state, over.missing) == ("received", ())
    (other,) = send(
        desk, dump(own(title="Of another product", affected={"purl": "pkg:pypi/other@1.0"}))
    ).taken
    assert other.state == "queued"
    (rivals,) = send(desk, dump(own(title="The rival's own")), desk.rival).taken
    assert rivals.state == "queued", "what others have sent does not count"


def test_a_limit_is_its_receivers_to_end(desk: Desk) -> None:
    with desk.acting(desk.maintainer) as db:
        made = limit.put(db, _member(desk), "PyPI", "example", per_week=1)
    with pytest.raises(ForbiddenError), desk.acting(desk.finder) as db:
        limit.end(db, made.id)
    with desk.acting(desk.maintainer) as db:
        limit.end(db, made.id)
        assert limit.listed(db) == []


def test_no_text_of_a_report_is_in_the_log_the_events_or_in_clear_columns(desk: Desk) -> None:
    send(desk, dump(own()))
    send(desk, dump(sarif()))
    send(desk, mail())
    send(desk, dump([own(title="x", severity=CANARY)]))
    with desk.owner() as db:
        tables = [
            t
            for (t,) in db.execute(
                "select format('%I.%I', schemaname, tablename) from pg_tables "
                "where schemaname in ('clearway', 'clearway_jobs')"
            )
        ]
        for table in tables:
            found = db.execute(
                f"select count(*) from {table} t where t::text like %s", (f"%{CANARY}%",)
            ).fetchone()
            assert found == (0,), table
            hexed = CANARY.encode().hex()
            found = db.execute(
                f"select count(*) from {table} t where t::text like %s", (f"%{hexed}%",)
            ).fetchone()
            assert found == (0,), table


def test_a_hundred_reports_take_seconds(desk: Desk) -> None:
    reports = [own(title=f"Report {n}") for n in range(100)]
    begun = time.monotonic()
    made = send(desk, dump(reports))
    print(f"{len(made.taken) / (time.monotonic() - begun) * 60:,.0f} a minute")
    assert len(made.taken) == 100
