"""The OSV-compatible API over a real server on loopback."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import live_server
import osv_world
from live_server import Live


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    table = osv_world.table(tmp_path_factory.mktemp("osv") / "advisories.table")
    with live_server.over(table) as server:
        yield server


def ids(answer: Any) -> list[str]:
    return [vuln["id"] for vuln in answer.get("vulns", [])]


WEB = {"ecosystem": "PyPI", "name": "example-web"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"package": WEB, "version": "2.0"}, ["PYSEC-TEST-1"]),
        ({"package": {**WEB, "name": "Example_Web"}, "version": "1.0"}, ["GHSA-test-0002", "PYSEC-TEST-1"]),
        ({"package": WEB}, ["GHSA-test-0002", "PYSEC-TEST-1"]),
        ({"package": {"purl": "pkg:npm/%40scope/example@4.17.20"}}, ["GHSA-test-0004"]),
        ({"package": {"purl": "pkg:maven/org.example/core"}, "version": "2.14.1"}, ["TEST-5"]),
        ({"commit": osv_world.COMMIT}, ["OSV-TEST-8"]),
    ],
    ids=str,
)
def test_a_query_gives_the_full_records_that_affirm(live: Live, body: Any, expected: list[str]) -> None:
    status, headers, answer = live.ask("POST", "/v1/query", body)
    assert status == 200
    assert headers["content-type"] == "application/json"
    assert ids(answer) == expected
    assert all(vuln["affected"] for vuln in answer["vulns"])


@pytest.mark.parametrize("name", ["example-web", osv_world.CLEAN])
def test_nothing_that_affirms_is_an_empty_object_without_a_doubt(live: Live, name: str) -> None:
    status, headers, answer = live.ask(
        "POST", "/v1/query", {"package": {"ecosystem": "PyPI", "name": name}, "version": "9"}
    )
    assert (status, answer, headers["clearway-unknown"]) == (200, {}, None)


def test_an_ecosystem_that_no_source_covers_is_marked_unknown(live: Live) -> None:
    body = {"package": {"ecosystem": "Debian:12", "name": "a"}, "version": "1"}
    status, headers, answer = live.ask("POST", "/v1/query", body)
    assert (status, answer, headers["clearway-unknown"]) == (200, {}, "0")


@pytest.mark.parametrize("kind", ["", "application/json", "text/plain", "application/x-www-form-urlencoded"])
def test_the_body_is_json_whatever_its_media_type_says(live: Live, kind: str) -> None:
    headers = {"content-type": kind} if kind else {}
    status, _, answer = live.ask("POST", "/v1/query", {"package": WEB, "version": "2.0"}, headers)
    assert (status, ids(answer)) == (200, ["PYSEC-TEST-1"])


def test_a_long_answer_comes_in_pages_of_a_thousand(live: Live) -> None:
    body: dict[str, Any] = {"package": {"ecosystem": "PyPI", "name": "example-many"}, "version": "1"}
    seen: list[str] = []
    sizes = []
    while True:
        status, _, answer = live.ask("POST", "/v1/query", body)
        assert status == 200
        seen += ids(answer)
        sizes.append(len(answer["vulns"]))
        if "next_page_token" not in answer:
            break
        body["page_token"] = answer["next_page_token"]
    assert sizes == [1000, 1000, 345]
    assert len(set(seen)) == osv_world.MANY


def test_a_batch_answers_by_position_with_ids_and_dates_only(live: Live) -> None:
    queries = [
        {"package": WEB, "version": "2.0"},
        {"package": {"ecosystem": "PyPI", "name": osv_world.CLEAN}, "version": "1"},
        {"package": WEB, "version": "(devel)"},
        {"package": {"ecosystem": "NoSuch", "name": "a"}, "version": "1"},
        {"package": {"purl": "pkg:npm/%40scope/example@4.17.20"}},
        {"commit": osv_world.COMMIT},
    ]
    status, headers, answer = live.ask("POST", "/v1/querybatch", {"queries": queries})
    assert status == 200
    assert answer["results"] == [
        {"vulns": [{"id": "PYSEC-TEST-1", "modified": "2026-01-02T03:04:05Z"}]},
        {},
        {},
        {},
        {"vulns": [{"id": "GHSA-test-0004", "modified": "2026-01-02T03:04:05Z"}]},
        {"vulns": [{"id": "OSV-TEST-8", "modified": "2026-02-04T00:00:00Z"}]},
    ]
    assert headers["clearway-unknown"] == "2,3"


def test_a_batch_goes_on_query_by_query(live: Live) -> None:
    many = {"package": {"ecosystem": "PyPI", "name": "example-many"}, "version": "1"}
    _, _, first = live.ask("POST", "/v1/querybatch", {"queries": [many, {"package": WEB, "version": "9"}]})
    assert [len(result.get("vulns", [])) for result in first["results"]] == [1000, 0]
    more = {**many, "page_token": first["results"][0]["next_page_token"]}
    _, _, second = live.ask("POST", "/v1/querybatch", {"queries": [more]})
    assert ids(second["results"][0])[0] == "MANY-01000"


def test_a_batch_with_too_many_records_gives_tokens_for_the_rest(live: Live) -> None:
    many = {"package": {"ecosystem": "PyPI", "name": "example-many"}, "version": "1"}
    _, _, answer = live.ask("POST", "/v1/querybatch", {"queries": [many] * 22})
    sizes = [len(result.get("vulns", [])) for result in answer["results"]]
    assert sizes == [1000] * 20 + [0, 0]
    token = answer["results"][-1]["next_page_token"]
    _, _, late = live.ask("POST", "/v1/query", {**many, "page_token": token})
    assert ids(late)[0] == "MANY-00000"


def test_an_empty_batch_has_no_results(live: Live) -> None:
    assert live.ask("POST", "/v1/querybatch", {"queries": []})[2] == {"results": []}


def test_a_thousand_queries_are_a_batch_and_one_more_is_too_many(live: Live) -> None:
    one = {"package": WEB, "version": "2.0"}
    status, _, answer = live.ask("POST", "/v1/querybatch", {"queries": [one] * 1000})
    assert (status, len(answer["results"])) == (200, 1000)
    status, _, problem = live.ask("POST", "/v1/querybatch", {"queries": [one] * 1001})
    assert (status, problem["code"]) == (400, 3)


def test_a_record_is_given_byte_for_byte(live: Live) -> None:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", live.port)
    connection.request("GET", "/v1/vulns/PYSEC-TEST-1")
    assert connection.getresponse().read() == osv_world.records()["test", "PYSEC-TEST-1"]
    connection.close()


def test_a_record_of_another_format_is_derived_and_says_so(live: Live) -> None:
    status, _, found = live.ask("GET", "/v1/vulns/CVE-2026-0007")
    assert status == 200
    assert found == {
        "schema_version": "1.7.0",
        "id": "CVE-2026-0007",
        "modified": "2026-02-03T00:00:00Z",
        "published": "2026-02-01T00:00:00Z",
        "aliases": ["GHSA-test-0007"],
        "summary": "flaw in example-cve",
        "affected": [
            {
                "package": {"ecosystem": "PyPI", "name": "example-cve"},
                "ranges": [
                    {"type": "ECOSYSTEM", "events": [{"introduced": "1.0"}, {"last_affected": "1.9"}]}
                ],
            }
        ],
        "database_specific": {"derived": True, "sources": [{"source": "cve:test", "format": "cve"}]},
    }


def test_an_alias_is_not_found_and_names_the_record_to_ask_for(live: Live) -> None:
    status, _, problem = live.ask("GET", "/v1/vulns/CVE-2026-0001")
    assert (status, problem["code"]) == (404, 5)
    assert "PYSEC-TEST-1" in problem["mend"]


def test_a_new_table_is_served_within_two_seconds_without_a_restart(tmp_path: Path) -> None:
    path = osv_world.table(tmp_path / "t", content="one", only=frozenset({"GHSA-test-0002"}))
    body = {"package": WEB, "version": "1.0"}
    with live_server.over(path) as server:
        assert ids(server.ask("POST", "/v1/query", body)[2]) == ["GHSA-test-0002"]
        osv_world.table(path, content="two")
        ends = time.monotonic() + 60
        while len(ids(server.ask("POST", "/v1/query", body)[2])) != 2:
            assert time.monotonic() < ends
            time.sleep(0.1)


def test_without_a_table_the_server_says_what_to_do_and_is_not_ready(tmp_path: Path) -> None:
    with live_server.over(tmp_path / "none") as server:
        status, headers, problem = server.ask("POST", "/v1/query", {"package": WEB})
        assert (status, headers["retry-after"]) == (503, "1")
        assert problem["detail"] == "no advisories are loaded yet"
        assert str(tmp_path) not in str(problem)
        assert server.ask("GET", "/health/live")[0] == 200
        status, _, ready = server.ask("GET", "/health/ready")
        assert (status, ready["checks"]["advisories"]) == (503, "config")
