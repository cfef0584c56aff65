"""A component is named for people as they know it, and never by a handle of ours."""

from __future__ import annotations

import pytest
from report_rows import report, row

from clearway.directives.component import package_of, where_of
from clearway.directives.reports.as_csv import remediation_csv
from clearway.directives.reports.as_text import remediation_text


@pytest.mark.parametrize(
    ("component", "package"),
    [
        pytest.param("pkg:pypi/alpha@1", "pkg:pypi/alpha@1", id="a purl is its own name"),
        pytest.param(
            "vendor:acme gateway@4.1",
            "acme gateway 4.1",
            id="a vendor's product: our word for it is left out",
        ),
        pytest.param("reported:openssl@1.0.2", "openssl 1.0.2", id="a package that a scanner names"),
        pytest.param("reported:openssl@", "openssl", id="without its version"),
        pytest.param("reported:@types/node@20", "@types/node 20", id="whose name has an @"),
        pytest.param(
            "reported:openssl@1 (another build)", "openssl 1 (another build)", id="twice on one asset"
        ),
        pytest.param("reported:CVE-2026-1@", "", id="no package: the flaw's own id"),
        pytest.param("reported:GHSA-aaaa-bbbb-cccc@", "", id="or another of its ids"),
        pytest.param("reported:plugin-7@", "plugin-7", id="or what the tool calls it"),
    ],
)
def test_the_name_of_a_component(component: str, package: str) -> None:
    assert package_of(component, "CVE-2026-1") == package
    said = f"in {package}" if package else "reported by a scanner without a package"
    assert where_of(component, "CVE-2026-1") == said


def test_a_report_to_read_has_names_and_one_for_programs_the_handle() -> None:
    made = report(
        row(component="reported:openssl@1.0.2"), row("CVE-2026-2", component="reported:CVE-2026-2@")
    )
    text = remediation_text(made)
    assert "CVE-2026-1  openssl 1.0.2  on" in text
    assert "CVE-2026-2  no package named  on" in text
    assert "reported:" not in text
    assert b"reported:openssl@1.0.2" in remediation_csv(made)
