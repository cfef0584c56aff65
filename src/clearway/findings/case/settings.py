"""Who publishes, and by which numbering authority: `cases.toml` in the home.

name = "Example Clearinghouse"
namespace = "https://clearing.example.org"   # a URL under the publisher's control (CSAF 2.1 §3.2.2.9)
contact = "psirt@clearing.example.org"
allow = "10.20.0.0/16"                       # networks that contacts and the CNA may be reached in, beside public

[cna]                                        # CVE Services, as a CNA reaches it
url = "https://cveawg.mitre.org/api"
org = "example"                              # its short name
org_id = "11111111-2222-4333-8444-555555555555"
user = "bot@clearing.example.org"
key_file = "cve-services.key"                # or CLEARWAY_CNA_KEY; never on a command line
"""

from __future__ import annotations

import os
import re
import tomllib
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from clearway.formats.report_advisory import Publisher, is_url
from clearway.records.errors import ConfigError, ConflictError

if TYPE_CHECKING:
    from pathlib import Path

FILE = "cases.toml"
KEY_VARIABLE = "CLEARWAY_CNA_KEY"
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.ASCII)


class Cna(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a CVE numbering authority reaches CVE Services."""

    url: str
    org: str
    org_id: str
    user: str
    key: str = ""
    key_file: str = ""

    def __repr__(self) -> str:
        return f"Cna({self.url}, {self.org})"  # without the key


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The publisher. `cna` None: CVE ids come from elsewhere, and are assigned by hand."""

    name: str
    namespace: str
    contact: str = ""
    allow: str = ""
    cna: Cna | None = None

    @property
    def publisher(self) -> Publisher:
        """As the documents name it."""
        cna = self.cna
        return Publisher(
            name=self.name,
            namespace=self.namespace.rstrip("/"),
            contact=self.contact,
            org_id=cna.org_id if cna else "",
            short_name=cna.org if cna else "",
        )


def read(home: Path) -> Settings:
    """The settings of a home.

    Raises:
        ConflictError: there are none.
        ConfigError: they can't be used.
    """
    path = home / FILE
    if not path.is_file():
        raise ConflictError(
            "it is not said who publishes",
            where=FILE,
            mend=f"write name and namespace into {FILE} in the home",
        )
    try:
        found = msgspec.convert(tomllib.loads(path.read_text("utf-8")), Settings)
        cna = found.cna
        if cna is not None:
            key = os.environ.get(KEY_VARIABLE, "") or cna.key
            if cna.key_file and not key:
                key = (home / cna.key_file).read_text("utf-8").strip()
            found = msgspec.structs.replace(found, cna=msgspec.structs.replace(cna, key=key))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigError(f"the settings of cases can't be used: {error}", where=str(path)) from error
    _check(found, str(path))
    return found


def known(home: Path) -> Settings | None:
    """The settings, None where there are none."""
    return read(home) if (home / FILE).exists() else None


def _check(settings: Settings, place: str) -> None:
    if not settings.name.strip() or not is_url(settings.namespace):
        raise ConfigError(
            "name or namespace is none", where=place, mend="namespace is a URL of the publisher's own"
        )
    cna = settings.cna
    if cna is not None and (
        not is_url(cna.url) or not _UUID.fullmatch(cna.org_id) or not cna.org or not cna.key
    ):
        raise ConfigError("[cna] lacks something", where=place, mend="give url, org, org_id, user and a key")
