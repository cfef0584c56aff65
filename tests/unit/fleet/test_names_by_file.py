"""What an asset is called whose document names none: never one where there may be two."""

from __future__ import annotations

import pytest

from clearway.exposure.fleet.naming import alike, in_several, place_name, upload_name


@pytest.mark.parametrize(
    ("place", "subject", "name"),
    [
        ("/h/web.cdx.json", "shop", "web.cdx"),
        ("/h/web-11/bom.json", "shop", "web-11/shop"),
        ("/h/web-11/bom.json", "web-11", "web-11"),
        ("/h/web-11/bom.json", "", "web-11"),
        ("/h/web-11/target/bom.xml", "", "web-11"),
        ("/h/2026-11-01/web-11/sbom-2026-11-01.cdx.json", "shop:1.2", "web-11/shop"),
        ("/h/web-11-2026-11-01/cyclonedx.json", "", "web-11"),
        ("/repo/a/requirements-dev.txt", "", "a"),
        ("/repo/a/package-lock.json", "", "a"),
        ("/h/web1/src/requirements.txt", "", "web1/src"),
        ("/h/web2/src/requirements.txt", "", "web2/src"),
        ("/h/web1/app/backend/target/bom.json", "shop", "web1/app/backend/shop"),
        ("/src/requirements.txt", "", "src"),
        ("/tmp/tmp.Xy12/bom.json", "shop", "shop"),
        ("-", "shop", "shop"),
        ("-", "", "-"),
        ("/x/all.zip!inner.cdx.json", "", "all.zip!inner.cdx"),
        ("/x/sb-2026-11-01.tar!host-77.cdx.json", "", "sb.tar!host-77.cdx"),
        ("/x/2026-11-01.zip!host-77.cdx.json", "", "host-77.cdx"),
        ("/x/sb-20261101T0830.tar.zst!hosts/web-1/bom.json", "shop", "web-1/shop"),
        ("/x/site-a-2026-11-01.zip!bom.json", "shop", "site-a/shop"),
    ],
)
def test_a_file_that_all_tools_call_alike_is_known_by_its_folder_and_subject(
    place: str, subject: str, name: str
) -> None:
    assert place_name(place, subject) == name


def test_a_name_that_stands_in_several_folders_of_the_run_is_told_by_them() -> None:
    places = [
        "/h/web-11/scan.json",
        "/h/web-12/scan.json",
        "/h/web-12/own.json",
        "/h/a.zip!x/y.json",
        "/h/b.zip!x/y.json",
    ]
    assert in_several(places) == {"scan.json", "y.json"}
    assert place_name(places[0], several=True) == "web-11/scan"
    assert in_several(places[:1] * 2) == frozenset()


def test_folders_of_one_name_are_told_by_what_is_above_them() -> None:
    places = [
        "/w/m1/bom.json",
        "/w2/m1/requirements.txt",
        "/w/m2/bom.json",
        "/w/m1/scan.json",
        "/w2/m1/own.json",
    ]
    places += [
        "/x/w/m3/y/scan.json",
        "/z/w/m3/y/scan.json",
        "/x/2026-11-01/d/bom.json",
        "/x/2026-11-08/d/bom.json",
    ]
    longer = alike(places)
    names = [place_name(p, several="y/scan" in p, folder=longer.get(p, "")) for p in places]
    assert names[:5] == ["w/m1", "w2/m1", "m2", "scan", "own"]
    assert names[5:] == ["x/w/m3/y/scan", "z/w/m3/y/scan", "d", "d"]


def test_of_an_upload_no_folder_is_known() -> None:
    assert upload_name("bom.json", "shop") == "shop"
    assert upload_name("bom.json") == "bom"
    assert upload_name("web.cdx.json", "shop") == "web"
