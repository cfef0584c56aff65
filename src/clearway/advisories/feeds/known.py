"""Where the usual publishers publish. Data only: nothing is fetched from here until an operator adds it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from msgspec import Struct

if TYPE_CHECKING:
    from .feed import Layout


class Known(Struct, frozen=True, kw_only=True):
    """A publisher's own address of a feed."""

    layout: Layout
    url: str
    title: str
    options: dict[str, str] = {}
    mirrors: tuple[tuple[str, str], ...] = ()


_OSV = "https://osv-vulnerabilities.storage.googleapis.com/"
_CVE = "https://raw.githubusercontent.com/CVEProject/cvelistV5/main/"
KNOWN: dict[str, Known] = {
    "kev": Known(
        layout="kev",
        url="https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json",
        title="CISA Known Exploited Vulnerabilities",
    ),
    "epss": Known(
        layout="epss",
        url="https://epss.empiricalsecurity.com/epss_scores-current.csv.gz",
        title="EPSS scores, FIRST.org",
    ),
    "cve": Known(
        layout="cve",
        url=_CVE,
        title="CVE records, CVE Program",
        options={
            "baseline": "https://github.com/CVEProject/cvelistV5/releases/download/"
            "cve_{date}_0000Z/{date}_all_CVEs_at_midnight.zip.zip"
        },
    ),
    "cisa-csaf": Known(
        layout="csaf",
        url="https://www.cisa.gov/sites/default/files/csaf/provider-metadata.json",
        title="CISA CSAF advisories",
    ),
}


def osv(ecosystem: str) -> Known:
    """OSV.dev's export of one ecosystem, named as OSV does ("PyPI", "Debian")."""
    return Known(layout="osv", url=f"{_OSV}{quote(ecosystem)}/", title=f"OSV.dev: {ecosystem}")
