"""A question as an address has it, completed to what entries have."""

from __future__ import annotations

from clearway.ledger.questions import completed


def test_what_an_address_lacks_is_empty_or_one_of_its_values() -> None:
    found = list(completed([("q", "vpn-1")], [("kind", "q")], {}))
    assert found[-1] == (("q", "vpn-1"), ("kind", ""))
    found = list(completed([], [("organisation",)], {"organisation": ("a", "b")}))
    assert found[-2:] == [(("organisation", "a"),), (("organisation", "b"),)]
    found = list(
        completed([("org", "b"), ("sort", "due")], [("organisation",)], {"organisation": ("a", "b")})
    )
    assert found[1:] == [(), (("organisation", "b"),)]


def test_a_question_is_never_made_less_than_it_is() -> None:
    asked = [("flaw", "CVE-2026-1"), ("status", "open")]
    found = list(completed(asked, [("status",), ("flaw",), ("flaw", "status")], {}))
    assert found == [tuple(asked), tuple(asked)]
