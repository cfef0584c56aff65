"""Grouping is a function of the set of assertions: order and repetition change nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from clearway.advisories.groups import derive, edges_of, is_cve

NAMES = st.sampled_from(
    [f"CVE-2024-{i}" for i in range(6)] + [f"GHSA-{c}" for c in "abcdef"] + [f"PYSEC-{i}" for i in range(6)]
)
RECORDS = st.lists(
    st.tuples(
        NAMES,
        st.sampled_from(["github", "pypa", "wild"]),
        st.lists(NAMES, max_size=4),
        st.lists(NAMES, max_size=3),
    ),
    max_size=12,
)


def edges(records):
    return [
        e
        for name, source, aliases, related in records
        for e in edges_of(name, source, aliases=aliases, related=related)
    ]


@given(RECORDS, st.randoms())
def test_order_and_repetition_do_not_matter(records, random):
    once = derive([r[0] for r in records], edges(records))
    shuffled = records * 2
    random.shuffle(shuffled)
    assert derive([r[0] for r in shuffled], edges(shuffled)) == once


@given(RECORDS)
def test_no_flaw_ever_holds_two_cves(records):
    for group in derive([r[0] for r in records], edges(records)).flaws.values():
        assert sum(is_cve(i) for i in group.ids) <= 1


@given(RECORDS)
def test_every_id_leads_to_a_flaw_and_every_name_of_a_flaw_leads_back(records):
    found = derive([r[0] for r in records], edges(records))
    for identifier, flaws in found.of.items():
        assert flaws
        assert all(f in found.flaws for f in flaws), identifier
    for flaw in found.flaws.values():
        assert all(found.of[i] == (flaw.id,) for i in flaw.ids)


@given(RECORDS)
def test_revoking_a_source_equals_never_having_loaded_it(records):
    kept = [r for r in records if r[1] != "wild"]
    names = [r[0] for r in records]
    assert derive(names, edges(records), revoked=frozenset({"wild"})) == derive(names, edges(kept))
