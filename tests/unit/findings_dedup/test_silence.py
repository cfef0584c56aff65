"""What patches and proofs prove of each other."""

from __future__ import annotations

from clearway.findings.dedup.silence import cross, survey


def test_mutual_silencing_is_one_flaw() -> None:
    found = cross({"p": True, "q": True}, {"p": True, "q": True})
    assert found is not None
    assert found.verdict == "same"
    assert found.both == ("p", "q")


def test_one_way_only_contains_and_is_no_merge() -> None:
    a, b = {"wide": True, "narrow": False}, {"wide": True, "narrow": True}
    assert (found := cross(a, b)) is not None
    assert found.verdict == "contains"
    assert (found := cross(b, a)) is not None
    assert found.verdict == "contained"


def test_each_silenced_by_its_own_alone_is_two_flaws() -> None:
    assert (found := cross({"p": True, "q": False}, {"p": False, "q": True})) is not None
    assert found.verdict == "different"
    assert found.apart == ("p", "q")


def test_a_patch_that_is_too_broad_merges_nothing_where_others_tell_the_two_apart() -> None:
    a = {"broad": True, "for a": True, "for b": False}
    b = {"broad": True, "for a": False, "for b": True}
    assert (found := cross(a, b)) is not None
    assert found.verdict == "different"


def test_what_is_not_known_says_nothing() -> None:
    assert cross({"p": True, "q": None}, {"p": None, "q": True}) is None
    assert cross({}, {}) is None
    assert cross({"p": False}, {"p": False}) is None  # no patch silences either


FLAWS = {"a1": "a", "a2": "a", "a3": "a", "b1": "b", "b2": "b", "c1": "c"}
STATES = {
    "a1": "s",
    "a2": "s",
    "a3": "t",
    "b1": "s",
    "b2": "s",
    "c1": "u",
}  # a and b crash in one state: twins
PATCHES = {"for a": "a", "for a too": "a", "for b": "b", "for c": "c", "broad": "ab"}


def test_twins_of_one_crash_state_are_told_apart_with_few_runs() -> None:
    asked = []

    def silences(patch: str, proof: str) -> bool:
        asked.append((patch, proof))
        return FLAWS[proof] in PATCHES[patch]

    found = survey(STATES, list(PATCHES), silences)
    assert sorted(found.groups()) == [["a1", "a2", "a3"], ["b1", "b2"], ["c1"]]
    assert found.runs == len(asked) == len(set(asked)) < len(FLAWS) * len(PATCHES)


def test_a_proof_that_nothing_silences_is_alone() -> None:
    found = survey({"x": "s", "y": "s"}, ["p"], lambda patch, proof: False)
    assert found.groups() == [["x"], ["y"]]


def test_where_nothing_can_be_said_nothing_is_joined() -> None:
    found = survey({"x": "s", "y": "s"}, ["p"], lambda patch, proof: None)
    assert found.groups() == [["x"], ["y"]]


def test_a_flaw_whose_only_patch_is_too_broad_is_not_joined_with_another() -> None:
    silences = {("broad", "a"): True, ("broad", "b"): True, ("narrow", "b"): True}
    found = survey(
        {"a": "s", "b": "s"}, ["broad", "narrow"], lambda patch, proof: silences.get((patch, proof), False)
    )
    assert found.groups() == [["a"], ["b"]]
    said = cross(found.rows["a"], found.rows["b"])
    assert said is not None
    assert said.verdict == "contains"
