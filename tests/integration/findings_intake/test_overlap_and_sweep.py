"""Whether others hold a flaw is told after one's own proof fired, once, and so often a day; what days change."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from clearway.findings import artefact, kept
from clearway.findings.dedup import told
from clearway.findings.dedup.edge import add, held_by_others
from clearway.findings.intake import limit, overlap, submit, sweep
from clearway.records.errors import ForbiddenError, NotFoundError, TooManyRequestsError
from clearway.records.principal import Membership
from findings_world import Desk, Template
from report_documents import dump, own


@pytest.fixture(scope="module")
def shared(desk_template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One desk for the tests of overlap: each is about a product of its own."""
    for made, _ in desk_template.copy(tmp_path_factory.mktemp("overlap") / "home"):
        yield made


@pytest.fixture
def product(request: pytest.FixtureRequest) -> str:
    """A product that no other test speaks of."""
    return f"product-{abs(hash(request.node.name))}"


def _fired(desk: Desk, product: str, who: str = "finder", **facts: str) -> kept.Finding:
    made = desk.finding(getattr(desk, who), **{"package": product, **facts})
    with desk.owner() as db:
        return kept.set_level(db, made, 1, "fires 3 of 3")


def test_nothing_is_told_before_the_askers_own_reproducer_has_fired(shared: Desk, product: str) -> None:
    _fired(shared, product, "rival")
    mine = shared.finding(package=product)
    with pytest.raises(ForbiddenError), shared.owner() as db:
        overlap.told(db, mine, held_by_others)
    with shared.owner() as db:
        assert overlap.answer_of(db, mine.id) is None


def test_a_trial_is_told_nothing(shared: Desk, product: str) -> None:
    trial = shared.finding(live=False, package=product)
    with shared.owner() as db:
        fired = kept.set_level(db, trial, 1, "fires")
        with pytest.raises(ForbiddenError):
            overlap.told(db, fired, held_by_others)


def _same(desk: Desk, one: kept.Finding, other: kept.Finding, verdict: str, basis: str) -> int:
    with desk.owner() as db:
        return add(db, one.id, other.id, verdict, basis, score=0.9, reason="as a run has shown")  # type: ignore[arg-type]


def test_one_place_and_class_are_claims_and_no_evidence(shared: Desk, product: str) -> None:
    """Else whoever has any proof that fires could ask about one place of the product after the other."""
    _fired(shared, product, "rival")
    mine = _fired(shared, product)
    with shared.owner() as db:
        assert overlap.told(db, mine, held_by_others).overlaps is False


@pytest.mark.parametrize(
    ("verdict", "basis", "held"),
    [
        ("same", "cross-run", True),
        ("likely", "stack", False),
        ("likely", "crash", False),
        ("likely", "input", False),
        ("same", "person", True),
        ("likely", "context", False),
        ("likely", "text", False),
        ("different", "person", False),
        ("contains", "cross-run", False),
    ],
)
def test_the_answer_is_yes_by_fixes_of_two_hands_or_a_person(
    shared: Desk, product: str, verdict: str, basis: str, held: bool
) -> None:
    theirs, mine = _fired(shared, product, "rival"), _fired(shared, product)
    _same(shared, theirs, mine, verdict, basis)
    with shared.owner() as db:
        assert overlap.told(db, mine, held_by_others).overlaps is held
    assert shared.acts()[-1] == "finding.overlap_told"


def test_a_no_is_put_right_by_evidence_of_what_was_here_when_it_was_asked(shared: Desk, product: str) -> None:
    theirs, mine = _fired(shared, product, "rival"), _fired(shared, product)
    with shared.owner() as db:
        assert overlap.told(db, mine, held_by_others).overlaps is False
        assert told.correct(db) == 0
    later = _fired(shared, product, "rival")
    _same(shared, mine, later, "same", "cross-run")
    with shared.owner() as db:
        assert told.correct(db) == 0, "nobody else had it when it was asked"
    _same(shared, theirs, mine, "same", "cross-run")
    with shared.owner() as db:
        assert (told.correct(db), told.correct(db)) == (1, 0)
        said = overlap.answer_of(db, mine.id)
    assert said is not None
    assert said.overlaps
    assert shared.acts()[-1] == "finding.overlap_told"


def test_ones_own_findings_and_claims_without_proof_are_no_overlap(shared: Desk, product: str) -> None:
    shared.finding(shared.rival, package=product)
    _fired(shared, product)
    with shared.owner() as db:
        assert overlap.told(db, _fired(shared, product), held_by_others).overlaps is False


def test_the_answer_is_given_once_and_seen_by_the_reporter_and_the_desk(shared: Desk, product: str) -> None:
    mine = _fired(shared, product)
    with shared.owner() as db:
        first = overlap.told(db, mine, held_by_others)
    _fired(shared, product, "rival")
    with shared.owner() as db:
        assert overlap.told(db, mine, held_by_others) == first
    for who, seen in (("finder", True), ("coordinator", True), ("rival", False), ("operator", False)):
        with shared.acting(getattr(shared, who)) as db:
            assert (overlap.answer_of(db, mine.id) is not None) is seen


def test_an_organisation_gets_so_many_answers_a_day(shared: Desk, product: str) -> None:
    fired = [_fired(shared, product) for _ in range(overlap.PER_DAY + 1)]
    with shared.owner() as db:
        db.execute("update clearway.overlap_answer set asked = asked - interval '25 hours'")
        for one in fired[:-1]:
            overlap.told(db, one, held_by_others)
    with pytest.raises(TooManyRequestsError) as caught, shared.owner() as db:
        overlap.told(db, fired[-1], held_by_others)
    assert caught.value.retry_after_s >= 3_600
    with shared.owner() as db:
        overlap.told(db, _fired(shared, product, "rival"), held_by_others)
        db.execute("update clearway.overlap_answer set asked = asked - interval '25 hours'")
        overlap.told(db, fired[-1], held_by_others)


def test_a_reporter_can_not_write_an_answer(shared: Desk, product: str) -> None:
    from clearway.records.errors import ConfigError

    mine = shared.finding(package=product)
    with pytest.raises(ConfigError), shared.acting(shared.finder) as db:
        db.execute(
            "insert into clearway.overlap_answer (finding, org, aud, held) values (%s, %s, %s, true)",
            (mine.id, mine.org, mine.aud),
        )


def test_a_report_that_waits_has_its_turn_when_the_week_has_passed(desk: Desk) -> None:
    vendor = Membership(org=desk.vendor, slug="vendor", name="Vendor", kind="vendor", rights=("maintain",))
    with desk.acting(desk.maintainer) as db:
        made = limit.put(db, vendor, "PyPI", "example", per_reporter=1)
    with desk.acting(desk.coordinator) as db:
        limit.confirm(db, made.id, holds=True)
    with desk.acting(desk.finder) as db:
        taken = [
            submit.submit(db, desk.tools, desk.lab, dump(own(title=f"Report {n}"))).taken[0] for n in range(3)
        ]
    assert [t.state for t in taken] == ["queued", "received", "received"]
    with desk.owner() as db:
        assert sweep.turns(db) == 0
        db.execute("update clearway.finding set received = received - interval '8 days'")
        assert sweep.turns(db) == 2, "what waited is counted by when it was received"
        assert kept.one(db, taken[1].handling).state == "queued"
        assert submit.gates_of(db, kept.one(db, taken[1].handling).id)[-1].met


def test_a_trial_is_deleted_after_a_week_and_its_key_with_it(desk: Desk) -> None:
    with desk.acting(desk.finder) as db:
        (trial,) = submit.submit(db, desk.tools, desk.lab, dump(own()), live=False).taken
        (real,) = submit.submit(db, desk.tools, desk.lab, dump(own())).taken
        many = submit.submit(db, desk.tools, desk.lab, dump([own(title="a"), own(title="b")]), live=False)
    with desk.owner() as db:
        assert sweep.trials(db, desk.vault) == 0
        old = timedelta(days=sweep.TRIAL_DAYS, minutes=1)
        db.execute("update clearway.finding set received = received - %s", (old,))
        db.execute("update clearway.submission set received = received - %s", (old,))
        assert sweep.trials(db, desk.vault) == 1 + len(many.taken)
        with pytest.raises(NotFoundError):
            kept.one(db, trial.handling)
        stays = kept.one(db, real.handling)
        assert artefact.listed(db, stays.id)
        assert db.execute("select count(*) from clearway.submission").fetchone() == (1,)
    assert not desk.vault.destroy(kept.subject(trial.handling)), "the key is gone already"
    assert len(list(desk.vault.folder.rglob("*.key"))) == 1
