"""Groups follow from what stands, whatever its order, and a merge that is undone leaves no trace."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from clearway.findings.dedup.cluster import BASES, VERDICTS, Tie, groups
from clearway.findings.dedup.keys import Facts, keys_of, normalised, place_of
from clearway.findings.dedup.silence import cross, survey

FINDINGS = range(8)
ties = st.lists(
    st.builds(
        Tie, one=st.integers(0, 7), other=st.integers(0, 7), verdict=st.sampled_from(VERDICTS),
        basis=st.sampled_from(BASES),
    ),
    max_size=14,
)  # fmt: skip


@given(ties, st.randoms(use_true_random=False))
def test_the_order_of_edges_changes_nothing(said: list[Tie], chance: object) -> None:
    mixed = list(said)
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    assert groups(FINDINGS, said) == groups(FINDINGS, mixed)


@given(ties)
def test_every_finding_is_in_one_group(said: list[Tie]) -> None:
    found = [f for group in groups(FINDINGS, said) for f in group]
    assert sorted(found) == list(FINDINGS)


@given(ties, st.integers(0, 7), st.integers(0, 7))
def test_what_a_person_keeps_apart_no_run_and_no_key_joins(said: list[Tie], one: int, other: int) -> None:
    if one == other:
        return
    said = [t for t in said if not (t.basis == "person" and t.verdict == "same")]
    said.append(Tie(one=one, other=other, verdict="different", basis="person"))
    assert not any(one in g and other in g for g in groups(FINDINGS, said))


@given(ties)
def test_nothing_but_same_joins(said: list[Tie]) -> None:
    weak = [t for t in said if t.verdict != "same"]
    assert all(len(group) == 1 for group in groups(FINDINGS, weak))


rows = st.dictionaries(st.sampled_from("pqrs"), st.sampled_from([True, False, None]))
TURNED = {"same": "same", "different": "different", "contains": "contained", "contained": "contains"}


@given(rows, rows)
def test_a_cross_run_says_the_same_from_both_sides(
    a: dict[str, bool | None], b: dict[str, bool | None]
) -> None:
    one, other = cross(a, b), cross(b, a)
    assert (one and TURNED[one.verdict]) == (other and other.verdict)


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2)), min_size=1, max_size=12),
    st.lists(st.frozensets(st.integers(0, 4), min_size=1, max_size=3), max_size=4),
)
def test_with_a_narrow_patch_for_each_flaw_a_survey_finds_the_flaws(
    proofs: list[tuple[int, int]], broad: list[frozenset[int]]
) -> None:
    patches = {f"p{n}": frozenset({n}) for n in range(5)} | {f"b{n}": wide for n, wide in enumerate(broad)}
    flaw = {f"r{n}": f for n, (f, _) in enumerate(proofs)}
    states = {f"r{n}": f"s{s}" for n, (_, s) in enumerate(proofs)}
    found = survey(states, list(patches), lambda patch, proof: flaw[proof] in patches[patch])
    wanted = [sorted(r for r in flaw if flaw[r] == f) for f in sorted(set(flaw.values()))]
    assert sorted(sorted(g) for g in found.groups()) == sorted(wanted)


@given(st.text(max_size=300), st.text(max_size=300))
def test_any_text_makes_keys_or_none(place: str, code: str) -> None:
    facts = Facts(package="p", place=place, cwe="CWE-1", snippet=code)
    assert keys_of(facts) == keys_of(facts)
    place_of(place)
    assert normalised(normalised(code)) == normalised(normalised(normalised(code)))
