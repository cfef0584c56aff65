"""The terms of art: each with a sentence for somebody who meets it for the first time, and its plain words.

The data is `glossary.toml` beside this file. `exact` is the standard's own word, `plain` what the operator's pages
say instead ("attackers use this now"); a term without `plain` reads the same everywhere.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping


class Entry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One term. `means` is one or two sentences; `from_` names the standard that defines it."""

    term: str
    means: str
    from_: str = msgspec.field(default="", name="from")
    exact: str = ""
    plain: str = ""


def folded(term: str) -> str:
    """`term` as a key: "3DF", "3df" and " 3df " are one."""
    return " ".join(term.split()).casefold()


@cache
def entries() -> Mapping[str, Entry]:
    """All entries by their folded term."""
    text = resources.files("clearway.http.pages").joinpath("glossary.toml").read_text("utf-8")
    found = msgspec.convert(tomllib.loads(text)["entry"], list[Entry])
    return {folded(entry.term): entry for entry in found}


def entry(term: str) -> Entry | None:
    """The entry of `term`, whatever its case; None for a term that needs no explaining."""
    return entries().get(folded(term))
