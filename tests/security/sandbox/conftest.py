"""A hostile program, and boxes to run it in: those of root, with cgroups, and those of an ordinary user, without."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import sandbox_house
from clearway.sandbox import Backend, Limits, Outcome, Run


@pytest.fixture(scope="session")
def attack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hostile program, built, in a folder of its own."""
    place = tmp_path_factory.mktemp("attack") / "attack"
    sandbox_house.compiled(Path(__file__).with_name("attack.c"), place)
    return place


@pytest.fixture(scope="session", params=["as this user", "as an ordinary user"])
def boxes(request: pytest.FixtureRequest) -> Iterator[Backend]:
    made = sandbox_house.boxes()
    if request.param == "as this user":
        yield made
        made.close()
        return
    if os.geteuid() != 0:
        pytest.skip("this user is ordinary already")
    other = sandbox_house.Elsewhere()
    yield other
    other.close()


@pytest.fixture
def attacks(boxes: Backend, attack: Path) -> Callable[..., Outcome]:
    """Runs the hostile program with these words in a box."""

    def run(*words: str, limits: Limits | None = None, **more: object) -> Outcome:
        return boxes.run(
            Run(
                argv=("/work/attack", *words),
                inputs={"attack": attack.read_bytes()},
                limits=limits or Limits(wall_s=10.0),
                **more,
            )
        )

    return run
