"""Search finds what one may see, whatever is typed, and tells nothing of the rest."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clearway.access import audience
from clearway.access.marking import Marking, own
from clearway.records.errors import ForbiddenError
from clearway.store import search
from people import People


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("CVE-2026-20253", True),
        ("cve-2026-2025", True),
        ("2026-20253", True),
        ("2026-2025", True),
        ("2025-20253", False),
        ("20253", True),
        ("gateway acme", True),
        ("gate", True),
        ("acme lawnmower", False),
        ("pkg:npm/left-pad@1.3.0", True),
        ("left-pad", True),
        ("left-pad@1.3", True),
        ("left-pad@1.4", False),
        ("left", True),
        ("STRASSE", True),
    ],
)
def test_every_word_must_be_there_and_the_last_may_be_unfinished(
    people: People, asked: str, found: bool
) -> None:
    with people.owner() as db:
        search.put(
            db,
            "flaw",
            "CVE-2026-20253",
            org=0,
            aud=0,
            title="Acme Gateway",
            path="/flaws/CVE-2026-20253",
            texts=["pkg:npm/left-pad@1.3.0", "Straße"],
        )
    with people.acting(None) as db:
        assert bool(search.find(db, asked)) == found


def test_each_finds_what_they_may_see_and_counts_no_more(people: People) -> None:
    a, b = people.org("a"), people.org("b")
    with people.owner() as db:
        for n, aud in enumerate(
            [0, 1, audience.of(db, own(a)), audience.of(db, Marking(tlp="AMBER", org=b))]
        ):
            search.put(db, "asset", f"asset/{n}", org=a, aud=aud, title=f"needle {n}", path="/x")
    wanted = {None: {0}, a: {0, 1, 2}, b: {0, 1, 3}}
    for org, rows in wanted.items():
        who = None if org is None else people.somebody(org, "operator")
        with people.acting(who) as db:
            assert {int(f.ref[-1]) for f in search.find(db, "needle")} == rows
            assert db.execute("select count(*) from clearway.search_doc").fetchone() == (len(rows),)
            assert db.execute("select count(*) from clearway.search_docs('needle', '{}', 50)").fetchone() == (
                len(rows),
            )


def test_a_document_is_put_and_dropped_by_those_who_may_write_there(people: People) -> None:
    a, b = people.org("a"), people.org("b")
    mine, other, reader = (
        people.somebody(a, "operator"),
        people.somebody(b, "operator"),
        people.somebody(a, "auditor"),
    )
    with people.acting(mine) as db:
        search.put(db, "asset", "1", org=a, aud=1, title="one", path="/1")
        search.put(db, "asset", "1", org=a, aud=1, title="two", path="/1")
        assert [f.title for f in search.find(db, "two")] == ["two"]
        assert search.find(db, "one") == ()
    for who in (other, reader, None):
        with pytest.raises(ForbiddenError), people.acting(who) as db:
            search.put(db, "asset", "1", org=a, aud=1, title="three", path="/1")
        with pytest.raises(ForbiddenError), people.acting(who) as db:
            search.drop(db, "asset", "1", org=a)
    with people.acting(mine) as db:
        search.drop(db, "asset", "1", org=a)
        assert search.find(db, "two") == ()


@given(text=st.text(max_size=60))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_that_is_typed_is_an_error_or_an_operator(shared_people: Any, text: str) -> None:
    with shared_people.acting(None) as db:
        assert isinstance(search.find(db, text), tuple)
        assert isinstance(search.find(db, f"a & {text} | !b <-> c:* '\\"), tuple)


@given(text=st.text(max_size=80))
def test_a_document_is_found_by_its_own_words(text: str) -> None:
    cut = set(search.terms(text))
    for word in search.question(text):
        assert word in cut
