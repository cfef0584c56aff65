"""The vendors' directory finds whom it names, whichever way a line, a report or a purl writes ecosystem and name."""

from __future__ import annotations

from typing import Any

import pytest

from clearway.findings.case import route
from clearway.findings.case.route import Route
from clearway.records.errors import InputError
from findings_case_world import Cases


def line(ecosystem: str, pattern: str) -> Route:
    return Route(id=1, ecosystem=ecosystem, pattern=pattern, member=1, name="x", email="", source="")


def add(cases: Cases, ecosystem: str, pattern: str) -> Route:
    with cases.acting() as db:
        return route.add(
            db, cases.house, ecosystem=ecosystem, pattern=pattern, name="", member=cases.desk.vendor
        )


def fits(cases: Cases, purl: str) -> list[int | None]:
    with cases.acting() as db:
        return [a.member for a in route.of_purl(db, purl)]


@pytest.mark.parametrize(
    ("ecosystem", "pattern", "kept", "purls"),
    [
        ("Debian", "curl", ("Debian", "curl"), ("pkg:deb/debian/curl", "pkg:deb/debian/curl?distro=debian-12",
                                               "pkg:deb/debian/curl@8?distro=bookworm")),
        ("debian:12", "Wget", ("Debian:12", "wget"), ("pkg:deb/debian/wget@1?distro=bookworm",)),
        ("pypi", "Foo_Bar.1", ("PyPI", "foo-bar-1"), ("pkg:pypi/foo-bar-1", "pkg:pypi/Foo.Bar-1@2")),
        ("PyPI", "Acme_*", ("PyPI", "acme-*"), ("pkg:pypi/acme.tools",)),
        ("swifturl", "https://Example.org/Acme/*", ("SwiftURL", "example.org/acme/*"),
         ("pkg:swift/example.org/acme/kit@1",)),
    ],
)  # fmt: skip
def test_a_line_is_kept_in_one_spelling_and_found_by_each(
    cases: Cases, ecosystem: str, pattern: str, kept: tuple[str, str], purls: tuple[str, ...]
) -> None:
    made = add(cases, ecosystem, pattern)
    assert (made.ecosystem, made.pattern) == kept
    for purl in purls:
        assert fits(cases, purl) == [cases.desk.vendor], purl


def test_a_line_fits_no_other_release_system_or_owner(cases: Cases) -> None:
    for ecosystem, pattern in (("Debian:11", "nginx"), ("Debian", "git"), ("SwiftURL", "example.net/ours/*")):
        add(cases, ecosystem, pattern)
    for purl in (
        "pkg:deb/debian/nginx?distro=bookworm",
        "pkg:deb/debian/nginx",
        "pkg:deb/ubuntu/git",
        "pkg:swift/example.net/ours-too/kit@1",
    ):
        assert fits(cases, purl) == [], purl


@pytest.mark.parametrize(
    ("ecosystem", "pattern", "where"),
    [
        ("Nope", "x", "ecosystem"),
        ("PyPI", "fo*o", "pattern"),
        ("PyPI", "*o*", "pattern"),
        ("PyPI", "**", "pattern"),
        ("", "*", "pattern"),
    ],
)
def test_a_line_that_could_never_fit_is_refused(
    cases: Cases, ecosystem: str, pattern: str, where: str
) -> None:
    with pytest.raises(InputError) as told:
        add(cases, ecosystem, pattern)
    assert told.value.where == where


def test_two_spellings_of_one_line_are_one(cases: Cases) -> None:
    add(cases, "PyPI", "Twice_Said")
    with pytest.raises(InputError, match="there already"):
        add(cases, "pypi", "twice-said")


@pytest.mark.parametrize(
    ("written", "asked", "score"),
    [
        (("pypi", "Foo_Bar"), ("PyPI", "foo-bar"), 1_000_002),
        (("Debian", "curl"), ("Debian:12", "curl"), 1_000_002),
        (("Debian:12", "curl"), ("Debian:12", "curl"), 1_000_003),
        (("", "Foo_Bar"), ("PyPI", "foo-bar"), 1_000_001),
        (("Debian:12", "curl"), ("Debian", "curl"), 0),
        (("Ubuntu", "curl"), ("Debian:12", "curl"), 0),
        (("Nope", "curl"), ("", "curl"), 0),
    ],
)
def test_a_line_from_before_fits_as_it_was_meant(written: Any, asked: Any, score: int) -> None:
    assert route.score(line(*written), *asked) == score
