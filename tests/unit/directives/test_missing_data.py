"""What each policy does about missing data (docs/decisions/0005)."""

from __future__ import annotations

import pytest

from clearway.directives import NOT_LOADED, UNKNOWN, Fact, decide, load

BOD = load("bod-26-04")
Q = UNKNOWN
X = NOT_LOADED


def facts(exposed: str, kev: str, automatable: str, impact: str) -> dict[str, Fact]:
    values = {"exposed": exposed, "kev": kev, "automatable": automatable, "impact": impact}
    return {point: Fact(point=point, value=value) for point, value in values.items()}


# policy, exposed, kev, automatable, impact -> code, row, rows, basis
CASES = {
    "an unlisted CVE without metadata is 60 days, whether exposed": (
        ("cisa_60d", "yes", "no", Q, Q),
        ("60D", None, (5, 6, 7, 8), "defaulted"),
    ),
    "or internal": (("cisa_60d", "no", "no", Q, Q), ("60D", None, (13, 14, 15, 16), "defaulted")),
    "and unknown exposure is exposed": (
        ("cisa_60d", Q, "no", Q, Q),
        ("60D", None, (5, 6, 7, 8), "defaulted+assumed_exposed"),
    ),
    "unknown exposure is shown even where all else is published": (
        ("cisa_60d", Q, "no", "no", "partial"),
        ("60D", 8, (8,), "published+assumed_exposed"),
    ),
    "half of the metadata: the default never goes against what is published": (
        ("cisa_60d", "yes", "no", "yes", Q),
        ("14D", None, (5, 6), "defaulted"),
    ),
    "half of the metadata: 60 days where that is possible": (
        ("cisa_60d", "yes", "no", "no", Q),
        ("60D", None, (7, 8), "defaulted"),
    ),
    "a missing value that cannot change the answer is not missed": (
        ("cisa_60d", "no", "no", "no", Q),
        ("FSU", 15, (15, 16), "published"),
    ),
    "a listed item with unknown values takes the strictest possible row": (
        ("cisa_60d", "yes", "yes", Q, Q),
        ("3DF", 1, (1, 2, 3, 4), "strictest"),
    ),
    "and only among the rows that what is known leaves": (
        ("cisa_60d", "yes", "yes", Q, "partial"),
        ("3D", 2, (2, 4), "strictest"),
    ),
    "a listed internal item with partial impact needs no more": (
        ("cisa_60d", "no", "yes", Q, "partial"),
        ("14D", 10, (10, 12), "published"),
    ),
    "KEV not loaded is not 'not listed': no default applies": (
        ("cisa_60d", "yes", X, Q, Q),
        ("3DF", 1, (1, 2, 3, 4, 5, 6, 7, 8), "strictest+kev_not_loaded"),
    ),
    "KEV not loaded: both possibilities stay, the stricter decides": (
        ("cisa_60d", "yes", X, "no", "partial"),
        ("14D", 4, (4, 8), "strictest+kev_not_loaded"),
    ),
    "KEV not loaded is named even where it cannot matter": (
        ("strict_incomplete", "yes", X, "yes", "partial"),
        ("3D", 2, (2, 6), "strictest+kev_not_loaded"),
    ),
    "SSVC not loaded is not 'not published': no default applies": (
        ("cisa_60d", "yes", "no", X, X),
        ("3D", 5, (5, 6, 7, 8), "strictest+automatable_not_loaded+impact_not_loaded"),
    ),
    "FedRAMP's reading: unknown automatable is yes": (
        ("fedramp_assume_automatable", "yes", "no", Q, "partial"),
        ("14D", 6, (6,), "assumed_automatable"),
    ),
    "FedRAMP's reading says nothing of the impact, so the strictest": (
        ("fedramp_assume_automatable", "yes", "no", Q, Q),
        ("3D", 5, (5, 6), "strictest+assumed_automatable"),
    ),
    "strict: no default at all": (
        ("strict_incomplete", "yes", "no", Q, Q),
        ("3D", 5, (5, 6, 7, 8), "strictest"),
    ),
    "strict and internal": (
        ("strict_incomplete", "no", "no", Q, Q),
        ("60D", 13, (13, 14, 15, 16), "strictest"),
    ),
    "strict with nothing known": (
        ("strict_incomplete", Q, Q, Q, Q),
        ("3DF", 1, (1, 2, 3, 4, 5, 6, 7, 8), "strictest+assumed_exposed"),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_missing(case: str) -> None:
    (policy, *values), (code, row, rows, basis) = CASES[case]
    decision = decide(BOD, facts(*values), policy)
    assert (decision.code, decision.row, decision.rows, decision.basis) == (code, row, rows, basis)


def test_a_range_is_shown_in_the_reasons_whenever_it_is_open() -> None:
    decision = decide(BOD, facts("yes", "yes", Q, Q))
    assert (decision.strictest, decision.lenient) == ("3DF", "14D")
    assert "possible rows 1-4: from 3DF to 14D" in decision.reasons


def test_the_reasons_tell_unknown_from_not_loaded() -> None:
    unknown = " ".join(decide(BOD, facts("yes", Q, "no", "partial")).reasons)
    absent = " ".join(decide(BOD, facts("yes", X, "no", "partial")).reasons)
    assert "no source loaded" not in unknown
    assert "In KEV: no source loaded that could tell" in absent


def test_a_value_that_the_table_lacks_is_unknown_and_never_a_crash() -> None:
    assert decide(BOD, facts("perhaps", "yes", "yes", "total")).basis == "published+assumed_exposed"


def test_a_finding_without_a_cve_is_out_of_scope() -> None:
    decision = decide(BOD, facts("yes", "yes", "yes", "total"), cve="")
    assert (decision.code, decision.days, decision.row, decision.rows) == ("out_of_scope", None, None, ())
    assert "CVE" in decision.reasons[0]
