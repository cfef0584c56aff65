"""Whether a flaw is public is answered from public records alone, by product, class and place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from clearway.advisories.table import Table
from clearway.findings.intake import public
from clearway.findings.intake.reach import public_records
from clearway.records.errors import InputError
from clearway.store.connect import connect
from intake_world import World, drop_database, new_database, osv, package, write

NOW = datetime(2026, 11, 25, tzinfo=UTC)
Ask = Callable[..., public.Answer]


@pytest.fixture(scope="module")
def known(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    url = new_database(server, "made")
    world = World(url, tmp_path_factory.mktemp("public") / "home")
    world.take(
        write(
            world.home / "records.jsonl",
            osv(
                "PYSEC-2026-1", package("PyPI", "example", "1.8.0"), aliases=["CVE-2026-0001"],
                details="A heap overflow in parse_string of src/parse.c.",
                database_specific={"cwe_ids": ["CWE-125"]},
            ),
            osv(
                "PYSEC-2026-2", package("PyPI", "example", "2.0"), aliases=["CVE-2026-0002"],
                details="Bad path in serve().", database_specific={"cwe_ids": ["CWE-22"]},
            ),
        ),
        at=NOW,
    )  # fmt: skip
    yield world
    drop_database(server, url)


@pytest.fixture
def ask(known: World) -> Ask:
    def asked(**question: Any) -> public.Answer:
        def fetch(refs: public.Refs) -> Any:
            with connect(known.url) as owner:
                return public_records(owner, refs)

        return public.ask(Table.of_home(known.home), public.Question(**question), fetch)

    return asked


def test_a_record_of_the_same_place_and_class_that_covers_the_release_may_be_the_same_flaw(ask: Ask) -> None:
    answer = ask(purl="pkg:pypi/example@1.7.15", place="src/parse.c parse_string", cwe="CWE-125")
    assert answer.verdict == "public"
    first, second = answer.known
    assert (first.flaw, first.release, first.fixed) == ("CVE-2026-0001", "affected", ("1.8.0",))
    assert (first.same_class, first.same_place) == (True, True)
    assert (second.same_class, second.same_place) == (False, False)


def test_a_release_past_the_fix_is_told_so(ask: Ask) -> None:
    answer = ask(purl="pkg:pypi/example@1.9", place="parse_string", cwe="CWE-125")
    assert answer.verdict == "fixed"
    assert answer.known[0].release == "fixed"
    assert "the fix" in answer.words


@pytest.mark.parametrize(
    ("question", "verdict"),
    [
        ({"purl": "pkg:pypi/example@1.7.15"}, "similar"),
        ({"purl": "pkg:pypi/example@1.7.15", "cwe": "CWE-787", "place": "other.c"}, "similar"),
        ({"purl": "pkg:pypi/example@1.7.15", "cwe": "CWE-12"}, "similar"),
        ({"purl": "pkg:pypi/example@1.7.15", "place": "pars"}, "similar"),
        ({"purl": "pkg:pypi/example@1.7.15", "place": "main read parse"}, "similar"),
        ({"purl": "pkg:pypi/nobody@1"}, "nothing"),
        ({"ecosystem": "pypi", "package": "Example", "release": "1.7.15", "cwe": "CWE-22"}, "public"),
    ],
    ids=[
        "nothing is known of it",
        "another class and place",
        "a class that only begins the same",
        "half of a name",
        "names that tell nothing",
        "another product",
        "an ecosystem and a name",
    ],
)
def test_what_is_not_told_to_be_the_same_is_similar_at_most(
    ask: Ask, question: dict[str, str], verdict: str
) -> None:
    assert ask(**question).verdict == verdict


def test_silence_where_nothing_covers_the_ecosystem_proves_nothing_and_says_so(ask: Ask) -> None:
    answer = ask(purl="pkg:cargo/serde@1.0")
    assert answer.verdict == "nothing"
    assert answer.covered is False
    assert "proves nothing" in answer.words


def test_a_record_above_clear_is_not_looked_at(ask: Ask, known: World) -> None:
    change = "update clearway.record set tlp = %s where id = 'PYSEC-2026-1'"
    with connect(known.url, autocommit=True) as owner:
        owner.execute(change, ("AMBER",))
    try:
        answer = ask(purl="pkg:pypi/example@1.7.15", place="parse_string", cwe="CWE-125")
    finally:
        with connect(known.url, autocommit=True) as owner:
            owner.execute(change, ("CLEAR",))
    marked = next(k for k in answer.known if k.flaw == "CVE-2026-0001")
    assert (marked.same_class, marked.same_place) == (None, None)


@pytest.mark.parametrize("question", [{}, {"purl": "nonsense"}, {"package": "example"}])
def test_a_question_without_a_product_is_refused(ask: Ask, question: dict[str, str]) -> None:
    with pytest.raises(InputError):
        ask(**question)
