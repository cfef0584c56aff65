"""A page that waits for another's lock is given up soon, and says how to go on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from access_house import House
from clearway.store import principal


@pytest.fixture
def short(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """A house whose pages wait for a moment only."""
    pool = house.app.framework.state.doorkeeper.pool
    bounds = {"search_path": "clearway, public", "lock_timeout": "60ms", "statement_timeout": "5s"}
    monkeypatch.setattr(pool, "_set_look", principal._setting(bounds))
    return house


@contextmanager
def locked(house: House, table: str) -> Iterator[None]:
    held, over = threading.Event(), threading.Event()

    def hold() -> None:
        with house.people.owner() as db:
            db.execute(f"lock table clearway.{table} in access exclusive mode".encode())
            held.set()
            over.wait(20)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(20)
    try:
        yield
    finally:
        over.set()
        holder.join(20)


def test_a_page_over_a_locked_table_is_a_503_that_offers_to_try_again(short: House) -> None:
    path = f"/settings/sharing?at={short.water}"
    assert short.member.look(path).status_code == 200
    with locked(short, "recipient_list"):
        answer = short.member.look(path)
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
        assert "This takes longer than it should" in answer.text
        assert "nothing was changed by this" in answer.text
        assert f'href="{path}">Try again' in answer.text
        assert "lock timeout" not in answer.text
        assert short.member.look("/settings").status_code == 200  # what needs it not goes on
    assert short.member.look(path).status_code == 200


def test_a_part_of_a_page_says_the_same_in_its_place(short: House) -> None:
    short.member.look("/settings")
    with locked(short, "recipient_list"):
        answer = short.member.client.get(
            "/settings/sharing",
            headers={
                "accept": "text/html", "hx-request": "true", "hx-request-type": "partial", "hx-target": "main#main",
            },
        )  # fmt: skip
    assert answer.status_code == 503
    assert "This takes longer than it should" in answer.text
    assert "<html" not in answer.text


def test_a_program_and_an_act_wait_longer(short: House, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    pool = short.app.framework.state.doorkeeper.pool
    acting = pool.acting

    def noted(key: str, *, look: bool = False) -> object:
        asked.append(look)
        return acting(key, look=look)

    monkeypatch.setattr(pool, "acting", noted)
    short.member.look("/settings")
    assert asked[-1] is True
    for path in ("/settings.csv", "/settings.json"):
        short.member.look(path)
        assert asked[-1] is False, path
    short.member.api("GET", "/lists")
    assert asked[-1] is False
    short.desk.submit("/settings/lists", name="Neighbours")
    assert asked[-1] is False
