"""What a fix is, and how much it says that it silences two proofs."""

from __future__ import annotations

from hashlib import sha256
from itertools import combinations_with_replacement

import msgspec
import pytest

from clearway.findings.dedup.fixes import Fix, added_lines, digest_of, fix_of, weighed
from clearway.findings.dedup.silence import Crossed, cross
from clearway.findings.validate import recipe as r
from clearway.findings.validate.files import Given


def sha(data: bytes) -> str:
    return sha256(data).hexdigest()


def diff(*added: str) -> bytes:
    return b"--- a/m.c\n+++ b/m.c\n@@ -1 +1 @@\n-    strcpy(to, from);\n" + b"".join(
        b"+    %s\n" % line.encode() for line in added
    )


ONE, TWO, BOTH = (
    diff("if (n > 16) n = 16;"),
    diff("if (n >= 17) { return; }"),
    diff("if (n > 16) n = 16;", "/* as */"),
)
OWN = r.CTarget(name="toy", version="1", archives={"toy.tar.gz": sha(b"toy 1")})
NEW = r.CTarget(name="toy", version="2", archives={"toy.tar.gz": sha(b"toy 2")})


def patched(*diffs: bytes, own: r.CTarget = OWN) -> r.CTarget:
    patches = {**own.patches, **{f"{n}.patch": sha(d) for n, d in enumerate(diffs)}}
    return msgspec.structs.replace(own, version="1+", patches=patches)


def fix(target: r.Target, own: r.Target = OWN) -> Fix:
    return fix_of(own, target, Given(ONE, TWO, BOTH))


def said(mine: Fix, theirs: Fix, *, one_build: bool = True, alone: bool = True) -> str:
    named = {f.digest: f for f in (mine, theirs)}
    row = dict.fromkeys(named, True)
    crossed = cross(row, row)
    assert crossed is not None
    one, other = {mine.digest: mine}, {theirs.digest: theirs}
    return weighed(crossed, one, other, alone=named if alone else (), one_build=one_build).verdict


def test_one_release_is_one_fix_whatever_its_reporters_call_it() -> None:
    one = r.PythonTarget(name="werkzeug", version="2.2.3", wheels={"w.whl": sha(b"w"), "m.whl": sha(b"m")})
    other = r.PythonTarget(
        name="Werkzeug", version="2.2.3.0", wheels={"m.whl": sha(b"m"), "W.whl": sha(b"w")},
        test_wheels={"pytest.whl": sha(b"pytest")},
    )  # fmt: skip
    assert digest_of(one) == digest_of(other)
    assert digest_of(one) != digest_of(msgspec.structs.replace(one, wheels={"w.whl": sha(b"w 2")}))
    assert digest_of(OWN) != digest_of(NEW)
    assert digest_of(patched(ONE)) != digest_of(patched(TWO))


def test_releases_alone_are_never_the_same_flaw() -> None:
    other = msgspec.structs.replace(NEW, version="3", files={"more.c": sha(b"more")})
    assert said(fix(NEW), fix(NEW)) == "likely"
    assert said(fix(NEW), fix(other)) == "likely"
    assert said(fix(NEW), fix(patched(ONE))) == "likely", "one patch may be the whole release as a diff"


@pytest.mark.parametrize("one_build", [False, True])
def test_one_patch_alone_never_says_it(one_build: bool) -> None:
    assert said(fix(patched(ONE)), fix(patched(ONE)), one_build=one_build) == "likely"


def test_two_patches_of_one_of_both_are_one_hand() -> None:
    """Else one reporter joins their finding to another's by two broad patches of their own."""
    mine = {f.digest: f for f in (fix(patched(ONE)), fix(patched(TWO)))}
    theirs = {(f := fix(NEW)).digest: f}
    row = dict.fromkeys([*mine, *theirs], True)
    crossed = cross(row, row)
    assert crossed is not None
    assert weighed(crossed, mine, theirs, alone=row, one_build=True).verdict == "likely"


def test_patches_of_two_hands_say_it() -> None:
    assert said(fix(patched(ONE)), fix(patched(TWO))) == "same"
    assert said(fix(patched(ONE)), fix(patched(BOTH))) == "likely", "a comment more is no other patch"
    assert said(fix(patched(ONE)), fix(patched(TWO)), alone=False) == "likely", "the release may have"
    assert said(fix(patched(ONE)), fix(patched(TWO)), one_build=False) == "same", "each added to the other"


def test_what_is_more_than_diffs_on_the_sources_that_fired_is_a_release() -> None:
    assert fix(patched(ONE)).adds == {b"if(n>16)n=16;"}
    assert fix(patched(ONE, own=NEW)).adds is None
    assert fix(msgspec.structs.replace(patched(ONE), flags=("-DSAFE",))).adds is None
    assert fix(OWN, own=patched(ONE)).adds is None, "diffs that are left out"
    assert fix(patched(ONE), own=patched(TWO)).adds is None, "diffs that are others"


def test_what_a_diff_adds_is_told_without_layout_and_by_what_it_takes_away_where_it_adds_nothing() -> None:
    assert added_lines(ONE) == added_lines(ONE.replace(b"    if (n", b"\tif(n"))
    assert added_lines(diff()) == {b"strcpy(to,from);"}
    assert added_lines(diff("}")) == {b"strcpy(to,from);"}
    assert added_lines(b"") == frozenset()


def test_other_words_of_a_cross_run_stay_as_they_are() -> None:
    different = Crossed(verdict="different", apart=("a", "b"))
    assert weighed(different, {}, {}, alone=(), one_build=True) is different


# The planted program of the benchmark: ten flaws, twins in one function crash alike, and two patches mend both twins.
TWINS = ((0, 1), (2, 3))
MENDS = {
    **{f"fix-{n}": {n} for n in range(10)},
    **{f"fix-{n}-too": {n} for n in range(2, 10)},
    **{f"broad-{n}": set(pair) for n, pair in enumerate(TWINS)},
    "release-1": set(range(10)),
    "release-2": set(range(10)),
}
FIXES = {
    name: Fix(
        digest=name, target=NEW, adds=None if name.startswith("release") else frozenset({name.encode()})
    )
    for name in MENDS
}


def joins(one: tuple[int, str], other: tuple[int, str], *more: str) -> bool:
    """Whether two findings, each a flaw and the fix that came with it, are taken for one, with fixes of others."""
    rows = [{fix: flaw in MENDS[fix] for fix in (one[1], other[1], *more)} for flaw in (one[0], other[0])]
    crossed = cross(*rows)
    if crossed is None:
        return False
    own = [{name: FIXES[name]} for name in (one[1], other[1])]
    return weighed(crossed, *own, alone=FIXES, one_build=True).verdict == "same"


def test_of_planted_flaws_nothing_is_joined_that_is_two_where_one_broad_patch_is_known() -> None:
    found = [(flaw, name) for name, flaws in MENDS.items() for flaw in flaws]
    pairs = [(a, b, joins(a, b)) for a, b in combinations_with_replacement(found, 2)]
    assert [(a, b) for a, b, same in pairs if same and a[0] != b[0]] == []
    joined = {(a, b) for a, b, same in pairs if same}
    assert joined == {
        (a, b)
        for a, b, _ in pairs
        if a[0] == b[0] and a[1] != b[1] and not any(n.startswith("release") for n in (a[1], b[1]))
    }, "of one patch, or of releases, a person decides"


def test_two_broad_patches_of_two_hands_join_twins_until_a_third_fix_tells_them_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(MENDS, "broad-0-too", {0, 1})
    monkeypatch.setitem(FIXES, "broad-0-too", Fix(digest="x", target=NEW, adds=frozenset({b"wide"})))
    assert joins((0, "broad-0"), (1, "broad-0-too")), "the limit that the documentation names"
    assert not joins((0, "broad-0"), (1, "broad-0-too"), "fix-1")


def test_a_patch_is_added_to_another_release_as_its_diffs_alone() -> None:
    theirs = msgspec.structs.replace(NEW, flags=("-O0",), patches={"fix-0.patch": sha(TWO)})
    added = fix(patched(ONE, BOTH)).added_to(theirs)
    assert added == msgspec.structs.replace(
        theirs, patches={**theirs.patches, **(added.patches if added else {})}
    )
    assert added is not None
    assert list(added.patches.values()) == [sha(TWO), sha(ONE), sha(BOTH)]
    assert fix(NEW).added_to(theirs) is None, "a release has none"
    assert (
        fix(patched(ONE)).added_to(r.PythonTarget(name="toy", version="1", wheels={"t.whl": sha(b"t")}))
        is None
    )
