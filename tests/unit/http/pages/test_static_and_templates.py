"""Static files are exactly those of the folder; templates keep to what the content security policy allows."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient

import clearway
from clearway.http.application import application
from clearway.http.pages import Pages

ROOT = Path(clearway.__file__).parent
STATIC = ROOT / "http" / "static"
TEMPLATES = sorted(ROOT.rglob("templates/**/*.html"))
PAGES = Pages()


def client() -> TestClient[Any]:
    return TestClient(application([], pages=PAGES))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["clearway.css", "clearway.js", "htmx.min.js", "clearway.svg"])
def test_a_file_is_served_under_the_name_of_its_content_for_ever(name: str) -> None:
    with client() as http:
        answer = http.get(PAGES.statics.url(name), headers={"accept-encoding": "identity"})
        again = http.get(
            PAGES.statics.url(name),
            headers={"if-none-match": f'"x", {answer.headers["etag"]}', "accept-encoding": "x"},
        )
    assert answer.content == (STATIC / name).read_bytes()
    assert hashlib.sha256(answer.content).hexdigest()[:16] in PAGES.statics.url(name)
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert again.status_code == 304
    assert again.content == b""


def test_a_file_is_packed_for_who_takes_it_packed() -> None:
    with client() as http:
        packed = http.get(PAGES.statics.url("htmx.min.js"), headers={"accept-encoding": "br, gzip;q=0.8"})
        plain = http.get(PAGES.statics.url("htmx.min.js"), headers={"accept-encoding": "gzip;q=0, identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == plain.content
    assert packed.headers["etag"] != plain.headers["etag"]
    assert "content-encoding" not in plain.headers


@pytest.mark.parametrize(
    ("name", "kind"),
    [("clearway.css", "text/css"), ("clearway.js", "text/javascript"), ("clearway.svg", "image/svg+xml")],
)
def test_a_file_has_its_type_which_browsers_are_told_not_to_guess(name: str, kind: str) -> None:
    with client() as http:
        answer = http.get(PAGES.statics.url(name))
    assert answer.headers["content-type"].startswith(kind)
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "/static/clearway.css",
        "/static/clearway.0000000000000000.css",
        "/static/VENDORED.md",
        "/static/../pages/rendering.py",
        "/static/..%2fpages%2frendering.py",
        "/static/%2e%2e/__init__.py",
        "/static/....//__init__.py",
        "/static//etc/passwd",
        "/static/%00",
        "/static/",
    ],
)
def test_nothing_else_is_served(path: str) -> None:
    with client() as http:
        assert http.get(path).status_code in (400, 404, 405)


def test_vendored_files_are_those_that_were_taken() -> None:
    rows = re.findall(
        r"^\| `([^`]+)` \|.*\| `([0-9a-f]{64})` \|$", (STATIC / "VENDORED.md").read_text(), re.M
    )
    assert rows
    for name, digest in rows:
        assert hashlib.sha256((STATIC / name).read_bytes()).hexdigest() == digest


def template_id(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_templates_are_found() -> None:
    assert len(TEMPLATES) >= 8


@pytest.mark.parametrize("path", TEMPLATES, ids=template_id)
@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        (r"\|\s*safe\b", "`|safe` lets foreign text be markup"),
        (r"{%-?\s*autoescape", "escaping is never turned off"),
        (r"<style\b|\sstyle\s*=", "inline style: the policy forbids it"),
        (r"<script(?![^>]*\ssrc=)", "inline script: the policy forbids it"),
        (r"\son[a-z]+\s*=", "inline handler: the policy forbids it"),
        (r"hx-on|[\"']js:|hx-trigger=\"[^\"]*\[", "code in an attribute"),
        (r"""\s(?:href|src|action|value|class|id|name)=\{\{""", "an attribute without quotes"),
        (
            r"(?<!outside\(\")(?<!git\+)https?://(?!www\.w3\.org)[a-z]",
            "something from another host",
        ),  # a link out is said to be one; git+https is a repository's name, which no browser follows
        (r"<form\b[^>]*method=\"post\"[^>]*>(?!\s*{{ csrf_field)", "a form without its token"),
    ],
    ids=lambda v: v if " " in str(v) else "",
)
def test_no_template_does_what_would_break_a_page_or_its_reader(path: Path, pattern: str, why: str) -> None:
    text = re.sub(r"{#.*?#}", "", path.read_text(), flags=re.S)
    found = re.search(pattern, text)
    assert found is None, f"{path.name}: {why}: {text[max(found.start() - 40, 0) : found.end() + 40]!r}"


@pytest.mark.parametrize("path", TEMPLATES, ids=template_id)
def test_every_template_is_read_by_jinja(path: Path) -> None:
    PAGES.environment.parse(path.read_text())


def test_our_script_runs_no_text_and_makes_no_markup() -> None:
    text = (STATIC / "clearway.js").read_text()
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|\.style\b", text
    )
