"""*Search* as different people: exact ids, words, groups, what is nobody's business, and documents kept in step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import psycopg
import pytest

from clearway.access import audience, marking
from clearway.app import indexing, tasks
from clearway.exposure.fleet import asset, prepare, take
from clearway.formats.inventory import read_inventory
from clearway.store import search
from clearway.store.apart import run_apart
from clearway.store.connect import connect
from fleet_world import DAY, Fleet, osv, package
from site_client import Site, words

RECORDS = (
    osv("PYSEC-1", package("PyPI", "django", "4.2"), aliases=["CVE-2026-0001", "GHSA-aaaa-bbbb-cccc"],
        summary="SQL injection in annotate"),
    osv("PYSEC-2", package("PyPI", "flask", "3.0"), aliases=["CVE-2026-0002"], summary="Path traversal"),
    osv("PYSEC-3", package("PyPI", "zope", "5.0"), summary="<script>__ran(1)</script>"),
)  # fmt: skip


@contextmanager
def session(fleet: Fleet) -> Iterator[Callable[[], AbstractContextManager[psycopg.Connection[Any]]]]:
    """What a loop gets: transactions of one session."""
    with connect(fleet.world.url, autocommit=True) as db:

        @contextmanager
        def transaction() -> Iterator[psycopg.Connection[Any]]:
            with db.transaction():
                yield db

        yield transaction


def indexed(fleet: Fleet) -> int:
    """Runs both followers, as the loops do; how many documents were written."""
    with session(fleet) as transaction:
        written = indexing.follow_kept(transaction)
        if fleet.world.path.exists():
            table = fleet.world.table()
            written += indexing.follow_flaws(transaction, table)
            table.close()
    return written


@pytest.fixture
def known(fleet: Fleet) -> Fleet:
    fleet.ingest(*RECORDS)
    fleet.asset("web-1", owner="Shop team", addresses=("203.0.113.7",))
    indexed(fleet)
    return fleet


def hits(here: Site, secret: str, text: str, **more: str) -> dict[str, list[str]]:
    answer = here.http.get(
        "/api/v1/search", params={"q": text, **more}, headers={"authorization": f"Bearer {secret}"}
    )
    assert answer.status_code == 200, answer.text
    return {g["kind"]: [h["title"] for h in g["items"]] for g in answer.json()["groups"]}


@pytest.mark.parametrize("asked", ["CVE-2026-0001", "cve-2026-0001", "GHSA-AAAA-bbbb-cccc", " PYSEC-1 "])
def test_any_exact_id_leads_straight_to_the_flaw(known: Fleet, here: Site, asked: str) -> None:
    assert here.page(known.operator.cookie, f"/search?q={asked}", 303) == "/flaws/CVE-2026-0001"


def test_what_begins_as_a_number_of_a_cve_comes_first_in_the_order_of_numbers(
    fleet: Fleet, here: Site
) -> None:
    numbers = ["2024-1200", "2024-1234", "2024-12345", "2024-12000", "2024-9999", "2023-1234", "2024-123456"]
    fleet.ingest(
        *(
            osv(f"PYSEC-{n}", package("PyPI", f"p{n}", "1"), aliases=[f"CVE-{cve}"])
            for n, cve in enumerate(numbers)
        ),
        osv(
            "PYSEC-90",
            package("PyPI", "other", "1"),
            aliases=["CVE-2020-0001"],
            summary="As CVE-2024-1234 and cve-2024-12",
        ),
    )
    indexed(fleet)
    secret = fleet.operator.secret

    def ids(text: str) -> list[str]:
        return [title.partition(" · ")[0] for title in hits(here, secret, text)["flaw"]]

    twelve = ["2024-1200", "2024-1234", "2024-12000", "2024-12345", "2024-123456"]
    for text in ("CVE-2024-12", "cve-2024-12", " 2024-12 ", "CVE 2024-12"):
        assert ids(text) == [*(f"CVE-{one}" for one in twelve), "CVE-2020-0001"], text
    assert ids("2024-1234") == ["CVE-2024-1234", "CVE-2024-12345", "CVE-2024-123456", "CVE-2020-0001"]
    assert ids("CVE-2024-") == [
        *(f"CVE-{one}" for one in (*twelve[:2], "2024-9999", *twelve[2:])),
        "CVE-2020-0001",
    ]
    csv = here.page(fleet.operator.cookie, "/search.csv?q=2024-1234&kind=flaw").splitlines()
    assert csv[1].startswith("flaw,CVE-2024-1234,")
    assert hits(here, fleet.another().operator.secret, "2024-1299") == {}


def test_a_flaw_that_may_not_be_seen_is_not_found_by_the_beginning_of_its_id(
    known: Fleet, here: Site
) -> None:
    with known.owner() as owner:
        aud = audience.of(owner, marking.own(known.org))
        owner.execute("update clearway.search_doc set aud = %s where ref = 'CVE-2026-0001'", (aud,))
    stranger = known.another().operator.secret
    assert (
        "CVE-2026-0001 · SQL injection in annotate" in hits(here, known.operator.secret, "2026-000")["flaw"]
    )
    assert hits(here, stranger, "2026-000")["flaw"] == ["CVE-2026-0002 · Path traversal"]


def test_the_number_of_a_thing_leads_to_its_page_and_tells_nobody_whether_it_is_there(
    known: Fleet, here: Site
) -> None:
    for who in (known.operator, known.another().operator):
        for number in ("1", "999999"):
            assert here.page(who.cookie, f"/search?q=asset/{number}", 303) == f"/assets/{number}"


def test_words_find_flaws_by_title_and_package_and_assets_by_what_is_said_of_them(
    known: Fleet, here: Site
) -> None:
    me = known.operator.secret
    assert hits(here, me, "injection")["flaw"] == ["CVE-2026-0001 · SQL injection in annotate"]
    assert hits(here, me, "flas")["flaw"] == ["CVE-2026-0002 · Path traversal"]
    assert hits(here, me, "2026-0002")["flaw"] == ["CVE-2026-0002 · Path traversal"]
    for text in ("web-1", "shop team", "203.0.113.7"):
        assert hits(here, me, text) == {"asset": ["web-1"]}
    assert hits(here, me, "injection web-1") == {}
    assert hits(here, me, "water")["organisation"] == ["Water"]


def test_a_component_is_found_by_name_and_purl_on_the_assets_that_run_it(known: Fleet, here: Site) -> None:
    asset = known.asset("batch-1")
    known.upload(asset, "pkg:pypi/apache-airflow@2.7.0", "pkg:pypi/django@4.1")
    known.follow()
    secret = known.people.somebody(known.org, "operator").secret
    for text in ("airflow", "apache-airflow", "pkg:pypi/apache-airflow", "apache-airflow 2.7.0", "Airflow"):
        assert hits(here, secret, text)["component"] == ["apache-airflow 2.7.0 on batch-1"], text
    for text in ("airflow 3", "air%flow", "air_low", "apache_airflow"):
        assert "component" not in hits(here, secret, text), text
    other = known.another()
    assert "component" not in hits(here, other.people.somebody(other.org, "operator").secret, "airflow")
    known.upload(asset, "pkg:pypi/django@4.1")
    assert "component" not in hits(here, secret, "airflow"), "it runs there no more"


def listed(known: Fleet, name: str, data: bytes) -> int:
    """An asset of that name which holds the products of a list."""
    asset = known.asset(name)
    with known.owner(DAY) as owner:
        prepared = prepare.one(owner, known.table, read_inventory(data, "products.csv"), DAY)
    with known.acting() as db:
        take.take(db, asset, prepared, data, day=DAY, witness="list")
    return asset


def test_a_product_is_found_and_called_by_its_vendor(known: Fleet, here: Site) -> None:
    data = b"vendor,product,version\nAcme,Teapot Controller,1.0\nOther,Kettle,1.0\n"
    asset = listed(known, "fw-1", data)
    secret = known.people.somebody(known.org, "operator").secret
    for text in ("acme", "ACME Teapot", "teapot acme 1.0", "Teapot"):
        assert hits(here, secret, text)["component"] == ["Acme Teapot Controller 1.0 on fw-1"], text
    assert "component" not in hits(here, secret, "acme kettle")
    shown = words(here.page(known.operator.cookie, f"/assets/{asset}"))
    assert "Acme Teapot Controller" in shown


def test_a_vendor_is_found_in_any_letters_and_case(known: Fleet, here: Site) -> None:
    data = "vendor,product,version\nMÜLLER Œuvres,Kessel,1.0\nMiller,Kessel,2.0\n".encode()
    listed(known, "fw-2", data)
    secret = known.people.somebody(known.org, "operator").secret
    for text in ("müller", "MÜLLER", "Müll", "kessel œuvres"):
        assert hits(here, secret, text)["component"] == ["MÜLLER Œuvres Kessel 1.0 on fw-2"], text
    assert "component" not in hits(here, secret, "möller")


def test_nobody_finds_what_they_may_not_see(known: Fleet, here: Site) -> None:
    stranger = known.another().operator
    for text in ("web-1", "shop", "203.0.113.7"):
        assert hits(here, stranger.secret, text) == {}
        assert "Nothing that you may see" in words(here.page(stranger.cookie, f"/search?q={text}"))
    assert hits(here, stranger.secret, "traversal")["flaw"]
    here.page("", "/search?q=web-1", 401)
    here.api("", "GET", "/api/v1/search?q=web-1", 401)


def test_a_page_groups_what_is_found_and_foreign_text_stays_text(known: Fleet, here: Site) -> None:
    page = here.page(known.operator.cookie, "/search?q=pysec-3&all=yes")
    assert "<script>__ran" not in page
    assert "1 found for" in words(page)
    assert "It is an id: open its page" in words(page)
    assert "TLP:RED" in words(here.page(known.operator.cookie, "/search?q=web-1"))
    csv = here.page(known.operator.cookie, "/search.csv?q=web-1")
    assert csv.splitlines() == ["kind,id,title,path,marking", csv.splitlines()[1]]
    assert "Search" in words(here.page(known.operator.cookie, "/search"))
    assert "no letter or digit" in words(here.page(known.operator.cookie, "/search?q=%3D%3D"))
    here.page(known.operator.cookie, "/search?q=x&kind=secret", 400)


def test_of_many_a_group_shows_some_and_says_that_there_are_more(fleet: Fleet, here: Site) -> None:
    with fleet.acting() as db:
        for n in range(12):
            asset.add(db, fleet.org, f"web-{n}", exposure="public", since=DAY, said_by="test")
    assert indexed(fleet) == 12
    page = words(here.page(fleet.operator.cookie, "/search?q=web"))
    assert "10 or more found" in page
    assert "10 assets shown; there are more" in page
    assert "12 found" in words(here.page(fleet.operator.cookie, "/search?q=web&kind=asset"))


def test_what_bears_the_very_name_comes_first(fleet: Fleet, here: Site) -> None:
    names = ["django", *(f"django-{n}" for n in range(15))]
    fleet.ingest(*(osv(f"PYSEC-{n}", package("PyPI", name, "4.2")) for n, name in enumerate(names)))
    indexed(fleet)
    assert hits(here, fleet.operator.secret, "django")["flaw"][0] == "PYSEC-0 · django"


def test_documents_follow_events_and_nothing_is_written_twice(known: Fleet, here: Site) -> None:
    assert indexed(known) == 0
    number = known.asset("db-1", owner="Shop team")
    assert hits(here, known.operator.secret, "db-1") == {}
    assert indexed(known) == 1
    with known.acting() as db:
        asset.change(db, number, 1, asset.Details(), name="ledger-1")
    indexed(known)
    assert hits(here, known.operator.secret, "db-1") == {}
    assert hits(here, known.operator.secret, "ledger-1") == {"asset": ["ledger-1"]}


def test_a_flaw_that_is_withdrawn_or_changed_is_found_as_it_is_now(known: Fleet, here: Site) -> None:
    changed = osv("PYSEC-2", package("PyPI", "werkzeug", "3.0"), aliases=["CVE-2026-0002"], summary="Open redirect",
        modified="2026-11-26T00:00:00Z")  # fmt: skip
    known.ingest(changed)
    assert indexed(known) == 1
    assert hits(here, known.operator.secret, "traversal") == {}
    assert hits(here, known.operator.secret, "werkzeug")["flaw"] == ["CVE-2026-0002 · Open redirect"]


def test_of_a_withdrawn_record_its_page_and_the_api_say_when_and_by_whom(known: Fleet, here: Site) -> None:
    known.ingest(RECORDS[2] | {"modified": "2026-11-20T00:00:00Z", "withdrawn": "2026-11-20T00:00:00Z"})
    bearer = {"authorization": f"Bearer {known.operator.secret}"}
    time.sleep(1.1)  # a server looks for a newer table once a second
    said = here.http.get("/api/v1/flaws/PYSEC-3", headers=bearer)
    assert said.status_code == 200, said.text
    (gone,) = said.json()["said"]["withdrawn"]
    assert (gone["source"], gone["on"][:10]) == ("pypa", "2026-11-20")
    shown = here.page(known.operator.cookie, "/flaws/PYSEC-3")
    assert "PYSEC-3 was withdrawn by pypa on 2026-11-20" in words(shown)


def test_a_changed_marking_is_followed_at_once(known: Fleet, here: Site) -> None:
    other = known.another()
    with known.people.owner() as db:
        row = db.execute(
            """select clearway.intern_audience(array[clearway.intern_clause(
                array[clearway.find_group('staff', %s)])])""",
            (other.org,),
        ).fetchone()
        db.execute("update clearway.asset set aud = %s where name = 'web-1'", row)
    assert hits(here, known.operator.secret, "web-1") == {}
    assert hits(here, other.operator.secret, "web-1") == {"asset": ["web-1"]}


def test_documents_are_made_anew_where_events_are_gone(known: Fleet, here: Site) -> None:
    known.asset("late-1")
    with known.people.owner() as db:
        db.execute("delete from clearway.event")
        db.execute("update clearway.event_floor set seq = 1000000")
    assert indexed(known) == 1
    assert hits(here, known.operator.secret, "late-1") == {"asset": ["late-1"]}


def test_a_rare_word_is_found_in_milliseconds_among_thirty_thousand(fleet: Fleet) -> None:
    docs = (
        indexing.Doc(kind="flaw", ref=f"CVE-2026-{n}", title=f"overflow in package{n}", path=f"/flaws/{n}")
        for n in range(30_000)
    )
    start = time.perf_counter()
    with connect(fleet.world.url) as db:
        assert indexing.put_all(db, docs) == 30_000
    print(f"30,000 documents written in {time.perf_counter() - start:.1f} s")
    with connect(fleet.world.url, autocommit=True) as db:
        db.execute("vacuum analyze clearway.search_doc")
    with fleet.acting() as db:
        assert [f.ref for f in search.find(db, "package29999")] == ["CVE-2026-29999"]
        took = _best(lambda: search.find(db, "package29998"))
        plan = db.execute(
            "select count(*) from clearway.search_docs('''package29997''', '{}', 50)"
        ).fetchone()
    assert plan == (1,)
    print(f"rare word: {took * 1000:.2f} ms")


def _best(act: Callable[[], object]) -> float:
    found = []
    for _ in range(5):
        start = time.perf_counter()
        act()
        found.append(time.perf_counter() - start)
    return min(found)


def test_a_whole_table_is_read_in_a_process_of_its_own(
    fleet: Fleet, here: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.ingest(*RECORDS)
    monkeypatch.setattr(indexing, "_APART", 1)
    apart = indexing.follow_flaws_of
    asked: list[tuple[Any, ...]] = []

    def run(work: Callable[..., None], *args: Any) -> None:
        asked.append((work, *args))
        run_apart(work, *args)

    monkeypatch.setattr(tasks, "run_apart", run)
    home = fleet.world.home
    loop = tasks.loops(home, fleet.world.url)["app.search_flaws"]
    with session(fleet) as transaction:
        loop.run(transaction)
        loop.run(transaction)  # nothing has changed: no process
    assert asked == [(apart, home, fleet.world.url)]
    assert hits(here, fleet.operator.secret, "annotate") == {
        "flaw": ["CVE-2026-0001 · SQL injection in annotate"]
    }
