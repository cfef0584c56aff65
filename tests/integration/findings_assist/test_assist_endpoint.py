"""The endpoint's faults over real HTTP, what becomes of the proposal, and how much is asked."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import model_server
from assist_world import Assist
from clearway.findings.assist import budget, endpoint
from clearway.findings.assist.budget import Used
from clearway.findings.assist.settings import Settings, read
from clearway.findings.kept import Finding
from clearway.http.outbound import StatusError, TooMuchError
from clearway.records.errors import ConfigError, InputError, TooManyRequestsError, UpstreamError
from findings_world import Desk
from model_server import ModelServer, completion

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def of(model: ModelServer, **more: Any) -> Settings:
    return Settings(**{"url": model.url, "model": "m", "place": "inside", "allow": "127.0.0.1", **more})


def said(value: Any) -> tuple[int, bytes]:
    return 200, json.dumps(value).encode()


BODY = json.dumps({"messages": [{"content": "Summarise\n<data>\n[]\n</data>"}]}).encode()


def test_loopback_is_reached_when_the_setting_says_so_and_not_otherwise(model: ModelServer) -> None:
    assert json.loads(endpoint.complete(of(model), model_server.KEY, BODY).text)["summary"]
    for allow in ("", "10.0.0.0/8", "127.0.0.1, !127.0.0.0/8"):
        with pytest.raises(ConfigError, match="may not be reached"):
            endpoint.complete(of(model, allow=allow), model_server.KEY, BODY)
    assert len(model.asked) == 1


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        pytest.param((401, b'{"error":"canary"}'), ConfigError, "key", id="a key that it refuses"),
        pytest.param((404, b"canary"), ConfigError, "no such model", id="no such model"),
        pytest.param((400, b"canary"), ConfigError, "does not take", id="a request that it does not take"),
        pytest.param((307, b"canary"), ConfigError, "elsewhere", id="a redirect"),
        pytest.param((429, b"canary"), StatusError, "429", id="too many requests"),
        pytest.param((503, b"canary"), StatusError, "503", id="out of order"),
        pytest.param((200, b"canary"), InputError, "protocol", id="no JSON"),
        pytest.param((200, b'{"choices":"canary"}'), InputError, "protocol", id="other types"),
        pytest.param((200, b"[" * 200_000), InputError, "protocol", id="nested without end"),
        pytest.param((200, b'{"choices":[]}'), InputError, "no choice", id="no choice"),
        pytest.param(said(completion(None)), InputError, "no answer", id="no text"),
        pytest.param(said(completion("canary", finish="length")), InputError, "cut off", id="cut off"),
        pytest.param(
            said(completion("canary", finish="content_filter")), InputError, "no answer", id="withheld"
        ),
        pytest.param((200, b" " * (300 << 10)), TooMuchError, "too large", id="too large"),
    ],
)
def test_what_it_answers_besides_is_told_in_our_words(
    model: ModelServer, answer: tuple[int, bytes], kind: type[Exception], words: str
) -> None:
    model.answers.append(answer)
    with pytest.raises(kind, match=words) as caught:
        endpoint.complete(of(model), model_server.KEY, BODY)
    assert "canary" not in str(caught.value)


def test_tokens_that_it_claims_are_believed_within_bounds(model: ModelServer) -> None:
    for claimed, believed in ((10, 10), (None, None), (-5, None), (10**12, None)):
        model.answers.append(said(completion("x", tokens=claimed)))
        assert endpoint.complete(of(model), "", BODY).tokens == believed
    model.answers.append(said({**completion("x"), "usage": None, "novel": {"field": 1}}))
    assert endpoint.complete(of(model), "", BODY).tokens is None


def test_one_that_thinks_too_long_is_left(model: ModelServer) -> None:
    def slow(kind: str, data: list[dict[str, str]]) -> str:
        time.sleep(1.5)
        return "{}"

    model.model = slow
    with pytest.raises(UpstreamError):
        endpoint.complete(of(model, timeout_s=1), model_server.KEY, BODY)


def test_nobody_there_is_tried_again_and_then_told(desk: Desk, assist: Assist) -> None:
    assist.on(url="http://127.0.0.1:1/v1")
    number = assist.ask("summary", assist.reported())
    for failures in (0, 1):
        with pytest.raises(UpstreamError):
            assist.run(number, failures=failures)
        found = assist.one(number)
        assert (found.state, "tried again" in found.why) == ("running", True)
    found = assist.run(number, failures=2)
    assert found.state == "failed"
    assert "did not answer" in found.why


def test_a_fault_of_the_settings_ends_it_at_once(desk: Desk, assist: Assist) -> None:
    finding = assist.reported()
    (assist.home / "assist.key").write_text("sk-wrong")
    found = assist.run(assist.ask("summary", finding))
    assert (found.state, found.why) == ("failed", "the endpoint refuses the key: see key_file")
    (assist.home / "assist.key").write_text(model_server.KEY)
    assist.model.structured = False
    found = assist.run(assist.ask("summary", finding))
    assert found.state == "failed"
    assert "structured" in found.why
    assert "over" not in found.why  # nothing of the report, which the endpoint's error quotes
    assist.on(structured="none")
    assert assist.run(assist.ask("summary", finding)).state == "proposed"


def test_after_three_failures_it_rests_and_is_not_asked(desk: Desk, assist: Assist) -> None:
    finding = assist.reported()
    assist.model.answers += [(503, b"")] * 3
    for _ in range(3):
        assert assist.run(assist.ask("summary", finding), failures=2).state == "failed"
    with pytest.raises(TooManyRequestsError, match="rests") as caught:
        assist.ask("summary", finding)
    assert 1 <= caught.value.retry_after_s <= 61
    with desk.owner() as db:
        db.execute("update clearway.assist_endpoint set rests_until = now()")
    assert assist.run(assist.ask("summary", finding)).state == "proposed"
    with desk.owner() as db:
        assert budget.used(db, read(assist.home)).failures == 0


def test_the_days_requests_and_tokens_are_kept(desk: Desk, assist: Assist) -> None:
    finding = assist.reported()
    assist.on(day_requests=2)
    for _ in range(2):
        assist.drafted("summary", finding)
    with pytest.raises(TooManyRequestsError, match="2 requests"):
        assist.ask("summary", finding)
    with desk.owner() as db:
        had = budget.used(db, read(assist.home))
    claimed = sum((len(raw)) // 4 for raw in assist.model.raw)
    assert had.requests == 2
    assert claimed < had.tokens < 2 * claimed  # what the endpoint said, not what was booked
    assist.on(day_requests=10, day_tokens=had.tokens + 1_100)
    number = assist.ask("summary", finding)
    found = assist.run(number)  # known only now, with the text
    assert (found.state, "tokens" in found.why, len(assist.model.asked)) == ("failed", True, 2)
    with desk.owner() as db:
        db.execute("update clearway.assist_endpoint set day = day - 1")
        assert budget.used(db, read(assist.home)) == Used()
    assert assist.drafted("summary", finding).state == "proposed"


def test_two_bookings_at_once_share_one_budget(desk: Desk, assist: Assist) -> None:
    from concurrent.futures import ThreadPoolExecutor

    found = of(assist.model, day_requests=5)

    def book(_: int) -> bool:
        try:
            with desk.owner() as db:
                budget.take(db, found, 10)
        except TooManyRequestsError:
            return False
        return True

    with ThreadPoolExecutor(4) as several:
        assert sum(several.map(book, range(12))) == 5


def test_a_day_ends_at_midnight_utc() -> None:
    found = Settings(url="https://x/v1", model="m", day_requests=1)
    refused = budget.refusal(Used(requests=1), found, 1, NOW)
    assert refused is not None
    assert refused.retry_after_s == 12 * 3_600 + 1
    assert budget.refusal(Used(rests_until=NOW - timedelta(seconds=1)), found, 1, NOW) is None
    resting = budget.refusal(Used(rests_until=NOW + timedelta(seconds=30)), found, 1, NOW)
    assert resting is not None
    assert resting.retry_after_s == 31


def test_a_model_that_answers_nonsense_is_no_failure_of_the_endpoint(desk: Desk, assist: Assist) -> None:
    finding: Finding = assist.reported()
    for _ in range(4):
        assist.model.answers.append(said(completion("I am sorry, I can not do that.")))
        found = assist.run(assist.ask("summary", finding))
        assert (found.state, "not of the form" in found.why) == ("failed", True)
        assert "sorry" not in found.why
