"""So many connections that ask for one path as fast as they are answered: `wrk` where it is, else our own.

Either costs a few hundredths of what the server and the database do, so that it takes little from what it measures
on a machine of two cores; the benchmark's rows say how much (`client_cpu_us`). Every answer is looked at: ours compares
status and body, byte by byte, with an answer that was read before; `wrk` counts statuses from 400 on and broken
connections, and the mean size of what it read is compared besides.
"""

from __future__ import annotations

import asyncio
import re
import resource
import shutil
import socket
import subprocess
import time
from typing import Any, NamedTuple, cast

import uvloop

_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0}
_SIZES = {"B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}  # as wrk means them
_END = b"\r\n\r\n"


def ask(port: int, path: str, token: str, connections: int, seconds: int) -> dict[str, Any]:
    """Requests a second, their latencies, which tool asked, and its processor time a request.

    Raises:
        RuntimeError: an answer is not 200, or not the one that is given before and after.
    """
    fields = f"authorization: Bearer {token}\r\n" if token else ""
    request = f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n{fields}\r\n".encode()
    right = _once(port, request)
    spent = _cpu_s()
    if wrk := shutil.which("wrk"):
        found = _wrk(wrk, port, path, token, connections, seconds, right)
    else:
        found = uvloop.run(_own(port, request, connections, seconds, right))
    spent = _cpu_s() - spent
    if _once(port, request).body != right.body:
        raise RuntimeError("the answer changed meanwhile")
    return {**found, "client_cpu_us": round(spent * 1e6 / (found["per_s"] * seconds), 1)}


class _Answer(NamedTuple):
    size: int  # with its head
    body: bytes


def _once(port: int, request: bytes) -> _Answer:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as one:
        one.sendall(request)
        got = b""
        while (length := _length(got)) is None or len(got) < length:
            more = one.recv(1 << 16)
            if not more:
                raise RuntimeError("the connection ended early")
            got += more
    if not got.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(got.decode(errors="replace"))
    return _Answer(len(got), got.partition(_END)[2])


def _length(got: bytes) -> int | None:
    head, end, _ = got.partition(_END)
    said = re.search(rb"\r\ncontent-length: (\d+)", head)
    return len(head) + len(end) + int(said[1]) if end and said else None


def _cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _wrk(
    wrk: str, port: int, path: str, token: str, connections: int, seconds: int, right: _Answer
) -> dict[str, Any]:
    command = [wrk, "-t1", f"-c{connections}", f"-d{seconds}", "--latency", "--timeout", "30"]
    if token:
        command += ["-H", f"authorization: Bearer {token}"]
    said = subprocess.run(
        [*command, f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True, check=True
    ).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(said)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    read = re.search(r"(\d+) requests in \S+, ([\d.]+)([KMG]?B) read", said)
    assert rate is not None
    assert read is not None
    mean = float(read[2]) * _SIZES[read[3]] / int(read[1])
    if not 0.9 < mean / right.size < 1.1:  # what is left of a rate limit is told in more or fewer digits
        raise RuntimeError(f"answers of {mean:.0f} bytes in the mean, where one has {right.size}")
    found = {f"p{p}_ms": _ms(said, p) for p in (50, 99)}
    return {"per_s": round(float(rate[1]), 1), **found, "tool": "wrk"}


def _ms(said: str, percent: int) -> float:
    match = re.search(rf"{percent}%\s+([\d.]+)(us|ms|s)", said)
    assert match is not None
    return round(float(match[1]) * _UNITS[match[2]], 3)


class _Asker(asyncio.Protocol):
    """One connection: sends what was made before, and again when the answer is there."""

    def __init__(self, request: bytes, right: bytes, ends: float, times: list[float]) -> None:
        self._request, self._right, self._ends, self._times = request, right, ends, times
        self._got = b""
        self._begun = 0.0
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one by its methods alone
        self._ask()

    def _ask(self) -> None:
        self._begun = time.perf_counter()
        if self._begun < self._ends:
            self._transport.write(self._request)
        else:
            self.over.set_result(None)
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, end, body = self._got.partition(_END)
        if not end or (head.startswith(b"HTTP/1.1 200") and len(body) < len(self._right)):
            return
        if not head.startswith(b"HTTP/1.1 200") or body != self._right:
            self.over.set_exception(RuntimeError(self._got.decode(errors="replace")))
            self._transport.abort()
            return
        self._times.append((time.perf_counter() - self._begun) * 1000)
        self._got = b""
        self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.over.done():
            self.over.set_exception(exc or RuntimeError("the connection ended early"))


async def _own(port: int, request: bytes, connections: int, seconds: int, right: _Answer) -> dict[str, Any]:
    times: list[float] = []
    ends = time.perf_counter() + seconds
    loop = asyncio.get_running_loop()
    askers = [
        (await loop.create_connection(lambda: _Asker(request, right.body, ends, times), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    await asyncio.gather(*(asker.over for asker in askers))
    times.sort()
    at = {p: times[min(len(times) - 1, len(times) * p // 100)] for p in (50, 99)}
    return {
        "per_s": round(len(times) / seconds, 1),
        **{f"p{p}_ms": round(ms, 3) for p, ms in at.items()},
        "tool": "own loader",
    }
