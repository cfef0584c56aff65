"""Threads that work for event loops: each work once, for whoever still waits, and what it raises is raised there."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearway.http.hands import Hands


def held(hands: Hands, many: int) -> tuple[threading.Event, Any]:
    """All of its threads at work until the event is set, and what waits for that."""
    go = threading.Event()
    return go, [asyncio.ensure_future(hands.run(go.wait, 20)) for _ in range(many)]


def test_as_many_work_at_once_as_there_are_threads_and_the_others_in_turn() -> None:
    hands = Hands(3, "three")
    inside, most, order = 0, 0, []
    lock = threading.Lock()

    def work(n: int, *, wait: float) -> int:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
            order.append(n)
        time.sleep(wait)
        with lock:
            inside -= 1
        return n * n

    async def all_of_it() -> list[int]:
        return await asyncio.gather(*(hands.run(work, n, wait=0.01) for n in range(12)))

    assert asyncio.run(all_of_it()) == [n * n for n in range(12)]
    assert (most, sorted(order)) == (3, list(range(12)))


@pytest.mark.parametrize(
    "error", [ValueError("no"), StopIteration(3), KeyError("k"), asyncio.CancelledError()]
)
def test_what_the_work_raises_is_raised_where_it_was_asked_for(error: BaseException) -> None:
    def fails() -> None:
        raise error

    async def asked() -> None:
        await asyncio.wait_for(hands.run(fails), 10)

    hands = Hands(1, "one")
    with pytest.raises(RuntimeError if isinstance(error, StopIteration) else type(error)):
        asyncio.run(asked())
    assert asyncio.run(hands.run(lambda: "goes on")) == "goes on"


def test_nothing_is_done_for_who_left_before_it_began_and_the_rest_goes_on() -> None:
    done: list[str] = []

    async def all_of_it() -> None:
        hands = Hands(2, "two")
        go, working = held(hands, 2)
        leaving = asyncio.ensure_future(hands.run(done.append, "left"))
        staying = asyncio.ensure_future(hands.run(done.append, "stayed"))
        await asyncio.sleep(0.01)
        leaving.cancel()
        working[0].cancel()  # while its work is under way: what comes of it is for nobody
        with pytest.raises(asyncio.CancelledError):
            await leaving
        go.set()
        await asyncio.wait_for(staying, 10)
        assert await working[1]

    asyncio.run(all_of_it())
    assert done == ["stayed"]


def test_a_loop_that_ended_meanwhile_costs_no_thread() -> None:
    hands, go = Hands(1, "one"), threading.Event()

    async def leaves() -> None:
        asyncio.ensure_future(hands.run(go.wait, 20))  # noqa: RUF006 - nobody waits for it
        await asyncio.sleep(0.01)

    asyncio.run(leaves())
    go.set()
    assert asyncio.run(asyncio.wait_for(hands.run(lambda: 1), 10)) == 1


@given(st.lists(st.tuples(st.integers(), st.booleans()), max_size=40))
def test_each_gets_its_own_answer_from_several_loops_at_once(works: list[tuple[int, bool]]) -> None:
    hands = SHARED

    def work(n: int, fails: bool) -> int:
        if fails:
            raise ValueError(n)
        return n

    async def asked() -> list[Any]:
        return await asyncio.gather(*(hands.run(work, *one) for one in works), return_exceptions=True)

    answers: list[list[Any]] = []
    others = [threading.Thread(target=lambda: answers.append(asyncio.run(asked()))) for _ in range(2)]
    for one in others:
        one.start()
    for one in others:
        one.join(20)
    for got in answers:
        assert [a.args[0] if isinstance(a, ValueError) else a for a in got] == [n for n, _ in works]
        assert [isinstance(a, ValueError) for a in got] == [fails for _, fails in works]
    assert len(answers) == 2


SHARED = Hands(4, "shared")


def test_a_process_ends_when_its_work_is_done_and_does_not_wait_for_ever() -> None:
    program = """
import asyncio, sys, threading, time
from clearway.http import hands
hands._END_S = float(sys.argv[1])
def work():
    time.sleep(float(sys.argv[2]))
    print("done", flush=True)
async def main():
    made = hands.Hands(2, "x")
    asyncio.ensure_future(made.run(work))
    await asyncio.sleep(0.05)
asyncio.run(main())
print("over", flush=True)
"""
    for ends, lasts, said in (("20", "0.3", "over\ndone\n"), ("0.1", "60", "over\n")):
        run = subprocess.run(
            [sys.executable, "-c", program, ends, lasts],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert (run.returncode, run.stdout, run.stderr) == (0, said, "")
