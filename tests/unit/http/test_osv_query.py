"""OSV queries: what they ask for, who affirms, and pages."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import osv_world
from clearway.advisories.table import Table
from clearway.exposure.judge import judge
from clearway.exposure.osv_query import Answer, Asked, Query, answer, interpret, judged_or_error, page
from clearway.records.errors import ClearwayError, InputError, UsageError, VersionUnreadableError
from tablefile import claim, write_table


def query(**members: object) -> Query:
    return msgspec.convert(members, Query)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    return Table.open(osv_world.table(tmp_path_factory.mktemp("osv") / "a.table"))


@pytest.mark.parametrize(
    ("given_query", "asked"),
    [
        (
            {"package": {"ecosystem": "PyPI", "name": "Zope.Thing"}, "version": "1"},
            ("PyPI", "zope-thing", "1"),
        ),
        ({"package": {"ecosystem": "PyPI", "name": "a"}}, ("PyPI", "a", "")),
        ({"package": {"ecosystem": "PyPI", "name": "a", "purl": None}, "version": None}, ("PyPI", "a", "")),
        ({"package": {"ecosystem": "PyPI", "name": "a", "purl": ""}, "commit": ""}, ("PyPI", "a", "")),
        ({"package": {"purl": "pkg:pypi/a@1.0"}}, ("PyPI", "a", "1.0")),
        ({"package": {"purl": "pkg:pypi/a"}, "version": "1.0"}, ("PyPI", "a", "1.0")),
        ({"package": {"purl": "pkg:npm/%40scope/a@1"}}, ("npm", "@scope/a", "1")),
        ({"package": {"purl": "pkg:deb/debian/a@1?distro=debian-12"}}, ("Debian:12", "a", "1")),
        ({"package": {"ecosystem": "Ubuntu:22.04:LTS", "name": "a"}}, ("Ubuntu:22.04", "a", "")),
        ({"commit": "A" * 40}, ("commit", "a" * 40, "a" * 40)),
    ],
    ids=str,
)
def test_a_query_is_read_into_the_tables_spelling(
    given_query: dict[str, object], asked: tuple[str, str, str]
) -> None:
    found = interpret(query(**given_query))
    assert (found.ecosystem, found.name, found.version) == asked
    assert found.problem == ""


@pytest.mark.parametrize(
    ("given_query", "error", "said"),
    [
        ({}, UsageError, "needs its ecosystem and its name"),
        ({"version": "1"}, UsageError, "needs its ecosystem and its name"),
        ({"package": {"name": "a"}}, UsageError, "nothing is matched by a bare name"),
        ({"package": {"ecosystem": "PyPI"}}, UsageError, "needs its ecosystem and its name"),
        ({"package": {"purl": "pkg:pypi/a@1"}, "version": "1"}, UsageError, "the version is given twice"),
        ({"package": {"purl": "pkg:pypi/a", "name": "a"}}, UsageError, "the package is named twice"),
        ({"package": {"purl": "garbage"}}, InputError, "does not begin with pkg:"),
        ({"package": {"purl": "pkg:pypi/%ff"}}, InputError, "not UTF-8"),
        ({"commit": "abc"}, InputError, "not a full git commit id"),
        ({"commit": "g" * 40}, InputError, "not a full git commit id"),
        ({"commit": "a" * 40, "version": "1"}, UsageError, "by itself"),
        ({"commit": "a" * 40, "package": {"ecosystem": "PyPI", "name": "a"}}, UsageError, "by itself"),
    ],
    ids=str,
)
def test_a_query_that_asks_nothing_or_twice_says_where(
    given_query: dict[str, object], error: type[ClearwayError], said: str
) -> None:
    with pytest.raises(error) as caught:
        interpret(query(**given_query), "queries[7]")
    assert said in str(caught.value)
    assert caught.value.where == "queries[7]"


def test_records_affirm_exactly_where_the_matcher_says_affected(table: Table) -> None:
    for version in ("0.1", "1.4.9", "1.5", "2.0", "2.0.1", "2.0.1rc1", "3"):
        asked = interpret(query(package={"ecosystem": "PyPI", "name": "example-web"}, version=version))
        statements = judge(table, "PyPI", "example-web", version).statements
        affirmed = sorted(s.record for s in statements if s.verdict == "affected")
        assert list(answer(table, asked).records) == affirmed


def test_without_a_version_every_record_about_the_package_answers(table: Table) -> None:
    asked = interpret(query(package={"ecosystem": "PyPI", "name": "example-web"}))
    assert list(answer(table, asked).records) == ["GHSA-test-0002", "PYSEC-TEST-1"]


def test_a_record_that_clears_versions_never_affirms(tmp_path: Path) -> None:
    cleared = claim("A", "vendor", "PyPI", ("introduced", "0"), ("fixed", "2"), status="not_affected")
    table = Table.open(write_table(tmp_path / "t", {("PyPI", "a"): [cleared]}, covers=["PyPI"]))
    for version in ("", "1"):
        assert answer(table, Asked("PyPI", "a", version)).records == {}


@pytest.mark.parametrize(
    ("ecosystem", "name", "version", "reason"),
    [
        ("Debian:12", "openssl", "3.0", "no source loaded for Debian:12"),
        ("PyPI", "example-unread", "1", "a range of the source can't be ordered"),
        ("PyPI", "example-web", "(devel)", "not a PEP 440 version"),
    ],
)
def test_silence_that_proves_nothing_is_told_apart(
    table: Table, ecosystem: str, name: str, version: str, reason: str
) -> None:
    found = answer(table, Asked(ecosystem, name, version))
    assert not found.records
    assert reason in found.unknown


def test_silence_inside_coverage_is_an_answer(table: Table) -> None:
    assert answer(table, Asked("PyPI", osv_world.CLEAN, "1")) == Answer({})


def test_one_query_that_can_not_be_judged_is_an_error(table: Table) -> None:
    for package, version, error in (
        ({"ecosystem": "PyPI", "name": "example-web"}, "(devel)", VersionUnreadableError),
        ({"ecosystem": "NoSuch", "name": "a"}, "1", InputError),
        ({"purl": "pkg:generic/a@1"}, None, InputError),
    ):
        asked = interpret(query(package=package, version=version))
        with pytest.raises(error):
            judged_or_error(asked, answer(table, asked))


def test_pages_hold_every_record_once_and_in_order(table: Table) -> None:
    asked = interpret(query(package={"ecosystem": "PyPI", "name": "example-many"}, version="1"))
    found = answer(table, asked)
    seen: list[str] = []
    token: str | None = None
    sizes = []
    while token != "":
        part = page(asked, found, token)
        seen += part.ids
        sizes.append(len(part.ids))
        token = part.token
    assert sizes == [1000, 1000, 345]
    assert seen == sorted(set(seen)) == list(found.records)


def test_a_token_goes_on_behind_its_record_when_the_table_changed_meanwhile() -> None:
    asked = Asked("PyPI", "a", "1")
    first = page(asked, Answer({"A": "s", "C": "s", "E": "s"}), None, room=2)
    assert first.ids == ("A", "C")
    later = Answer({"B": "s", "D": "s", "E": "s"})
    assert page(asked, later, first.token, room=2).ids == ("D", "E")


def test_no_room_at_all_still_gives_a_token_that_loses_nothing() -> None:
    asked = Asked("PyPI", "a", "1")
    found = Answer({"A": "s", "B": "s"})
    nothing = page(asked, found, None, room=0)
    assert nothing.ids == ()
    assert page(asked, found, nothing.token).ids == ("A", "B")


@given(st.text(max_size=60))
def test_a_token_of_somebody_elses_making_is_refused(token: str) -> None:
    asked = Asked("PyPI", "a", "1")
    if token:
        with pytest.raises(InputError, match="page token"):
            page(asked, Answer({"A": "s"}), token)


def test_a_token_of_another_question_is_refused() -> None:
    found = Answer({"A": "s", "B": "s"})
    token = page(Asked("PyPI", "a", "1"), found, None, room=1).token
    with pytest.raises(InputError, match="page token"):
        page(Asked("PyPI", "a", "2"), found, token)


PACKAGES = st.dictionaries(st.sampled_from(["ecosystem", "name", "purl"]), st.text(max_size=30))


@given(PACKAGES, st.text(max_size=20))
def test_no_text_makes_a_query_fail_in_a_way_of_its_own(
    table: Table, package: dict[str, str], version: str
) -> None:
    with suppress(ClearwayError):  # anything else is a failure
        asked = interpret(query(package=package, version=version))
        judged_or_error(asked, answer(table, asked))
