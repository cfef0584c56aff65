"""Attacks that once worked here, each with a test that fails where it works again.

Beside each the file where it is tried; the folder is this one unless it is named.

- an invitation takes an existing account over:
  `test_known_accounts`
- a token does what signs a person in:
  `test_known_tokens`
- a token outlives the one it was made with, by its end or by its hour:
  `test_known_tokens`
- a token for one organisation shows rows of another:
  `test_known_tokens`
- another session of the database reads a principal's key:
  `test_known_database`
- a restart hides that the clock was moved, and an embargo opens:
  `test_known_markings`; `integration/access/test_embargo`
- anybody names recipients of what is TLP:RED, or learns who they are:
  `test_known_markings`
- a webhook is led inside by a redirect:
  `test_known_webhooks`; `security/http/test_outbound_ssrf`
- the end of an embargo tells the world who its parties were:
  `test_known_markings`
- one organisation uses up the audiences:
  `test_known_markings`
- a clause made beforehand turns another's embargo into nothing:
  `test_known_markings`
- who asks for an approval gives it himself, by an account that he made:
  `test_known_accounts`
- JSON that the log's canonical form can't carry:
  `test_known_input`; `unit/ledger/test_ledger_canonical`
- the last two administrators bar each other at once:
  `test_known_accounts`
- a passkey or account is bound for whoever has signed out meanwhile:
  `test_known_binding`; `integration/access_pages/test_passkey`
- a failing sign-in uses a one-time code up:
  `test_known_accounts`
- NUL bytes and numbers beyond every column:
  `test_known_input`
- a row whose marking was narrowed is still found by its words:
  `test_known_markings`
- what a stolen token made in a service's name survives sign-out everywhere and barring:
  `test_known_children`
- writes, log entries and events above one's marking or in another's name, by SQL with one's own key:
  `test_known_writes`
- a document of a million keys:
  `test_known_json_keys`; `security/workspace/test_bombs`
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from access_house import House
from clearway.access import api, pages, sign_in
from clearway.app.workspace import Workspace
from clearway.http.application import application
from database import new_world, server, world  # noqa: F401
from intake_world import World, drop_database, new_database
from people import People, people_of

_NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def shared_world(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:  # noqa: F811
    """One database for the tests of a file: each has organisations of its own (`people.org` with a fresh name)."""
    url = new_database(server, "made")
    yield World(url, tmp_path_factory.mktemp("known") / "home")
    drop_database(server, url)


@pytest.fixture(scope="module")
def people(shared_world: World) -> Iterator[People]:
    yield from people_of(shared_world.url)


@pytest.fixture
def lone_people(world: World) -> Iterator[People]:  # noqa: F811
    """People in a database of their own, for what is about the whole installation."""
    yield from people_of(world.url)


@pytest.fixture(scope="module")
def house(people: People, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Kinds of people, each with a client of the room's real routes."""
    workspace = Workspace(tmp_path_factory.mktemp("house"), people.url)
    app = application(
        [sign_in.routes(workspace.sign_in), api.routes(), pages.routes()],
        guard=workspace.guard(),
        pages=workspace.pages,
        state=workspace.state,
    )
    yield House(people, app)
    workspace.close()


@pytest.fixture
def a(people: People) -> int:
    """An organisation of this test alone."""
    return people.org(f"a{next(_NUMBERS)}")


@pytest.fixture
def b(people: People) -> int:
    return people.org(f"b{next(_NUMBERS)}")
