"""Pure parts of the fleet: what a version is known by, and which claims are intervals."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from clearway.advisories.table import Claim
from clearway.exposure.fleet.pieces import pieces
from clearway.exposure.fleet.version import body_of, clean, component_of, digest_of, version_of
from clearway.exposure.fleet.wanted import Filter, conditions
from clearway.records.errors import UsageError
from clearway.records.inventory import Component
from clearway.versions import key

DEB = Component(
    ecosystem="Debian:12", name="libssl3", version="3.0.9-1", source_name="openssl", arch="amd64",
    purl="pkg:deb/debian/libssl3@3.0.9-1?arch=amd64&distro=debian-12",
)  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ecosystem", "Debian:13"), ("version", "1:3.0.9-1"), ("source_name", ""), ("source_version", "3.0.9-2"),
        ("arch", "arm64"), ("module_stream", "nodejs:18"), ("commit", "a" * 40),
    ],
)  # fmt: skip
def test_every_qualifier_that_can_change_a_verdict_makes_another_version(field: str, value: str) -> None:
    assert digest_of(replace(DEB, **{field: value})) != digest_of(DEB)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("place", "components[7]"), ("host", "web-1"), ("exposure", "public"), ("cpes", ("cpe:2.3:a:x:y:1",)),
        ("purl", "pkg:deb/debian/libssl3@3.0.9-1?distro=debian-12.4&arch=amd64"),
    ],
)  # fmt: skip
def test_where_it_was_seen_and_how_a_tool_writes_it_make_no_other_version(field: str, value: object) -> None:
    assert digest_of(replace(DEB, **{field: value})) == digest_of(DEB)


def test_without_an_ecosystem_the_purl_and_the_cpes_tell() -> None:
    bare = Component(name="x", version="1", purl="pkg:generic/x@1", cpes=("cpe:2.3:a:v:x:1",))
    assert digest_of(replace(bare, purl="pkg:conda/x@1")) != digest_of(bare)
    assert digest_of(replace(bare, cpes=())) != digest_of(bare)


def test_a_debian_package_is_looked_up_by_its_source_and_an_rpm_by_both() -> None:
    assert [(k.name, k.unless) for k in version_of(DEB).lookups] == [("openssl", None)]
    rpm = Component(ecosystem="AlmaLinux:8", name="vim-common", version="8-1.el8", source_name="vim")
    assert [(k.name, k.unless) for k in version_of(rpm).lookups] == [
        ("vim-common", None),
        ("vim", ("AlmaLinux:8", "vim-common")),
    ]


@pytest.mark.parametrize(
    ("component", "plain"),
    [
        (DEB, True),
        (Component(ecosystem="PyPI", name="django", version="4.1"), True),
        (Component(ecosystem="PyPI", name="django", version="latest"), False),
        (Component(ecosystem="PyPI", name="django"), False),
        (Component(ecosystem="AlmaLinux:8", name="nodejs", version="1:16-1.module_el8"), False),
        (Component(ecosystem="vendor", vendor="acme", name="thing", version="1"), False),
        (Component(name="thing", version="1", cpes=("cpe:2.3:a:v:x:1",)), False),
        (replace(DEB, commit="a" * 40), False),
        (replace(DEB, problem="broken"), False),
    ],
    ids=str,
)
def test_plain_is_what_comparing_one_key_decides(component: Component, plain: bool) -> None:
    assert version_of(component).plain is plain


def test_a_component_comes_back_from_its_row_and_texts_are_storable() -> None:
    kept = component_of(body_of(version_of(DEB)))
    assert digest_of(kept) == digest_of(DEB)
    hostile = clean(Component(ecosystem="npm", name="a\0b\ud800", version="1\0"))
    assert "\0" not in hostile.name + hostile.version
    hostile.name.encode()


def _claim(**more: object) -> Claim:
    low, high = key("pypi", "1.0"), key("pypi", "2.0")
    given = {"record": "R", "source": "s", "status": "affected", "scheme": "pypi",
             "intervals": ((low, high, "1.0", "2.0", "fixed"),), **more}  # fmt: skip
    return Claim(**given)  # type: ignore[arg-type]


def test_intervals_and_listed_versions_are_pieces() -> None:
    found = pieces("PyPI", [_claim(listed=((key("pypi", "3.0"), "3.0"), (b"", "odd")))])
    assert found is not None
    assert [(p.fixed, p.basis, p.verdict) for p in found] == [("2.0", "range", 1), ("", "listed", 1)]


def test_what_a_record_can_not_tell_of_is_unknown_around_what_it_tells() -> None:
    found = pieces("PyPI", [_claim(unread="a range can't be ordered")])
    assert found is not None
    assert [(p.verdict, p.lo[:1] == b"", p.hi == b"\xff") for p in found] == [
        (1, False, False), (2, True, False), (2, False, True),
    ]  # fmt: skip


def test_the_purl_that_is_shown_says_what_decides_and_nothing_else() -> None:
    minor = replace(DEB, purl="pkg:deb/debian/libssl3@3.0.9-1?distro=debian-12.5&arch=amd64&secret=x")
    shown = "pkg:deb/debian/libssl3@3.0.9-1?arch=amd64&distro=debian-12&upstream=openssl"
    assert [version_of(c).component.purl for c in (DEB, minor)] == [shown, shown]
    rpm = Component(
        ecosystem="AlmaLinux:8", name="npm", version="1:8.19.2-1", source_name="nodejs", source_version="1:16.18.1-3",
        module_stream="nodejs:16", purl="pkg:rpm/almalinux/npm@8.19.2-1?epoch=1&rpmmod=nodejs:16",
    )  # fmt: skip
    assert version_of(rpm).component.purl == (
        "pkg:rpm/almalinux/npm@8.19.2-1?distro=almalinux-8&epoch=1&rpmmod=nodejs:16&upstream=nodejs%401:16.18.1-3"
    )
    plain = Component(ecosystem="PyPI", name="a", version="1", purl="pkg:pypi/a@1?x=y")
    assert version_of(plain).component.purl == "pkg:pypi/a@1"


@pytest.mark.parametrize(
    "claim",
    [
        _claim(status="not_affected"),
        _claim(scheme="semver"),
        _claim(intervals=((b"", b"\xff", "0", "", ""), (key("pypi", "1.0"), b"\xff", "1.0", "", ""))),
    ],
    ids=("clears", "another order", "overlaps"),
)
def test_anything_else_is_for_the_judge(claim: Claim) -> None:
    assert pieces("PyPI", [_claim(), claim]) is None


def test_what_people_type_never_becomes_sql() -> None:
    hostile = "'; drop table clearway.asset; --"
    found = conditions(Filter(name=hostile, asset_name=hostile + "*", flaw=hostile, yes={"tier": (hostile,)}))
    assert hostile not in found.text
    assert hostile in str(found.values)
    with pytest.raises(UsageError):
        conditions(Filter(yes={hostile: ("x",)}))
