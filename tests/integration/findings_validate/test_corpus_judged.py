"""Published flaws, judged for real: each pair at E2 or higher where its files are there (scripts/fetch_corpus.py)."""

from __future__ import annotations

import json
import os
import re
import tarfile
from pathlib import Path

import pytest

from clearway.findings.validate import recipe
from clearway.findings.validate.build import Builder
from clearway.findings.validate.files import Folders
from clearway.findings.validate.judge import Subject, judge
from clearway.records.errors import NotFoundError
from clearway.sandbox import Backend

ROOT = Path(__file__).resolve().parents[3]
CACHE = Path(
    os.environ.get("CLEARWAY_CORPUS_CACHE")
    or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "clearway" / "corpus"
)
QUICK = ("CVE-2024-22195",)
FOLDERS = sorted(p.parent for p in (ROOT / "corpus").glob("*/recipe.json"))
# What a fix breaks in its turn: E3 says so of Debian's patch for two (an insertion in the middle is refused), and of
# mistune 2.0.3 (emphasis and strong emphasis in one line are read as one in the other).
REACHES = {"CVE-2023-53154": 4, "CVE-2023-50471": 2, "CVE-2023-50472": 2, "CVE-2022-34749": 2}


@pytest.mark.parametrize(
    "name",
    [pytest.param(f.name, marks=() if f.name in QUICK else pytest.mark.slow) for f in FOLDERS],
)
def test_a_published_flaw_reaches_its_level(box: Backend, builds: Path, name: str) -> None:
    folder = ROOT / "corpus" / name
    subject = Subject(recipe=recipe.read((folder / "recipe.json").read_bytes()), files=Folders(folder, CACHE))
    wanted = REACHES.get(name, 3)
    try:
        found = judge(box, Builder(box, builds), subject, upto=max(wanted, 3), seconds=3.0)
    except NotFoundError as error:
        pytest.skip(f"{name}: {error.where} is not in {CACHE}")
    assert found.ladder.level == wanted, found.ladder


def test_debians_rows_are_what_its_changelog_says() -> None:
    """deb-changelog(5): an entry names the flaws that its version ends."""
    packed = CACHE / "cjson_1.7.15-1+deb12u4.debian.tar.xz"
    if not packed.is_file():
        pytest.skip(f"{packed} is not there")
    with tarfile.open(packed) as archive:
        file = archive.extractfile("debian/changelog")
        assert file is not None
        text = file.read().decode()
    ends: dict[str, str] = {}
    for entry in re.split(r"^(?=cjson \()", text, flags=re.M)[1:]:
        version = entry.partition("(")[2].partition(")")[0]
        ends |= dict.fromkeys(re.findall(r"CVE-\d+-\d+", entry), version)
    rows = [json.loads(line) for line in (ROOT / "corpus" / "facts.jsonl").read_bytes().splitlines()]
    said = {row["id"]: row for row in rows if row["affected"][0]["package"]["ecosystem"] == "Debian:12"}
    assert len(said) == 4
    for name, row in said.items():
        (given,) = row["affected"][0]["ranges"]
        assert given["events"] == [{"introduced": "0"}, {"fixed": ends[name]}]
