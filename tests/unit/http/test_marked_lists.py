"""Each list says whether its rows are marked: one that forgets would be read without an entry in the log."""

from __future__ import annotations

import pytest

from clearway.access.api_approvals import APPROVALS
from clearway.access.api_credentials import SESSIONS, TOKENS
from clearway.access.api_embargoes import EMBARGOES
from clearway.access.api_organisations import ORGANISATIONS
from clearway.access.api_people import CLIENTS, MEMBERS
from clearway.access.api_recipients import LISTS, RECIPIENTS
from clearway.advisories.api_lists import ASIDE
from clearway.directives.api_issues import VERSIONS
from clearway.directives.api_reports import REPORTS
from clearway.directives.api_triages import TRIAGES
from clearway.exposure.fleet.api_asset_list import ASSETS
from clearway.findings.case.api_cases import CASES
from clearway.findings.dedup.pairs import PAIRS
from clearway.findings.intake.api_list import FINDINGS
from clearway.findings.lease.listing import LEASES
from clearway.http.listing import Listing
from clearway.http.webhook_api import DELIVERIES, WEBHOOKS
from clearway.ledger.api import ENTRIES_LIST

MARKED = (
    ASSETS, FINDINGS, CASES, LEASES, TRIAGES, REPORTS, PAIRS, VERSIONS, WEBHOOKS, DELIVERIES, ENTRIES_LIST,
)  # fmt: skip
# Accounts and settings, what everybody may see, and embargoes, which have no marking of a row: their routes tell.
OPEN = (
    APPROVALS, SESSIONS, TOKENS, EMBARGOES, ORGANISATIONS, CLIENTS, MEMBERS, LISTS, RECIPIENTS, ASIDE,
)  # fmt: skip


@pytest.mark.parametrize("one", MARKED, ids=lambda one: one.name)
def test_a_list_of_marked_rows_says_so(one: Listing[object]) -> None:
    assert one.marked


@pytest.mark.parametrize("one", [*MARKED, *OPEN], ids=lambda one: one.name)
def test_no_list_has_the_number_of_an_audience(one: Listing[object]) -> None:
    assert not {"aud", "auds", "open_aud"} & {*one.record.__struct_fields__}


def test_of_all_that_the_api_answers_only_questions_about_markings_have_that_number() -> None:
    import json
    from pathlib import Path

    described = json.loads((Path(__file__).parents[3] / "schemas/openapi.json").read_text())
    having = {
        name
        for name, schema in described["components"]["schemas"].items()
        if {"aud", "auds", "open_aud"} & {*schema.get("properties", ())}
    }
    assert having == {"Marked", "Meaning"}  # the first is what a change of it starts from, in one moment


def test_every_list_of_the_product_is_one_or_the_other() -> None:
    import ast
    from pathlib import Path

    import clearway

    texts = (file.read_text() for file in Path(clearway.__file__).parent.rglob("*.py"))
    names = {
        target.id
        for text in texts
        if "Listing" in text or "Triages" in text  # to read all the others as code takes seconds
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Assign | ast.AnnAssign)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Name)
        and node.value.func.id in ("Listing", "Triages")  # the latter has words of its own
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    assert names == {
        "ASSETS", "FINDINGS", "CASES", "LEASES", "TRIAGES", "REPORTS", "APPROVALS", "SESSIONS", "TOKENS", "EMBARGOES",
        "ORGANISATIONS", "CLIENTS", "MEMBERS", "LISTS", "RECIPIENTS", "ASIDE", "VERSIONS", "WEBHOOKS", "DELIVERIES",
        "ENTRIES_LIST", "PAIRS",
    }  # fmt: skip
    assert not any(one.marked for one in OPEN)
