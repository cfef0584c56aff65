"""The filters of the fleet's lists on the command line, and their CSV: as the pages and the API have them.

`--tier 3D` is `?tier=3D` there, and `--not-tier 60D` is `?tier!=60D`; each may be given several times. Imports nothing
heavy, as `--help` needs none of it: that the values are those of the lists is held by a test.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .commands_here import Here

    Facets = Mapping[str, tuple[str, ...]]

ORG = "org"  # `organisation` in an address
# facet -> its values where they are known; what the fleet has where they are not
EXPOSURES: Facets = {
    "status": ("open", "mitigated", "fixed", "not_affected", "accepted"),
    "verdict": ("affected", "unknown"),
    "tier": (),  # the outcomes of whatever directive governs
    "kev": ("yes", "no"),
    "severity": ("critical", "high", "medium", "low", "none", "unrated"),
    "exposure": ("public", "internal", "unknown"),
    "environment": ("production", "development", "unknown"),
    "kind": (),
    "ecosystem": (),
    ORG: (),
}
ASSETS: Facets = {
    "owner": (),
    "environment": ("production", "development", "unknown"),
    "exposure": ("public", "internal", "unknown"),
    "kind": (),
    "support": ("ended", "within_12_months", "later", "unknown"),
    ORG: (),
}
FLAGS = ("edge", "decommissioned")  # of assets: yes or no, and nothing to leave out


class Said(argparse.Action):
    """A text that says something: an empty one, as of a shell's variable that is not set, is no default."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        """Keeps it. Ends as every other wrong argument does where it is empty."""
        if not values.strip():
            raise argparse.ArgumentError(self, "is empty: give a name, or leave it out")
        setattr(namespace, self.dest, values)


def add_facets(parser: argparse.ArgumentParser, facets: Facets, *, any_of: str = "") -> None:
    """Adds `--FACET` and `--not-FACET` for each; the facet `any_of` has the value `all` as well."""
    group = parser.add_argument_group("filters", "each several times; --not-… leaves a value out")
    for facet, values in facets.items():
        what = "SLUG" if facet == ORG else "WORD"
        given = (
            {"choices": (*values, *(("all",) if facet == any_of else ()))} if values else {"metavar": what}
        )
        without = {"choices": values} if values else {"metavar": what}
        group.add_argument(f"--{facet}", action="append", default=[], **given)
        group.add_argument(f"--not-{facet}", action="append", default=[], **without)


def pairs_of(args: argparse.Namespace, here: Here, facets: Facets) -> Iterator[tuple[str, str]]:
    """The facets that `args` has, as parameters of an address.

    Raises:
        NotFoundError: an organisation that is not the caller's.
    """
    for facet in facets:
        for name, end in ((facet, ""), (f"not_{facet}", "!")):
            for value in getattr(args, name, None) or ():
                if facet == ORG:
                    here.org(value, "read")
                yield ("organisation" if facet == ORG else facet) + end, value


def write_csv(part: bytes) -> None:
    """Writes a part of a CSV file to stdout: as it is to a file, harmless on a terminal."""
    if sys.stdout.isatty():
        text = part.decode().replace("\r\n", "\n")
        sys.stdout.write("".join(c if c == "\n" or c.isprintable() else "\ufffd" for c in text))
        return
    sys.stdout.buffer.write(part)
    sys.stdout.buffer.flush()
