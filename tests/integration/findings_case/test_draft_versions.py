"""Nobody's draft is lost to another's, and what is not known of one is asked once: on page, API and command."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from clearway.app import cli
from clearway.findings.case import draft, kept, release
from clearway.findings.case.kept import Case
from clearway.formats.report_advisory import Product
from clearway.records.errors import InputError, PreconditionMissingError, StaleError
from findings_case_world import NOW, Cases, a_draft
from site_client import Site, site, words

DRAFT = {
    "title": "Heap buffer overflow", "description": "It reads beyond its buffer.",
    "products": [{"purl": "pkg:pypi/example", "introduced": "1.0", "fixed": "1.2.4"}],
}  # fmt: skip
NEWER = {**DRAFT, "products": [{"ecosystem": "Debian:15", "name": "example", "introduced": "0"}]}


@pytest.fixture(scope="module")
def served(cases: Cases) -> Iterator[Site]:
    with site(cases.desk.home, cases.world.url) as made:
        yield made


def write(cases: Cases, case: Case, base: tuple[int, ...] | None, summary: str, **facts: Any) -> int:
    with cases.acting() as db:
        found = kept.by_id(db, case.id)
        return draft.put(db, cases.desk.vault, found, a_draft(**facts), summary, base=base)


def test_who_goes_on_from_an_older_version_is_told_what_changed(cases: Cases) -> None:
    case = cases.opened()
    assert write(cases, case, (), "First") == 1
    assert write(cases, case, (1,), "Names the fix", solution="Update to 1.2.4.", cwe="CWE-121") == 2
    with pytest.raises(StaleError) as refused:
        write(cases, case, (1,), "Another title", title="Another")
    assert "version 2" in refused.value.what
    assert "Names the fix" in refused.value.what
    assert "cwe, solution" in refused.value.what
    with pytest.raises(PreconditionMissingError):
        write(cases, case, (), "Unread")
    assert write(cases, case, (2,), "Another title", title="Another") == 3


def test_of_two_that_go_on_from_one_version_at_once_one_is_kept(cases: Cases) -> None:
    case = cases.opened()
    write(cases, case, (), "First")
    found: list[object] = []
    gate = threading.Barrier(4)

    def run(n: int) -> None:
        gate.wait()
        try:
            found.append(write(cases, case, (1,), f"Version of {n}"))
        except StaleError as error:
            found.append(error)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert found.count(2) == 1
    assert sum(isinstance(f, StaleError) for f in found) == 3


def test_the_api_and_the_page_refuse_a_lost_update(cases: Cases, served: Site) -> None:
    case, who = cases.opened(), cases.desk.coordinator
    at = f"/api/v1/cases/{case.handling}"
    served.api(who.secret, "POST", f"{at}/drafts?summary=none", 412, DRAFT, **{"if-match": '"x"'})
    served.api(who.secret, "POST", f"{at}/drafts?summary=first", 201, DRAFT)
    tag = served.api(who.secret, "GET", f"{at}/draft").headers["etag"]
    assert tag.startswith('"1.')
    served.api(who.secret, "POST", f"{at}/drafts?summary=unread", 428, DRAFT)
    served.api(who.secret, "POST", f"{at}/drafts?summary=unread", 412, DRAFT, **{"if-match": '"x"'})
    again = {**DRAFT, "cwe": "CWE-121"}
    served.api(who.secret, "POST", f"{at}/drafts?summary=second", 201, again, **{"if-match": tag})
    told = served.api(
        who.secret, "POST", f"{at}/drafts?summary=third", 412, DRAFT, **{"if-match": tag}
    ).json()
    assert "cwe" in told["detail"]
    served.api(who.secret, "POST", f"{at}/drafts?summary=any", 201, DRAFT, **{"if-match": "*"})
    room = f"/cases/{case.handling}"
    assert 'name="base" value="3"' in served.page(who.cookie, room)
    shown = served.post(who.cookie, f"{room}/drafts", 412, draft=json.dumps(again), summary="Mine", base="2")
    assert "version 3 was written meanwhile" in words(shown.text)
    assert "Mine" in shown.text, "what was typed is not lost"
    served.post(who.cookie, f"{room}/drafts", draft=json.dumps(again), summary="Mine", base="3")


def test_what_is_not_known_here_is_asked_on_page_api_and_command_and_once(
    cases: Cases,
    served: Site,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    case, who = cases.opened(), cases.desk.coordinator
    at, room = f"/api/v1/cases/{case.handling}", f"/cases/{case.handling}"
    words_of_it = "whether Debian has a release 15 is not known here"
    problem = served.api(who.secret, "POST", f"{at}/drafts?summary=first", 400, NEWER).json()
    assert words_of_it in problem["detail"]
    shown = served.post(who.cookie, f"{room}/drafts", 422, draft=json.dumps(NEWER), summary="First", base="0")
    assert words_of_it in words(shown.text)
    assert 'name="sure"' in shown.text
    monkeypatch.setenv("CLEARWAY_TOKEN", who.secret)
    monkeypatch.setenv("CLEARWAY_DATABASE_URL", cases.world.url)
    file = tmp_path / "draft.json"
    file.write_text(json.dumps(NEWER))
    command = [
        "--home",
        str(cases.desk.home),
        "finding",
        "case",
        "draft",
        case.handling,
        str(file),
        "--summary",
        "A",
    ]
    assert cli.main(command) != 0
    assert words_of_it in capsys.readouterr().err
    served.post(who.cookie, f"{room}/drafts", draft=json.dumps(NEWER), summary="First", base="0", sure="yes")
    assert cli.main([*command, "--base", "1"]) == 0
    assert cli.main([*command, "--base", "1"]) != 0, "version 2 is the newest"
    assert len(versions(cases, case)) == 2


def versions(cases: Cases, case: Case) -> list[draft.Version]:
    with cases.acting() as db:
        return draft.listed(db, case)


def test_a_draft_that_older_rules_let_in_is_checked_before_it_is_released(cases: Cases) -> None:
    case, vault = cases.opened(), cases.desk.vault
    older = replace(a_draft(), products=(Product(ecosystem="Nope", name="example", introduced="0"),))
    data = msgspec.json.encode(older)
    with cases.desk.owner() as db:
        db.execute(
            """insert into clearway.case_draft (case_id, number, org, aud, summary, sealed, sha256)
            values (%s, 1, %s, %s, 'older', %b, %s)""",
            (
                case.id,
                case.org,
                case.aud,
                vault.seal(case.subject, data, label="draft/1"),
                sha256(data).digest(),
            ),
        )
    with pytest.raises(InputError) as refused, cases.acting() as db:
        release.release(db, vault, kept.by_id(db, case.id), cases.desk.home, "out", now=NOW)
    assert refused.value.where == "products[0].ecosystem"
