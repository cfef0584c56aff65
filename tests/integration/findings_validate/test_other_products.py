"""What the desk has fetched lifts a proof of its own product and release. A proof of anything else stays at E1, and so
does one with anything laid over it."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest
from test_desk_validates import ask, reported, wait, worker

from clearway.findings.validate import apart, fetched
from clearway.findings.validate.fetched import Origin
from clearway.findings.validate.files import Given
from clearway.findings.validate.judge import Judged, Subject, judge
from clearway.sandbox import Backend
from findings_targets import COPIES, LONG, MENDED, MENDS, SHORT, c_recipe, read, sha
from findings_world import Desk


def packed(source: bytes, name: str = "main.c") -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as archive:
        member = tarfile.TarInfo(f"toy/{name}")
        member.size = len(source)
        archive.addfile(member, io.BytesIO(source))
    return held.getvalue()


FLAWED, SOUND = packed(COPIES), packed(MENDED)


def orig(name: str, version: str) -> tuple[Origin, ...]:
    upstream = version.partition("-")[0]
    return (Origin(ecosystem="Debian", name=name, version=version, file=f"{name}_{upstream}.orig.tar.gz"),)


def published(patched: dict[str, Any] | None = None, **target: Any) -> dict[str, Any]:
    """A recipe about toy 1 as it was published, with a patch as its fix."""
    base = {"kind": "c", "name": "toy", "version": "1", "archives": {"toy_1.orig.tar.gz": sha(FLAWED)}}
    made = {**c_recipe(COPIES, None), "target": {**base, **target}}
    made["patched"] = {**made["target"], **(patched or {"version": "1+fix", "patches": {"p": sha(MENDS)}})}
    return made


def trial(box: Backend, builds: Path, made: dict[str, Any], *more: bytes, known: set[str]) -> Judged:
    recipe = read(made)
    subject = Subject(
        recipe=recipe, files=Given(FLAWED, SOUND, COPIES, MENDED, MENDS, LONG, SHORT, *more),
        known=frozenset(known), document="of nobody",
    )  # fmt: skip
    return judge(box, apart.Builder(box, builds), subject, upto=2)


@pytest.mark.slow
def test_at_the_desk_a_proof_on_another_products_published_sources_stays_at_e1(desk: Desk) -> None:
    corpus = desk.home / fetched.FOLDER
    corpus.mkdir(parents=True)
    (corpus / "a").write_bytes(FLAWED)
    finding = reported(desk, published(), more=(FLAWED, MENDS))
    with worker(desk):
        bare = wait(desk, ask(desk, finding, vouched=(), upto=2))
        assert bare.level == 1
        assert "without a note of what they were fetched as: fetch them again" in bare.why
        fetched.write(corpus, {sha(FLAWED): orig("flawedlib", "1-1")})
        other = wait(desk, ask(desk, finding, vouched=(), upto=2))
        assert other.level == 1
        assert "1 of them were fetched as another product or release" in other.why
        fetched.write(corpus, {sha(FLAWED): orig("toy", "1-1")})
        assert wait(desk, ask(desk, finding, vouched=(), upto=2)).level == 2
        homonym = reported(desk, published(), more=(FLAWED, MENDS), ecosystem="GIT", package="x.org/them/toy")
        assert wait(desk, ask(desk, homonym, vouched=(), upto=2)).level == 1
        (corpus / fetched.NOTE).write_bytes(b"{")
        broken = wait(desk, ask(desk, homonym, vouched=(), upto=2))
        assert (broken.state, broken.level) == ("failed", None)
        assert "no note of what was fetched" in broken.why


OWN = {sha(FLAWED)}


def test_the_sources_and_a_patch_reach_e2_and_so_does_a_later_release(box: Backend, builds: Path) -> None:
    assert trial(box, builds, published(), known=OWN).ladder.level == 2
    later = {"version": "2", "archives": {"toy_2.orig.tar.gz": sha(SOUND)}}
    assert trial(box, builds, published(later), known=OWN | {sha(SOUND)}).ladder.level == 2


SOUND_2 = {"version": "1", "archives": {"toy_1.orig.tar.gz": sha(SOUND)}}


@pytest.mark.parametrize(
    ("made", "known", "word"),
    [
        (
            published({"version": "2", "files": {"main.c": sha(MENDED)}}, **SOUND_2, files={"main.c": sha(COPIES)}),
            set(), "nobody vouches that 3 files",
        ),
        (
            published({"version": "2", "files": {"main.c": sha(MENDED)}}, **SOUND_2, files={"main.c": sha(COPIES)}),
            {sha(SOUND), sha(COPIES), sha(MENDED)}, "it lays 1 files of its own over the target's",
        ),
        (
            published({"version": "2", "archives": {"a": sha(SOUND)}}, archives={"a": sha(SOUND), "b": sha(FLAWED)}),
            {sha(SOUND)}, "nobody vouches that 1 files",
        ),
        (published({"version": "0.9", "archives": {"a": sha(SOUND)}}), OWN | {sha(SOUND)}, "no later release"),
        (published({"version": "1", "archives": {"a": sha(SOUND)}}), OWN | {sha(SOUND)}, "no later release"),
        (published({"version": "2", "files": {"main.c": sha(MENDED)}}), OWN | {sha(MENDED)}, "of its own over"),
    ],
    ids=[
        "the flaw is in the reporter's own file", "the same, and somebody knows the bytes",
        "a hostile archive beside an honest one", "an earlier release", "a release of the same number",
        "the fix is a file that is laid over",
    ],
)  # fmt: skip
def test_what_fires_stays_at_e1_where_flaw_or_fix_may_be_the_reporters_doing(
    box: Backend, builds: Path, made: dict[str, Any], known: set[str], word: str
) -> None:
    found = trial(box, builds, made, known=known)
    assert found.ladder.level == 1, found.ladder
    assert any(word in reason for reason in (*found.capped_by, found.ladder.why)), found


def test_a_target_that_its_recipe_patches_waits_for_a_reader(box: Backend, builds: Path) -> None:
    """The reporter's patch puts the flaw there; that somebody knows its bytes does not say that it is upstream's."""
    breaks = MENDS.replace(b"\n-static", b"\n#static").replace(b"\n+static", b"\n-static")
    breaks = breaks.replace(b"\n#static", b"\n+static")
    lines = breaks.split(b"\n")  # a diff has what goes before what comes
    at = next(n for n, line in enumerate(lines) if line.startswith(b"+static"))
    lines[at], lines[at + 1] = lines[at + 1], lines[at]
    breaks = b"\n".join(lines)
    made = published(
        {"version": "2", "patches": {"p": sha(breaks), "q": sha(MENDS)}},
        **SOUND_2,
        patches={"p": sha(breaks)},
    )
    found = trial(box, builds, made, breaks, known={sha(SOUND), sha(breaks)})
    assert found.ladder.level == 1
    assert "it patches the target itself" in found.capped_by[0]
