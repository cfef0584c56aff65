"""A log of its own for each test, and people who may see different parts of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from clearway.ledger.keys import Signer
from clearway.ledger.sequencer import signer_of
from clearway.store.connect import connect
from database import home, made_home, new_world, server, world  # noqa: F401
from intake_world import World, drop_database, new_database
from people import People, people_of


@pytest.fixture(scope="module")
def shared_url(server: str) -> Iterator[str]:  # noqa: F811
    """A database for all tests of a file that only add to it."""
    url = new_database(server, "made")
    yield url
    drop_database(server, url)


@pytest.fixture(scope="module")
def shared_people(shared_url: str) -> Iterator[People]:
    yield from people_of(shared_url)


@pytest.fixture
def shared(shared_url: str) -> Iterator[psycopg.Connection[Any]]:
    """The owner's connection to it, outside of any transaction."""
    with connect(shared_url, autocommit=True) as opened:
        yield opened


@pytest.fixture
def db(world: World) -> Iterator[psycopg.Connection[Any]]:  # noqa: F811
    """The owner's connection, outside of any transaction."""
    with connect(world.url, autocommit=True) as opened:
        yield opened


@pytest.fixture
def signer(db: psycopg.Connection[Any], tmp_path: Path) -> Signer:
    return signer_of(db, tmp_path / "log-home")
