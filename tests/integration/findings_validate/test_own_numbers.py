"""What a reporter is told in numbers counts within their finding: of what others report it says nothing."""

from __future__ import annotations

import json

from test_desk_validates import ask, one_site, pages, reported  # noqa: F401
from test_taken_back import judged

from clearway.findings import artefact
from clearway.findings.validate import validation
from findings_world import Desk
from site_client import Site
from steps import Steps, step_of


def test_validations_and_their_files_are_numbered_within_the_finding(desk: Desk, pages: Site) -> None:  # noqa: F811
    for _ in range(2):  # what the desk does with others' findings
        judged(desk, reported(desk), "met", "met")
    mine = reported(desk)
    first, second = judged(desk, mine, "met"), judged(desk, mine, "met", why="once more")
    assert (first, second) == (1, 2)
    at = f"/api/v1/findings/{mine.handling}"
    told = pages.api(desk.finder.secret, "GET", f"{at}/validations", 200).json()["items"]
    assert [one["id"] for one in told] == [2, 1]
    files = pages.api(desk.finder.secret, "GET", at, 200).json()["files"]
    assert [f["id"] for f in files] == list(range(1, len(files) + 1))
    for one in told:
        for step in one["steps"]:
            name = next(f["name"] for f in files if f["id"] == step["statement"])
            assert name == f"validation-{one['id']}-E{step['level']}.json"
            pages.api(desk.finder.secret, "GET", f"{at}/files/{step['statement']}", 200)
    pages.api(desk.finder.secret, "GET", f"{at}/validations/3", 404)
    with desk.owner() as db:
        said = db.execute(
            "select content from clearway.log_entry where act = 'validation.asked' order by entry"
        )
        numbers = [json.loads(content)["validation"] for (content,) in said]
    assert numbers[-4:] == [1, 1, 1, 2]


def test_files_and_validations_that_were_there_are_numbered_in_their_order(desk: Desk) -> None:
    steps = Steps(desk.people.url, step_of("own_numbers"))
    one, other = reported(desk), reported(desk)
    judged(desk, other, "met")
    judged(desk, one, "met")
    with desk.owner() as db:
        before = [artefact.listed(db, f.id) for f in (one, other)]
    steps.down()
    steps.up()
    with desk.owner() as db:
        assert [artefact.listed(db, f.id) for f in (one, other)] == before
        assert [v.number for v in validation.listed(db, one.id)] == [1]
