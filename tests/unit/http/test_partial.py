"""A file by range (RFC 9110 §14): what is asked for, and what the answer has of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar import Request, Response, get
from litestar.testing import TestClient

from clearway.http.application import application
from clearway.http.guard import PUBLIC
from clearway.http.partial import download, span

DATA = bytes(range(100))


@get("/file", opt=PUBLIC, sync_to_thread=True)
def file(request: Request[Any, Any, Any]) -> Response[bytes]:
    return download(request, DATA, "a.bin", "abc")


@pytest.fixture(scope="module")
def client() -> Any:
    with TestClient(application([file])) as made:  # type: ignore[arg-type]
        yield made


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-9", 0, 9),
        ("bytes=90-", 90, 99),
        ("bytes=-5", 95, 99),
        ("bytes=-500", 0, 99),
        ("bytes=50-999", 50, 99),
    ],
)
def test_one_range_is_answered_with_that_part(client: Any, asked: str, first: int, last: int) -> None:
    found = client.get("/file", headers={"range": asked})
    assert (found.status_code, found.content) == (206, DATA[first : last + 1])
    assert found.headers["content-range"] == f"bytes {first}-{last}/100"
    assert found.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize("asked", ["", "bytes=9-3", "bytes=0-1,4-5", "lines=0-4", "bytes=x", "bytes=-"])
def test_what_is_no_range_gives_the_whole(client: Any, asked: str) -> None:
    found = client.get("/file", headers={"range": asked} if asked else {})
    assert (found.status_code, found.content) == (200, DATA)


@pytest.mark.parametrize("asked", ["bytes=100-", "bytes=500-600", "bytes=-0"])
def test_a_range_behind_the_end_is_416_and_says_how_long_it_is(client: Any, asked: str) -> None:
    found = client.get("/file", headers={"range": asked})
    assert found.status_code == 416
    assert found.headers["content-range"] == "bytes */100"
    assert found.json()["type"] == "urn:clearway:problem:range-not-satisfiable"


def test_a_download_goes_on_only_in_the_same_file(client: Any) -> None:
    tag = client.get("/file").headers["etag"]
    assert client.get("/file", headers={"range": "bytes=5-", "if-range": tag}).status_code == 206
    other = client.get("/file", headers={"range": "bytes=5-", "if-range": '"another"'})
    assert (other.status_code, other.content) == (200, DATA)


@given(
    st.text(max_size=30) | st.from_regex(r"bytes=[0-9]{0,4}-[0-9]{0,4}", fullmatch=True), st.integers(0, 300)
)
def test_any_header_asks_for_the_whole_a_part_of_it_or_nothing_of_it(asked: str, size: int) -> None:
    found = span(asked, size)
    if found is not None:
        first, last = found
        assert 0 <= first <= last < size or (first, last) == (size, size - 1)
