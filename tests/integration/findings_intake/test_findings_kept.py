"""A finding is kept once, seen by its reporter and the desk, and changes its state by the rules."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clearway.findings import artefact, desk_key, kept
from clearway.findings.artefact import File
from clearway.findings.kept import State
from clearway.records.errors import (
    ConfigError,
    ConflictError,
    ForbiddenError,
    IntegrityError,
    NotFoundError,
    TooLargeError,
)
from findings_world import Desk, Template, new_finding


@pytest.fixture(scope="module")
def desk(desk_template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One desk for all tests of this file: each makes findings of its own."""
    for made, _ in desk_template.copy(tmp_path_factory.mktemp("kept") / "home"):
        yield made


def test_the_same_bytes_from_one_organisation_are_one_finding(desk: Desk) -> None:
    new = new_finding(desk.lab)
    with desk.acting(desk.finder) as db:
        first, fresh = kept.add(db, new)
        second, again = kept.add(db, new)
    assert (fresh, again) == (True, False)
    assert first == second


def test_two_organisations_that_send_the_same_bytes_have_a_finding_each(desk: Desk) -> None:
    new = new_finding(desk.lab)
    with desk.acting(desk.finder) as db:
        mine = kept.add(db, new)[0]
    with desk.acting(desk.rival) as db:
        theirs, fresh = kept.add(db, kept.NewFinding(**{**_fields(new), "org": desk.rival_org}))
    assert fresh
    assert mine.handling != theirs.handling


def _fields(new: kept.NewFinding) -> dict[str, object]:
    return {name: getattr(new, name) for name in new.__struct_fields__}


def test_a_finding_is_seen_by_its_organisation_and_the_coordinators_alone(desk: Desk) -> None:
    made = desk.finding()
    for who in (desk.finder, desk.colleague, desk.coordinator):
        with desk.acting(who) as db:
            assert kept.one(db, made.handling).title == made.title
    for stranger in (desk.rival, desk.maintainer, desk.operator, desk.people.admin, None):
        with desk.acting(stranger) as db, pytest.raises(NotFoundError):
            kept.one(db, made.handling)


def test_nobody_reports_in_the_name_of_another_organisation(desk: Desk) -> None:
    with pytest.raises(ForbiddenError), desk.acting(desk.rival) as db:
        kept.add(db, new_finding(desk.lab))


_MOVES: list[tuple[str, State, State]] = [
    ("finder", "received", "queued"),
    ("finder", "received", "incomplete"),
    ("finder", "queued", "withdrawn"),
    ("coordinator", "queued", "validating"),
    ("coordinator", "validating", "judged"),
    ("coordinator", "judged", "closed"),
    ("coordinator", "closed", "judged"),
]


@pytest.mark.parametrize(("who", "start", "to"), _MOVES)
def test_who_may_moves_a_finding(desk: Desk, who: str, start: State, to: State) -> None:
    made = _in_state(desk, start)
    with desk.acting(getattr(desk, who)) as db:
        moved = kept.move(db, made, to, "as it is tested")
    assert (moved.state, moved.state_why, moved.version) == (to, "as it is tested", made.version + 1)
    assert desk.acts()[-1] == "finding.moved"


@pytest.mark.parametrize(
    ("who", "start", "to"),
    [
        ("finder", "queued", "validating"),
        ("finder", "validating", "judged"),
        ("finder", "judged", "closed"),
        ("coordinator", "queued", "withdrawn"),
        ("colleague", "received", "queued"),
    ],
)
def test_a_move_that_is_anothers_is_refused(desk: Desk, who: str, start: State, to: State) -> None:
    made = _in_state(desk, start)
    with pytest.raises(ForbiddenError), desk.acting(getattr(desk, who)) as db:
        kept.move(db, made, to)


@pytest.mark.parametrize(
    ("start", "to"), [("withdrawn", "queued"), ("received", "judged"), ("closed", "queued")]
)
def test_a_move_that_leads_nowhere_is_a_conflict(desk: Desk, start: State, to: State) -> None:
    made = _in_state(desk, start)
    with pytest.raises(ConflictError), desk.owner() as db:
        kept.move(db, made, to)


def _in_state(desk: Desk, state: State) -> kept.Finding:
    made = desk.finding()
    with desk.owner() as db:
        db.execute("update clearway.finding set state = %s where finding = %s", (state, made.id))
        return kept.by_id(db, made.id)


def test_a_reporter_can_not_say_what_is_proven(desk: Desk) -> None:
    made = desk.finding()
    with pytest.raises(ForbiddenError), desk.acting(desk.finder) as db:
        kept.set_level(db, made, 6, "because")
    with pytest.raises(ConfigError, match="right is missing"), desk.acting(desk.finder) as db:
        db.execute("update clearway.finding set level = 6 where finding = %s", (made.id,))
    with desk.acting(desk.coordinator) as db:
        assert kept.set_level(db, made, 1, "fires").level == 1


def test_the_audience_of_a_finding_can_not_be_changed(desk: Desk) -> None:
    from clearway.access.audience import of
    from clearway.access.marking import own

    made = desk.finding()
    with pytest.raises(ForbiddenError), desk.acting(desk.finder) as db:
        db.execute("select clearway.remark('clearway.finding', %s, %s)", (made.id, of(db, own(desk.lab))))


def test_files_are_sealed_in_the_database_and_read_back_with_an_entry_of_the_log(desk: Desk) -> None:
    made = desk.finding()
    data = b"AAAA the proof of concept AAAA"
    with desk.acting(desk.finder) as db:
        one = artefact.add(db, desk.vault, made, File(kind="input", data=data, name="poc.bin"))
        again = artefact.add(db, desk.vault, made, File(kind="input", data=data, name="poc.bin"))
    assert one == again
    with desk.owner() as db:
        (sealed,) = db.execute(
            "select sealed from clearway.artefact where artefact = %s", (one.id,)
        ).fetchone() or (b"",)
    assert b"proof of concept" not in sealed
    with desk.acting(desk.coordinator) as db:
        assert artefact.read(db, desk.vault, artefact.listed(db, made.id)[0]) == data
    assert desk.acts()[-1] == "content.read"
    with desk.acting(desk.rival) as db:
        assert artefact.listed(db, made.id) == []


def test_sealed_bytes_that_are_moved_to_another_finding_do_not_open(desk: Desk) -> None:
    mine, other = desk.finding(), desk.finding()
    with desk.acting(desk.finder) as db:
        artefact.add(db, desk.vault, mine, File(kind="input", data=b"one"))
        artefact.add(db, desk.vault, other, File(kind="input", data=b"two"))
    with desk.owner() as db:
        db.execute(
            "update clearway.artefact set finding = %s, nth = nth + 9 where finding = %s", (mine.id, other.id)
        )
        moved = next(a for a in artefact.listed(db, mine.id) if a.bytes == 3 and a.sha256.startswith("3fc4"))
        with pytest.raises(IntegrityError):
            artefact.read(db, desk.vault, moved)


def test_a_destroyed_key_leaves_nothing_to_read(desk: Desk) -> None:
    made = desk.finding()
    with desk.acting(desk.finder) as db:
        one = artefact.add(db, desk.vault, made, File(kind="input", data=b"one"))
    assert desk.vault.destroy(made.subject)
    with desk.owner() as db, pytest.raises(NotFoundError, match="key of these files is not here"):
        artefact.read(db, desk.vault, one)


def test_a_reporter_writes_no_log_and_no_statement_and_a_coordinator_adds_a_patch(desk: Desk) -> None:
    made = desk.finding()
    with pytest.raises(ForbiddenError), desk.acting(desk.finder) as db:
        artefact.add(db, desk.vault, made, File(kind="statement", data=b"{}"))
    with desk.acting(desk.coordinator) as db:
        assert artefact.add(db, desk.vault, made, File(kind="patch", data=b"---")).kind == "patch"
    with desk.owner() as db:
        assert artefact.add(db, desk.vault, made, File(kind="statement", data=b"{}")).kind == "statement"


def test_a_file_over_the_bound_is_refused_before_it_is_sealed(desk: Desk) -> None:
    made = desk.finding()
    with pytest.raises(TooLargeError), desk.acting(desk.finder) as db:
        artefact.add(db, desk.vault, made, File(kind="input", data=bytes(artefact.MAX_BYTES + 1)))


def test_the_desks_key_is_known_to_everybody_once_and_on_the_log(desk: Desk) -> None:
    with desk.owner() as db:
        desk_key.register(db, desk.key)
    with desk.acting(None) as db:
        assert [k.key_id for k in desk_key.known(db)] == [desk.key.public.key_id]
    assert desk.acts().count("desk.key_added") == 1


# From each state to which, by whom: the whole machine, written again here.
_LEGAL: dict[tuple[State, State], str] = {
    ("received", "incomplete"): "both",
    ("received", "queued"): "both",
    ("received", "closed"): "desk",
    ("incomplete", "incomplete"): "both",
    ("incomplete", "queued"): "both",
    ("incomplete", "closed"): "desk",
    ("queued", "incomplete"): "desk",
    ("queued", "validating"): "desk",
    ("queued", "closed"): "desk",
    ("validating", "queued"): "desk",
    ("validating", "judged"): "desk",
    ("validating", "closed"): "desk",
    ("judged", "queued"): "desk",
    ("judged", "validating"): "desk",
    ("judged", "closed"): "desk",
    ("closed", "judged"): "desk",
    **{(s, "withdrawn"): "reporter" for s in ("received", "incomplete", "queued", "validating", "judged")},
}  # fmt: skip


def test_every_move_that_is_not_written_down_is_refused(desk: Desk) -> None:
    made = desk.finding()
    for start in kept.STATES:
        for to in kept.STATES:
            allowed = _LEGAL.get((start, to), "nobody")
            for who, may in (("finder", ("both", "reporter")), ("coordinator", ("both", "desk"))):
                with desk.owner() as db:
                    db.execute("update clearway.finding set state = %s where finding = %s", (start, made.id))
                    before = kept.by_id(db, made.id)
                try:
                    with desk.acting(getattr(desk, who)) as db:
                        moved: kept.Finding | None = kept.move(db, before, to)
                except (ConflictError, ForbiddenError):
                    moved = None
                assert (moved is not None) is (allowed in may), (start, to, who)
