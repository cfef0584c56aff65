"""Live events at once by many clients: who was told what, and how soon."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec

from clearway.store import events

from .served import World

PER_S = 50  # events
LOST_S = 20.0  # after the last event, what has not come is lost


async def follow(made: World, port: int, clients: int, count: int) -> dict[str, Any]:
    """`clients` follow, `count` events happen, 50 a second; what was lost or repeated, and the delay to each client."""
    got: list[list[int]] = [[] for _ in range(clients)]
    delays: list[float] = []
    sent: dict[int, float] = {}
    open_now = asyncio.Semaphore(0)

    async def client(number: int) -> None:
        token = made.readers[number % len(made.readers)]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = "GET /api/v1/events/live?kind=bench HTTP/1.1\r\nhost: bench\r\n"
        writer.write(f"{head}authorization: Bearer {token}\r\n\r\n".encode())
        status = await reader.readline()
        if b"200" not in status:
            open_now.release()  # or nobody would hear of it
            raise RuntimeError(status.decode())
        while await reader.readline() != b"\r\n":
            pass
        while not (await reader.readline()).startswith(b"id: "):
            pass
        open_now.release()
        try:
            while len(got[number]) < count:
                line = await reader.readline()
                if line.startswith(b"data: "):
                    event = msgspec.json.decode(line[6:])["body"]["n"]
                    delays.append((time.perf_counter() - sent[event]) * 1000)
                    got[number].append(event)
        finally:
            writer.close()

    def emit() -> None:
        for number in range(count):
            with made.pool.owner() as db:
                sent[number] = time.perf_counter()
                events.emit(
                    db, "bench.event", f"bench/{number}", org=made.org, aud=made.aud, body={"n": number}
                )
            time.sleep(1 / PER_S)

    tasks = [asyncio.create_task(client(number)) for number in range(clients)]
    for _ in range(clients):
        await open_now.acquire()
    for task in tasks:
        if task.done():
            task.result()
    begun = time.perf_counter()
    await asyncio.to_thread(emit)
    _, late = await asyncio.wait(tasks, timeout=LOST_S)
    took = time.perf_counter() - begun
    for task in late:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    whole = list(range(count))
    delays.sort()
    return {
        "row": f"{clients} live clients",
        "principals": len(made.readers),
        "events": count,
        "deliveries_per_s": round(len(delays) / took),
        "lost": sum(count - len(set(one)) for one in got),
        "out_of_order_or_twice": sum(one != whole[: len(one)] for one in got),
        "p50_ms": round(delays[len(delays) // 2], 2) if delays else None,
        "p99_ms": round(delays[len(delays) * 99 // 100], 2) if delays else None,
    }
