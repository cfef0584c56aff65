"""What a model would get is shown before it is sent, byte for byte, and nothing of it is sent by looking."""

from __future__ import annotations

import hashlib
import html
import json
import re
from typing import Any

import pytest

from assist_world import STORY, Assist
from clearway.findings.assist.preview import Preview, preview
from clearway.records.errors import ConflictError, ForbiddenError
from findings_world import Desk
from people import Somebody
from site_client import Site, words


@pytest.fixture
def pages(one_site: Site, desk: Desk) -> Site:
    return one_site


def shown(assist: Assist, about: Any, kind: Any = "summary", who: Somebody | None = None) -> Preview:
    with assist.desk.acting(who or assist.desk.coordinator) as db:
        return preview(db, assist.desk.owner, assist.home, kind, about)


def sent_digest(desk: Desk) -> str:
    with desk.owner() as db:
        row = db.execute(
            "select content from clearway.log_entry where act = 'assist.sent' order by entry desc limit 1"
        ).fetchone()
    assert row is not None
    return str(json.loads(row[0])["sha256"])


@pytest.mark.parametrize("kind", ["summary", "duplicates"])
def test_what_is_shown_is_what_arrives_and_what_the_log_says(desk: Desk, assist: Assist, kind: Any) -> None:
    finding = assist.reported()
    assist.reported(desk.rival, title="Crash on a string <without> its end")
    first = shown(assist, finding, kind)
    assert assist.model.raw == []
    assist.drafted(kind, finding)
    assert assist.model.raw == [first.body.encode()]
    assert first.sha256 == sent_digest(desk) == hashlib.sha256(assist.model.raw[0]).hexdigest()
    assert first.bytes == len(assist.model.raw[0])
    assert first.host == assist.model.url.split("/")[2]
    assert first.url == f"{assist.model.url}/chat/completions"
    assert "sk-of-the-tests" not in str(first)


def test_a_case_is_shown_as_it_is_sent(desk: Desk, assist: Assist) -> None:
    case = assist.opened(assist.reported())
    first = shown(assist, case)
    assert [one.ref for one in first.sends] == ["C1", "F2"]
    assist.drafted("summary", case)
    assert assist.model.raw == [first.body.encode()]


def test_when_something_changes_in_between_the_digests_differ(desk: Desk, assist: Assist) -> None:
    finding = assist.reported()
    first = shown(assist, finding)
    assist.on(answer_tokens=900)
    assist.drafted("summary", finding)
    assert first.sha256 != sent_digest(desk)


def test_what_stays_here_is_named_with_its_reason(desk: Desk, assist: Assist) -> None:
    finding = assist.reported(description=STORY * 20)
    assist.on(prompt_chars=1_000)
    first = shown(assist, finding)
    because = {one.what: one.because for one in first.left_out}
    assert because["description"] == "length"
    assert any("reproduction" in what and why == "marking" for what, why in because.items())
    assert all(one.about == finding.handling for one in first.left_out)
    assist.on(day_requests=0)
    spent = shown(assist, finding)
    assert spent.refused
    assert "budget" in {one.because for one in spent.left_out}
    assert spent.body  # what would go, were there any left


def test_under_embargo_and_outside_the_house_nothing_is_shown_as_going(desk: Desk, assist: Assist) -> None:
    finding = assist.reported()
    assist.on(place="outside", url="https://model.example/v1")
    told = desk.acts()
    first = shown(assist, finding)
    assert (first.body, first.sha256, first.sends, first.bytes) == ("", "", (), 0)
    assert [one.because for one in first.left_out] == ["embargo"]
    assert first.host == "model.example"
    assert desk.acts() == told  # no report was opened for it


def test_looking_is_a_reading_on_the_log_and_asks_books_and_sends_nothing(desk: Desk, assist: Assist) -> None:
    finding = assist.reported()
    before = len(desk.acts())
    shown(assist, finding)
    assert desk.acts()[before:] == ["content.read"]
    with desk.owner() as db:
        assert db.execute("select from clearway.assist_proposal").fetchone() is None
        assert db.execute("select from clearway.assist_endpoint where requests > 0").fetchone() is None


def test_a_preview_is_for_coordinators_and_only_while_it_is_on(
    desk: Desk, assist: Assist, pages: Site
) -> None:
    finding = assist.reported()
    with pytest.raises(ForbiddenError):
        shown(assist, finding, who=desk.finder)
    path = f"/api/v1/findings/{finding.handling}/assist/preview?kind=summary"
    pages.api(desk.finder.secret, "GET", path, 403)
    assist.off()
    with pytest.raises(ConflictError):
        shown(assist, finding)


def test_page_and_api_show_the_same_bytes_and_the_page_escapes_them(
    desk: Desk, assist: Assist, pages: Site
) -> None:
    finding = assist.reported(title="<script>alert(1)</script> over-read")
    first = shown(assist, finding)
    found = pages.api(
        desk.coordinator.secret, "GET", f"/api/v1/findings/{finding.handling}/assist/preview?kind=summary"
    ).json()
    assert found["body"] == first.body
    assert found["sha256"] == first.sha256
    page = pages.page(desk.coordinator.cookie, f"/findings/{finding.handling}/assist/preview?kind=summary")
    body = re.search(r'<pre class="wrap" id="body" tabindex="0">(.*?)</pre>', page, re.S)
    assert body is not None
    assert html.unescape(body[1]) == first.body
    assert "<script>alert" not in page
    assert first.sha256 in words(page)
    case = assist.opened(finding)
    found = pages.api(desk.coordinator.secret, "GET", f"/api/v1/cases/{case.handling}/assist/preview").json()
    assert found["kind"] == "summary"
    pages.page(desk.coordinator.cookie, f"/cases/{case.handling}/assist/preview")
    pages.api(desk.coordinator.secret, "GET", f"/api/v1/cases/{case.handling}/assist/preview?kind=both", 400)
