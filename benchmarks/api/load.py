"""So many connections that ask for one path as fast as they are answered: `wrk` where it is, else our own."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import time
from typing import Any

_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


def ask(port: int, path: str, token: str, connections: int, seconds: int) -> dict[str, Any]:
    """Requests a second, their latencies, and which tool asked. A status other than 200 is an error."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    if wrk := shutil.which("wrk"):
        return _wrk(wrk, port, path, headers, connections, seconds)
    return asyncio.run(_own(port, path, headers, connections, seconds))


def _wrk(
    wrk: str, port: int, path: str, headers: dict[str, str], connections: int, seconds: int
) -> dict[str, Any]:
    command = [wrk, "-t1", f"-c{connections}", f"-d{seconds}", "--latency", "--timeout", "30"]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    said = subprocess.run(
        [*command, f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True, check=True
    ).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(said)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    assert rate is not None
    found = {f"p{p}_ms": _ms(said, p) for p in (50, 99)}
    return {"per_s": round(float(rate[1]), 1), **found, "tool": "wrk"}


def _ms(said: str, percent: int) -> float:
    match = re.search(rf"{percent}%\s+([\d.]+)(us|ms|s)", said)
    assert match is not None
    return round(float(match[1]) * _UNITS[match[2]], 3)


async def _own(
    port: int, path: str, headers: dict[str, str], connections: int, seconds: int
) -> dict[str, Any]:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    request = f"GET {path} HTTP/1.1\r\nhost: bench\r\n{lines}\r\n".encode()
    times: list[float] = []
    ends = time.perf_counter() + seconds

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (begun := time.perf_counter()) < ends:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(head.decode())
            length = re.search(rb"content-length: (\d+)", head)
            assert length is not None
            await reader.readexactly(int(length[1]))
            times.append((time.perf_counter() - begun) * 1000)
        writer.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(one())
    times.sort()
    at = {p: times[min(len(times) - 1, len(times) * p // 100)] for p in (50, 99)}
    return {
        "per_s": round(len(times) / seconds, 1),
        **{f"p{p}_ms": round(ms, 3) for p, ms in at.items()},
        "tool": "own loader",
    }
