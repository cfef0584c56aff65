"""A page that is asked for as an organisation that is not the reader's: 404, whether or not there is such a one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from two_organisations import PARAMETER, Two, two_organisations

from clearway.access import person
from intake_world import drop_database, new_database

NOBODYS = "nobody"  # no organisation is called so
# Programs' own addresses, and where an identity provider sends people back to with a query of its own.
NO_PAGES = ("/api/", "/v1/", "/sign-in/back/")
HTML = {"accept": "text/html"}


@pytest.fixture(scope="module")
def two(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    url = new_database(server, "made")
    try:
        with two_organisations(url, tmp_path_factory.mktemp("foreign")) as made:
            yield made
    finally:
        drop_database(server, url)


def _pages(two: Two) -> Iterator[tuple[str, str]]:
    """(method, path) of every route of a page, with its forms and files, and an address that fits its template."""
    for route in two.app.framework.routes:
        if route.path.startswith(NO_PAGES):
            continue
        for handler in getattr(route, "route_handlers", ()):
            for method in sorted(handler.http_methods - {"OPTIONS", "HEAD"}):
                yield method, PARAMETER.sub(lambda m: "1" if m[2] == "int" else "nothing", route.path)


def _shape(answer: httpx.Response, slug: str) -> tuple[Any, ...]:
    """All of an answer but the name that was asked, what is drawn for each answer, and its minute."""
    text = re.sub(r"[0-9a-f]{32}", "T", answer.text.replace(slug, "SLUG"))
    text = re.sub(r"<p>As of <time.*?</time>", "", text)
    kept = {k for k in answer.headers if not k.startswith("ratelimit")}
    return answer.status_code, answer.headers.get("content-type"), kept, text


def test_every_page_form_and_file_is_404_for_a_foreign_organisation_as_for_one_that_nobody_has(
    two: Two,
) -> None:
    before = two.kept_of(two.theirs), two.kept_of(two.ours)
    tried, wrong = 0, []
    for method, path in _pages(two):
        answers = {}
        for slug in (two.theirs.slug, NOBODYS):
            sent: dict[str, Any] = {} if method == "GET" else {"data": {}}
            answers[slug] = two.ask(two.ours.who, method, f"{path}?org={slug}", headers=HTML, **sent)
        theirs, nobodys = (_shape(answer, slug) for slug, answer in answers.items())
        # A door that stays closed whoever asks tells nothing either.
        asked = answers[NOBODYS]
        if theirs != nobodys or (asked.status_code != 404 and _passes(two, method, path)):
            wrong.append(f"{method} {path}: {theirs[:2]}, {nobodys[:2]}")
        tried += asked.status_code == 404 and "no such organisation of yours" in asked.text
    assert wrong == []
    assert tried > 100
    assert (two.kept_of(two.theirs), two.kept_of(two.ours)) == before, "something was changed"


def _passes(two: Two, method: str, path: str) -> bool:
    """Whether a bearer's request gets through that door at all: some are for sessions alone."""
    return two.ask(two.ours.who, method, path, headers=HTML).status_code not in (401, 403)


def test_one_s_own_organisation_and_none_answer_as_before(two: Two) -> None:
    """Without this, 404 everywhere would prove nothing."""
    seen, wrong = 0, []
    for method, path in _pages(two):
        if method == "GET" and not path.endswith(("/live", "/events")):
            plain = two.ask(two.ours.who, "GET", path, headers=HTML)
            for query in (f"org={two.ours.slug}", "org="):
                named = two.ask(two.ours.who, "GET", f"{path}?{query}", headers=HTML)
                # Some addresses lead on to the one with what they leave out, or without what a form left empty.
                same = named.status_code == plain.status_code or {200, 303} == {
                    named.status_code, plain.status_code,
                }  # fmt: skip
                if not same or "no such organisation of yours" in named.text:
                    wrong.append(f"{path}?{query}: {plain.status_code}, {named.status_code}")
            seen += plain.status_code == 200
    assert wrong == []
    assert seen > 40


def test_a_foreign_organisation_beside_one_s_own_is_no_less_foreign(two: Two) -> None:
    ours, theirs = two.ours.slug, two.theirs.slug
    for query in (f"org={ours}&org={theirs}", f"org={theirs}&org={ours}", f"org=&org={theirs}"):
        assert two.ask(two.ours.who, "GET", f"/this-week?{query}", headers=HTML).status_code == 404


def test_who_is_not_signed_in_reads_what_is_public_under_any_name(two: Two) -> None:
    """Nobody is looked at as anybody there: the same page, and nothing that tells which organisations are here."""
    for path in ("/", "/figures", "/sign-in"):
        answers = [
            two.ask(None, "GET", f"{path}?org={slug}", headers=HTML) for slug in (two.theirs.slug, NOBODYS)
        ]
        assert answers[0].status_code != 404
        assert _shape(answers[0], two.theirs.slug) == _shape(answers[1], NOBODYS)


def test_a_page_of_another_organisation_s_is_shown_to_its_own_members(two: Two) -> None:
    assert (
        two.ask(two.theirs.who, "GET", f"/this-week?org={two.theirs.slug}", headers=HTML).status_code == 200
    )


def test_a_page_and_its_file_are_those_of_the_second_organisation_that_is_asked_for(two: Two) -> None:
    second = two.people.org("second-of-two")
    both = two.people.somebody(two.ours.who.org, "operator", name="Works for two")
    with two.people.owner() as owner:
        person.grant(owner, both.person, second, "operator")
    for org, file in ((two.ours.who.org, ""), (second, "?org=second-of-two")):
        for path in ("/settings", "/directives"):
            assert two.ask(both, "GET", f"{path}{file}", headers=HTML).status_code == 200
        assert f'"/settings.csv?at={org}"' in two.ask(both, "GET", f"/settings{file}", headers=HTML).text
        assert two.ask(both, "GET", f"/directives.csv{file}").status_code == 200
