"""One step of the week is what one update mends: all that an operating system builds from one source package."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clearway.exposure.fleet import week
from fleet_world import DAY, Fleet, fleet_of, kev, osv, package
from intake_world import World

CVE = "CVE-2026-7701"


@pytest.fixture
def fleet(world: World) -> Iterator[Fleet]:
    yield from fleet_of(world)


def _steps(fleet: Fleet) -> list[tuple[str, tuple[str, ...], str]]:
    with fleet.acting() as db:
        return [(s.called, s.names, s.to) for s in week.plan(db, DAY, org=fleet.org, days=60).steps]


def _alpine(name: str, source: str = "") -> str:
    return f"pkg:apk/alpine/{name}@1.34.1-r5?distro=alpine-3.15" + (f"&upstream={source}" if source else "")


def test_what_one_source_package_builds_is_one_step_that_names_all(fleet: Fleet) -> None:
    builds = package("Alpine:v3.15", "busybox", "1.34.1-r9")
    fleet.ingest(osv("ALPINE-" + CVE, builds, aliases=[CVE]), kev("2026.11.20", CVE, added="2026-11-20"))
    which = fleet.asset("db-1", day=DAY)
    fleet.upload(which, _alpine("busybox"), _alpine("ssl_client", "busybox"))
    assert _steps(fleet) == [("busybox and ssl_client", ("busybox", "ssl_client"), "1.34.1-r9")]


def test_packages_that_other_versions_end_stay_steps_of_their_own(fleet: Fleet) -> None:
    fleet.ingest(
        osv("PYSEC-1", package("PyPI", "django", "4.2"), aliases=["CVE-2026-1"]),
        osv("PYSEC-2", package("PyPI", "flask", "3.1"), aliases=["CVE-2026-2"]),
        kev("2026.11.20", "CVE-2026-1", "CVE-2026-2", added="2026-11-20"),
    )
    fleet.upload(fleet.asset("web-1", day=DAY), "pkg:pypi/django@4.1", "pkg:pypi/flask@3.0")
    assert sorted(_steps(fleet)) == [("django", ("django",), "4.2"), ("flask", ("flask",), "3.1")]


def test_many_names_are_cut_with_their_number() -> None:
    step = week.Step(
        ecosystem="Debian:12", name="gcc-12", names=("a", "b", "c", "d", "e", "f"), versions=("1",), to="2", assets=(),
        flaws=(), exposures=(), due=None, overdue=False, tier="FSU", kev=False, forensic=False,
    )  # fmt: skip
    assert step.called == "a, b, c, d and 2 more of gcc-12"
