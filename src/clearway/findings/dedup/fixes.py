"""What the fix of a finding is, and how much it says that a fix silences two proofs. Pure.

A fix is what the patched target is built of, whoever sent it: the same files for two findings are one fix. It is a
*patch* where the target that fired is built of the same sources, and diffs alone are added; anything else is a release
as a whole, which mends many flaws at once. Two patches that add mostly the same lines are one patch.
"""

from __future__ import annotations

from hashlib import sha256
from itertools import count
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from ..validate import identity
from ..validate import recipe as r
from .silence import Crossed

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from ..validate.files import Files

_LEAST_LINE = 4  # letters of an added line that tells one patch from another: no brace, no `else`
_MOST_LINES = 20_000


class Fix(Struct, frozen=True, kw_only=True):
    """One fix: `adds` are the lines that a patch adds, `diffs` its files by SHA-256; null and none for a release."""

    digest: str
    target: r.Target
    adds: frozenset[bytes] | None = None
    diffs: tuple[str, ...] = ()

    def added_to(self, target: r.Target) -> r.CTarget | None:
        """Another target with the diffs of this patch and nothing else of it, so that they alone can silence what fires
        there, in whatever release and with whatever harness; None for a release, and for what has no diffs."""
        if not self.diffs or not isinstance(target, r.CTarget):
            return None
        names = (f"{name}.patch" for n in count() if (name := f"fix-{n}") + ".patch" not in target.patches)
        more = dict(zip(names, self.diffs, strict=False))
        return msgspec.structs.replace(target, patches={**target.patches, **more})


def digest_of(target: r.Target) -> str:
    """SHA-256 of what a target is built of: its files by their digests, and for a program in C how it is compiled.

    Names and versions are a reporter's words, and what the tests need is no part of the fix.
    """
    if isinstance(target, r.PythonTarget):
        made: object = ("python", sorted({*target.wheels.values(), *target.sdist.values()}), target.sanitize)
    else:
        made = (
            "c", sorted(_source(target).values()), [*target.archives.values()], sorted(target.files.items()),
            [*target.patches.values()], _series(target), target.compile, target.flags,
        )  # fmt: skip
    return sha256(msgspec.json.encode(made)).hexdigest()


def fix_of(own: r.Target, fixed: r.Target, files: Files) -> Fix:
    """The fix `fixed` of a proof that fired on `own`.

    Raises:
        NotFoundError: one of its diffs is not there.
    """
    added = _diffs(own, fixed)
    if added is None:
        return Fix(digest=digest_of(fixed), target=fixed)
    lines: set[bytes] = set()
    for digest in added:
        lines |= added_lines(files.read(digest))
    return Fix(digest=digest_of(fixed), target=fixed, adds=frozenset(lines), diffs=tuple(added))


def added_lines(diff: bytes) -> frozenset[bytes]:
    """What a unified diff adds, without layout; what it takes away where it adds nothing that tells."""
    lines = diff.splitlines()[:_MOST_LINES]

    def of(sign: bytes) -> frozenset[bytes]:
        found = (b"".join(one[1:].split()) for one in lines if one[:1] == sign and one[:3] != sign * 3)
        return frozenset(one for one in found if len(one) >= _LEAST_LINE)

    return of(b"+") or of(b"-")


def weighed(
    said: Crossed,
    one: Mapping[str, Fix],
    other: Mapping[str, Fix],
    *,
    alone: Collection[str],
    one_build: bool,
) -> Crossed:
    """What a cross-run's `same` is worth; anything else as it was said.

    Two patches of different hands say it, one of either finding. One patch alone may be too broad, in whatever state
    both crash, and a release is: that one release mends two flaws is the usual case.

    Args:
        one: the fixes of the one finding itself, by their digests.
        other: those of the other; what fixes of a third can do is tell the two apart.
        alone: fixes that were tried on the other proof as their diffs alone, added to what that one fired on: the rest
            of a fix that is built of another release may be what silences it.
        one_build: both proofs fired on the same build; for the words alone.
    """
    if said.verdict != "same":
        return said
    mine, theirs = (
        [adds for fix in said.both if fix in alone and fix in own and (adds := own[fix].adds) is not None]
        for own in (one, other)
    )
    if any(_two(a, b) for a in mine for b in theirs):
        return said
    if mine or theirs:
        where = "" if one_build else ", each on its own build"
        words = f"one patch silences both proofs{where}; it may be too broad to tell two flaws apart"
    else:
        words = "a release as a whole silences both proofs, and may mend two flaws at once"
    return msgspec.structs.replace(said, verdict="likely", words=words)


def _two(a: frozenset[bytes], b: frozenset[bytes]) -> bool:
    """Whether two patches are of different hands: under half of the smaller one is in the other."""
    return 2 * len(a & b) < min(len(a), len(b))


def _diffs(own: r.Target, fixed: r.Target) -> list[str] | None:
    """The SHA-256 of the diffs that a fix adds to the target that fired; None for a release."""
    if not isinstance(own, r.CTarget) or not isinstance(fixed, r.CTarget) or type(own) is not type(fixed):
        return None
    if not identity.same_sources(own, fixed):
        return None
    before, after = [*own.patches.values()], [*fixed.patches.values()]
    alike = (own.compile, own.flags, _series(own)) == (fixed.compile, fixed.flags, _series(fixed))
    if not alike or len(after) <= len(before) or after[: len(before)] != before:
        return None
    return after[len(before) :]


def _source(target: r.CTarget) -> r.Files:
    return target.source if isinstance(target, r.DebianTarget) else {}


def _series(target: r.CTarget) -> tuple[str, ...] | None:
    return target.series if isinstance(target, r.DebianTarget) else None
