"""The text hint: what it looks at, and what it must not."""

from __future__ import annotations

from datetime import date

import pytest

from clearway.findings.dedup.hint import records
from clearway.findings.dedup.hint.compare import FEATURES, Company, Described, Told, features
from clearway.findings.dedup.hint.learnt import Learnt
from clearway.findings.dedup.hint.mix import WEIGHTS, score
from clearway.findings.dedup.hint.words import Terms
from clearway.records.errors import IntegrityError

TEXTS = {
    "gif": "Heap buffer overflow in GifDecode.c of the image library when a crafted GIF is opened.",
    "gif too": "A crafted GIF file overflows a heap buffer: GifDecode.c does not check the frame's width.",
    "login": "The login form redirects to any address that the next parameter names (open redirect).",
    "xml": "External entities are resolved by the XML reader, which discloses local files.",
}


@pytest.fixture
def described() -> dict[str, Described]:
    learnt = Learnt()
    for text in TEXTS.values():
        learnt.add(Terms(text).terms)
    return {name: Described(Told(text, source=name), learnt) for name, text in TEXTS.items()}


def test_two_descriptions_of_one_flaw_score_above_two_flaws(described: dict[str, Described]) -> None:
    company = Company(described.values())
    same = score(described["gif"], described["gif too"], company)
    assert same > 0.5 > score(described["gif"], described["login"], company)
    assert same > score(described["gif too"], described["xml"], company)


def test_ids_links_and_hashes_are_not_looked_at() -> None:
    ids = "CVE-2024-1234, GHSA-aaaa-bbbb-cccc, PYSEC-2024-1, CWE-79"
    assert not Terms(f"Fixed in https://x.example/abcd by 0123456789abcdef; {ids}.").terms


def test_names_versions_and_classes_are_found() -> None:
    found = Terms("XSS in urlize() of django/utils/html.py before 4.2.16")
    assert "django/utils/html.py" in found.names
    assert found.versions == {"4.2.16"}
    assert found.classes == {"xss"}


def test_what_was_learnt_comes_back_from_its_bytes() -> None:
    learnt = Learnt()
    learnt.add(["one", "two"])
    again = Learnt.load(learnt.dump())
    assert (again.documents, again.idf("one")) == (1, learnt.idf("one"))
    assert again.idf("one") < again.idf("three")
    with pytest.raises(IntegrityError):
        Learnt.load(b"short")


def test_there_is_a_weight_for_each_number() -> None:
    assert len(WEIGHTS) == len(FEATURES)


def test_empty_descriptions_compare_to_little(described: dict[str, Described]) -> None:
    empty = Described(Told(""), Learnt())
    assert features(empty, empty)[0] == 0
    assert score(empty, described["gif"]) < 0.5


def test_a_record_is_read_whatever_it_holds() -> None:
    raw = b"""{"summary": "A", "details": "B", "published": "2024-01-02T00:00:00Z", "affected": [{"ranges": [
        {"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "1.2"}]},
        {"type": "GIT", "events": [{"fixed": "ab"}]}
    ]}, "x"]}"""
    found = records.told(raw, "s")
    assert found is not None
    assert (found.text, found.fixed, found.dated) == ("A\nB", {"1.2"}, date(2024, 1, 2))
    for bad in (b"[]", b"{", b'{"summary": 3}', b'{"affected": 3, "details": ""}', b"[" * 100_000):
        assert records.told(bad) is None
