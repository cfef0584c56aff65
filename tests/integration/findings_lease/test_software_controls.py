"""Owners of repositories and packages opt out, when they have shown that these are theirs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from clearway.findings.lease import control, scope
from clearway.findings.lease.proof import PATH, Looker, Method, Ports, place
from clearway.findings.lease.tasks import look_again
from clearway.http.outbound import Client, Networks
from clearway.records.errors import ConflictError, ForbiddenError, InputError, NotFoundError, UpstreamError
from lease_house import House, member
from people import Somebody
from upstream import Reply, Upstream, serving

REPOSITORY = "git+https://github.com/Acme/Tool"
TREE = "/acme/tool/HEAD" + PATH


@pytest.fixture(scope="module")
def one_forge() -> Iterator[Upstream]:
    with serving() as made:
        yield made


@pytest.fixture
def forge(one_forge: Upstream) -> Upstream:
    one_forge.pages.clear()
    one_forge.asked.clear()
    return one_forge


@pytest.fixture
def looker(forge: Upstream) -> Iterator[Looker]:
    with Client(Networks.parse("127.0.0.0/8")) as client:
        yield Looker(lambda name: (), client, Ports(), {"github.com": forge.url + "/{path}/HEAD"})


def begun(house: House, who: Somebody, text: str, method: Method) -> control.Control:
    with house.acting(who) as db:
        return control.begin(db, house.blind, member(db), text, method)


def shown(house: House, looker: Looker, found: control.Control) -> control.Control:
    assert looker.holds(scope.parse(found.scope), found.method, found.token)
    with house.owner() as db:
        return control.prove(db, found, datetime.now(UTC))


def refused(house: House, who: Somebody, text: str, activity: str = "source-review") -> str:
    found = house.ask(who, text, activity=activity)
    return f"{found.answer} {found.why}".strip()


PLACES = [
    ("git+https://github.com/Acme/Tool@4f2a9c1#src/**", "repository-file",
     "https://raw.githubusercontent.com/Acme/Tool/HEAD"),
    ("pkg:github/acme/tool@1", "repository-file", "https://raw.githubusercontent.com/acme/tool/HEAD"),
    ("git+https://gitlab.com/a/b/c.git", "repository-file", "https://gitlab.com/a/b/c/-/raw/HEAD"),
    ("pkg:golang/github.com/acme/tool/v2@v2.0.0", "repository-file", "https://raw.githubusercontent.com/acme/tool/HEAD"),
    ("pkg:golang/code.example.org/x/y", "well-known", "https://code.example.org"),
    ("pkg:maven/org.example.tool/core@1", "well-known", "https://tool.example.org"),
    ("git+https://git.example.org/a/b", "well-known", "https://git.example.org"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "method", "at"), PLACES)
def test_where_the_token_belongs_follows_from_the_name_alone(text: str, method: Method, at: str) -> None:
    assert place(scope.parse(text), method, "T").url == at + PATH


def test_a_txt_record_of_the_domain_that_a_name_says(house: House) -> None:
    for text, name in (
        ("pkg:golang/code.example.org/x", "code.example.org"),
        ("pkg:maven/org.example/core", "example.org"),
    ):
        at = place(scope.parse(text), "dns-txt", "T")
        assert (at.name, at.content) == (f"_clearway-scan-control.{name}", "clearway-scan-control=T")


def test_an_owner_whose_repository_holds_the_file_opts_out_for_everybody_else(
    house: House, forge: Upstream, looker: Looker
) -> None:
    assert refused(house, house.rival, REPOSITORY) == "go"
    house.clear()
    made = begun(house, house.maintainer, REPOSITORY, "repository-file")
    forge.pages["/Acme/Tool/HEAD" + PATH] = f"{made.token}\n".encode()
    with house.acting(house.maintainer) as db:
        control.say(db, made.id, "refuse", authorised=["lab"])
    assert refused(house, house.rival, REPOSITORY) == "go", "what is not shown yet says nothing"
    house.passes(house.lease(house.rival, REPOSITORY, activity="fuzzing"), 9)
    shown(house, looker, made)
    for text in (REPOSITORY.lower(), REPOSITORY + "@4f2a9c1#src/**", "pkg:github/acme/tool@2"):
        for activity in ("source-review", "fuzzing"):
            assert refused(house, house.rival, text, activity) == "refused opt-out", text
    assert refused(house, house.rival, REPOSITORY, "passive") == "go"
    assert refused(house, house.finder, REPOSITORY) in ("go", "share"), "whom it names may look"
    assert refused(house, house.maintainer, REPOSITORY) in ("go", "share"), "and the owner"
    assert refused(house, house.rival, "git+https://github.com/acme/tool-too") == "go", "another repository"
    with house.acting(house.maintainer) as db:
        control.end(db, made.id)
    assert refused(house, house.rival, REPOSITORY) in ("go", "share")


@pytest.mark.parametrize(
    "page",
    [
        Reply(b"<title>TOKEN</title>"),
        Reply(status=302, headers={"Location": "/raw/TOKEN"}, validators=False),
        Reply(b"x" * 20_000 + b"\nTOKEN\n"),
        Reply(b"not here", status=404, validators=False),
        Reply(b"TOKEN\n", cut=2),
    ],
    ids=["in other words", "a redirect", "too long", "missing", "cut"],
)
def test_what_is_not_the_file_itself_shows_nothing(
    house: House, forge: Upstream, looker: Looker, page: Reply
) -> None:
    made = begun(house, house.maintainer, REPOSITORY, "repository-file")
    page = Reply(**{**page.__dict__, "body": page.body.replace(b"TOKEN", made.token.encode())})
    forge.pages["/Acme/Tool/HEAD" + PATH] = page
    forge.pages["/raw/TOKEN"] = made.token.encode()
    with suppress(UpstreamError):
        assert not looker.holds(scope.parse(made.scope), made.method, made.token)


def test_a_package_that_says_nothing_of_its_owner_is_confirmed_by_a_coordinator(house: House) -> None:
    package = "pkg:pypi/example"
    made = begun(house, house.maintainer, package, "desk")
    with house.acting(house.maintainer) as db:
        control.say(db, made.id, "refuse")
    now = datetime.now(UTC)
    with Client() as client, pytest.raises(InputError, match="coordinator"):
        Looker(lambda name: (), client).holds(scope.parse(package), "desk", made.token)
    for who in (house.maintainer, house.rival, house.finder):
        with pytest.raises((ForbiddenError, NotFoundError)), house.acting(who) as db:
            control.confirm(db, made.id, now, "it is ours")
    assert refused(house, house.rival, package) == "go"
    house.passes(house.lease(house.rival, package, activity="fuzzing"), 9)
    with pytest.raises(InputError, match="what shows"), house.acting(house.coordinator) as db:
        control.confirm(db, made.id, now, " ")
    with house.acting(house.coordinator) as db:
        found = control.confirm(
            db, made.id, now, "their domain is in the project's metadata, and answers mail"
        )
    assert found.expires is not None
    assert found.expires > now + timedelta(days=300)
    assert refused(house, house.rival, "pkg:pypi/example@1.2.3") == "refused opt-out"
    assert refused(house, house.maintainer, package) in ("go", "share")
    assert "lease.control_confirmed" in house.acts()


def test_a_coordinator_confirms_nothing_of_their_own_house_and_nothing_that_is_shown_otherwise(
    house: House,
) -> None:
    now = datetime.now(UTC)
    ours = begun(
        house, house.people.somebody(house.people.house, "coordinator", "finder"), "pkg:npm/ours", "desk"
    )
    with pytest.raises(ForbiddenError, match="another organisation"), house.acting(house.coordinator) as db:
        control.confirm(db, ours.id, now, "we know ourselves")
    theirs = begun(house, house.maintainer, REPOSITORY, "repository-file")
    with pytest.raises(ConflictError, match="put in place"), house.acting(house.coordinator) as db:
        control.confirm(db, theirs.id, now, "they said so")


def test_a_rate_is_of_hosts(house: House) -> None:
    made = begun(house, house.maintainer, REPOSITORY, "repository-file")
    with pytest.raises(InputError, match="rate is of hosts"), house.acting(house.maintainer) as db:
        control.say(db, made.id, "cap", max_rate=1.0)


def test_proofs_in_repositories_are_looked_for_again_and_what_a_person_confirmed_is_not(
    house: House, forge: Upstream, looker: Looker
) -> None:
    made = begun(house, house.maintainer, REPOSITORY, "repository-file")
    forge.pages["/Acme/Tool/HEAD" + PATH] = f"{made.token}\n".encode()
    shown(house, looker, made)
    desk = begun(house, house.maintainer, "pkg:pypi/example", "desk")
    now = datetime.now(UTC)
    with house.acting(house.coordinator) as db:
        control.confirm(db, desk.id, now - timedelta(days=364), "seen")
    later = now + timedelta(days=70)
    with house.owner() as db:
        assert [c.id for c in control.due(db, later)] == [made.id]
        assert [c.id for c in control.due(db, now)] == []
    assert look_again(house.owner, looker, later) == (1, 0)
