"""Every route and address that a page names is one that the server has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from tables import ROOT, documents, handled

PAGES = documents()
_METHOD = r"(GET|POST|PUT|PATCH|DELETE)"
# What follows a method, and what a call in an example goes to.
_ASKED = re.compile(rf"\b{_METHOD} `?(?:https?://[^/\s`]+)?(/[^\s`'\"|)]*)")
_CALLED = re.compile(r"https?://(?:127\.0\.0\.1|localhost)(?::\d+)?(/[^\s`'\"|)]+)")
_CODE = re.compile(r"`(/[^`\s]*)`")
_FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
_OURS = ("/api/", "/v1/", "/health/")
# Of other servers: a model's endpoint, and the file by which somebody shows control of a host.
_ELSEWHERE = {"/v1/chat/completions", "/chat/completions", "/.well-known/clearway-scan-control.txt"}


@cache
def real(whole: bool = True) -> tuple[tuple[str, re.Pattern[str]], ...]:
    """(method, what its address looks like) of every route; with `whole` false also of what only begins one."""
    return tuple((m, _matching(p, whole)) for m, paths, _ in handled() for p in paths)


def _matching(path: str, whole: bool) -> re.Pattern[str]:
    parts = [
        "[^/]+".join(map(re.escape, re.split(r"\{[^}]*\}", part))) for part in path.rstrip("/").split("/")
    ]
    if whole:
        return re.compile("/".join(parts) or "/")
    ends = "".join(f"(?:$|/{part}" for part in parts[1:])
    return re.compile(ends + "$" + ")" * len(parts[1:]) if parts[1:] else "/$")


@cache
def first_words() -> frozenset[str]:
    """The first parts of the pages' own addresses: "/leases" is one, "/tmp" is not."""
    return frozenset(path.split("/")[1].partition(".")[0] for _, paths, _ in handled() for path in paths)


def named(text: str) -> Iterator[tuple[str, str]]:
    """(method or "", path) of what a page names."""
    for method, path in _ASKED.findall(text):
        yield method, path
    for path in _CALLED.findall(text):
        yield "", path
    for path in _CODE.findall(_FENCE.sub("", text)):
        if path.startswith(_OURS) or path.split("/")[1].partition(".")[0] in first_words():
            yield "", path


def exists(method: str, path: str) -> bool:
    """Whether a route answers there; without a method also what only begins routes ("/v1", "/v1/…")."""
    path = re.split(r"[?#]", path)[0].rstrip(".,;:")
    begins = path.endswith(("…", "*"))
    path = path.rstrip("…*").rstrip("/") or "/"
    if path in _ELSEWHERE:
        return True
    if begins or not method:
        return any(pattern.match(path) for _, pattern in real(whole=False))
    return any(method == m and pattern.fullmatch(path) for m, pattern in real())


@pytest.mark.parametrize("page", PAGES, ids=[str(p.relative_to(ROOT)) for p in PAGES])
def test_every_route_that_a_page_names_is_one_that_the_server_has(page: Path) -> None:
    wrong = {f"{m} {p}".strip() for m, p in named(page.read_text("utf-8")) if not exists(m, p)}
    assert wrong == set()


def test_the_check_of_routes_sees_what_is_wrong() -> None:
    text = "`POST /api/v1/asets`, `GET /api/v1/assets/17`, `/leases/nowhere/at/all`, http://127.0.0.1:8437/v1/quer"
    assert [p for m, p in named(text) if not exists(m, p)] == [
        "/api/v1/asets",
        "/v1/quer",
        "/leases/nowhere/at/all",
    ]
    assert not exists("DELETE", "/api/v1/events")
    assert sum(1 for page in PAGES for _ in named(page.read_text("utf-8"))) > 300
