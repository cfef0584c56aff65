"""The pages of leases: the calendar, the question, one lease, whose, proofs of control; and the command line."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from clearway.app.cli import main
from clearway.findings.lease import calendar
from lease_house import NET, House
from site_client import Site, words


@pytest.fixture
def pages(one_site: Site, house: House) -> Site:
    return one_site


def test_a_question_becomes_a_lease_on_the_calendar_and_in_the_list(pages: Site, house: House) -> None:
    cookie = house.finder.cookie
    assert "No lease is here" in words(pages.page(cookie, "/leases"))
    answer = pages.post(
        cookie, "/leases/ask", 303, activity="fuzzing", scope="pkg:pypi/requests@2.31.0\n", label="night run"
    )
    at = answer.headers["location"]
    html = pages.page(cookie, at)
    shown = words(html)
    assert "Fuzzing" in shown
    assert "requests@2.31.0" in shown.replace(" ", "")
    listed = pages.page(cookie, "/leases")
    assert listed.count("night run") >= 1
    assert "Leases by day" in words(listed)
    fence = html.split('name="fence" value="')[1].partition('"')[0]
    assert fence in shown
    pages.post(cookie, f"{at}/renewal", 303, fence=fence)
    pages.post(cookie, f"{at}/renewal", 409, fence="1")
    pages.post(cookie, f"{at}/release", 303)
    assert "Given back" in words(pages.page(cookie, at))


def test_what_does_not_fit_is_said_beside_its_field(pages: Site, house: House) -> None:
    cookie = house.finder.cookie
    shown = pages.post(cookie, "/leases/ask", 422, activity="port", scope="192.0.2.1\n0.0.0.0/0").text
    assert "line 2" in words(shown)
    for field, value in (("until", "soon"), ("rate", "fast"), ("ttl_min", "x"), ("sources", "here")):
        typed = {"activity": "fuzzing", "scope": "pkg:pypi/x", field: value}
        assert f"#field-{field}" in pages.post(cookie, "/leases/ask", 422, **typed).text
    assert "Refused" in words(pages.post(cookie, "/leases/ask", 200, activity="port", scope=NET).text)


def test_who_may_not_scan_has_no_form_and_no_lease(pages: Site, house: House) -> None:
    cookie = house.colleague.cookie
    assert "You hold no leases" in words(pages.page(cookie, "/leases/ask"))
    pages.post(cookie, "/leases/ask", 422, activity="fuzzing", scope="pkg:pypi/x")
    assert "lease.granted" not in house.acts()


def test_whose_is_answered_on_its_page(pages: Site, house: House) -> None:
    house.prove(house.finder)
    lease = house.lease(house.finder, NET, sources=("198.51.100.7",))
    cookie = house.operator.cookie
    shown = pages.post(cookie, "/leases/whose", 200, source="198.51.100.7", target="192.0.2.9").text
    assert lease.reference in words(shown)
    assert "Nothing is known" in words(
        pages.post(cookie, "/leases/whose", 200, source="198.51.100.8", target="192.0.2.9").text
    )
    pages.post(cookie, "/leases/whose", 422, source="x", target="192.0.2.9")


def test_proofs_are_begun_and_what_owners_say_is_kept(pages: Site, house: House) -> None:
    cookie = house.operator.cookie
    pages.post(cookie, "/leases/controls", 303, scope="*.example.org", method="dns-txt")
    shown = words(pages.page(cookie, "/leases/controls"))
    assert "_clearway-scan-control.example.org" in shown
    assert "not proven" in shown
    pages.post(cookie, "/leases/controls/1/stance", 303, stance="cap", max_rate="5", authorised="lab")
    assert "At most 5.0 requests a second. Authorised: lab." in words(pages.page(cookie, "/leases/controls"))
    pages.post(cookie, "/leases/controls/1/stance", 422, stance="cap")
    pages.post(cookie, "/leases/controls", 422, scope="*.example.org", method="well-known")
    pages.post(cookie, "/leases/controls/1/end", 303)
    assert "Nothing is proven" in words(pages.page(cookie, "/leases/controls"))


def test_a_window_is_on_each_day_that_it_touches(house: House) -> None:
    now = datetime.now(UTC)
    start = calendar.begins(now) + timedelta(days=8, hours=20)
    lease = house.lease(
        house.finder, "pkg:pypi/x", activity="fuzzing", starts=start, until=start + timedelta(hours=30)
    )
    days = [day for week in calendar.weeks([lease], now) for day in week]
    assert len(days) == 35
    assert days[0].day.weekday() == 0
    assert [n for n, day in enumerate(days) if day.leases] == [8, 9, 10]
    assert sum(day.today for day in days) == 1
    assert [day.more for day in calendar.weeks([lease] * 6, now)[1]] == [0, 2, 2, 2, 0, 0, 0]


def test_the_command_line_asks_renews_lists_and_gives_back(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CLEARWAY_DATABASE_URL", house.people.url)

    def clearway(*words: str, code: int = 0) -> str:
        done = main(["--home", str(house.home), "finding", "lease", *words])
        out, err = capsys.readouterr()
        assert done == code, err
        return out

    asked = json.loads(clearway("ask", "pkg:pypi/requests@2.31.0", "--activity", "fuzzing", "--json"))
    lease = asked["lease"]
    clearway("renew", lease["reference"], "--fence", str(lease["fence"]))
    clearway("renew", lease["reference"], "--fence", "1", code=7)
    assert lease["reference"] in clearway("list")
    assert "released" in clearway("release", lease["reference"])
    assert clearway("whose", "198.51.100.7", "192.0.2.9").startswith("unknown")
    assert clearway("ask", NET, "--activity", "port", code=5).startswith("refused")
    assert "in-addr.arpa" in clearway("control", NET)


def test_a_withdrawn_lease_and_its_owners_proof_say_so_on_their_pages(pages: Site, house: House) -> None:
    owned = house.prove(house.finder, authorised=["rival"])
    theirs = house.lease(house.rival, NET, sources=("198.51.100.7",))
    assert "were ended" not in words(pages.page(house.finder.cookie, "/leases/controls"))
    pages.post(house.finder.cookie, f"/leases/controls/{owned.id}/stance", 303, stance="refuse")
    at = f"/leases/{theirs.reference}"
    shown = pages.post(house.rival.cookie, f"{at}/renewal", 409, fence=str(theirs.fence)).text
    assert "does not want it scanned" in words(shown)
    scan = {"source": "198.51.100.7", "target": "192.0.2.9", "at": ""}
    told = words(pages.post(house.operator.cookie, "/leases/whose", 200, **scan).text)
    assert "It was of a participant, and is no more" in told
    assert theirs.reference in told
    assert "Leases of others were ended by it" in words(pages.page(house.finder.cookie, "/leases/controls"))
    html = pages.page(house.rival.cookie, at)
    assert "Withdrawn" in words(html)
    assert "The owner does not want it scanned." in words(html)
    assert "Renew it" not in html
    listed = words(pages.page(house.rival.cookie, "/leases?state=withdrawn"))
    assert theirs.reference in listed.replace(" ", "")
    assert theirs.reference not in words(pages.page(house.rival.cookie, "/leases?state=held")).replace(
        " ", ""
    )


def test_a_claim_is_told_as_one(pages: Site, house: House) -> None:
    house.lease(house.rival, "192.0.0.0/8", activity="passive", sources=("203.0.113.7",))
    shown = pages.post(
        house.finder.cookie, "/leases/whose", 200, source="203.0.113.7", target="192.0.2.7"
    ).text
    assert "Somebody claims it" in words(shown)
