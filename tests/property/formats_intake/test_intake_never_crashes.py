"""Whatever arrives, only `ClearwayError` comes back."""

from __future__ import annotations

import copy
import io
import json
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from clearway.formats import archive, detect, intake, strict_json
from clearway.formats._version_text import read
from clearway.records.errors import ClearwayError
from shared import shared

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
)
# Real samples, one or more of each kind, found once.
SAMPLES = (
    ("osv/go.jsonl.zst", 2), ("osv/crates.io.jsonl.zst", 2), ("osv/oss-fuzz.jsonl.zst", 1),
    ("osv/hex-erlang.jsonl.zst", 2), ("vulnrichment/vulnrichment-kev.jsonl.zst", 4),
    ("other-intake/eef-cna-cve-records.tar.zst", 3), ("csaf/cisa-csaf.tar.zst", 3), ("kev/kev.tar.zst", 1),
    ("epss/epss_kev_only-2026-08-22.csv", 1), ("vex/cyclonedx-vex-examples.tar.zst", 12),
    ("vex/aquasecurity-vexhub.tar.zst", 6), ("cpe-overrides/anchore-nvd-data-overrides.jsonl.zst", 2),
)  # fmt: skip


def attempt(kind: str, data: bytes) -> int:
    """How many statements came out; any other error than the family's fails the test."""
    try:
        return len(list(intake.decode(kind, data, "fuzz.json")))
    except ClearwayError as e:
        assert e.where  # noqa: PT017 - every refusal names its place
        return 0


@given(JSON)
def test_any_json_value_is_decoded_or_refused(value: Any) -> None:
    try:
        data = json.dumps(value).encode()
    except UnicodeEncodeError:
        data = json.dumps(value, ensure_ascii=True).encode()
    detect.detect(data, "fuzz.json")
    for kind in detect.RECORD_KINDS:
        attempt(kind, data)


@given(st.binary(max_size=300))
def test_any_bytes_are_decoded_or_refused(data: bytes) -> None:
    detect.detect(data, "fuzz")
    for kind in detect.RECORD_KINDS:
        attempt(kind, data)


@given(
    st.binary(max_size=2000),
    st.sampled_from(
        [b"", b"PK\x03\x04", b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"BZh91AY&SY", b"\xfd7zXZ\x00"]
    ),
)
def test_any_bytes_are_walked(data: bytes, magic: bytes) -> None:
    for item in archive.walk(["-"], stdin=io.BytesIO(magic + data)):
        assert item.place.startswith("-")


@given(JSON)
def test_strict_json_agrees_with_the_standard_library_on_what_both_accept(value: Any) -> None:
    text = json.dumps(value)
    try:
        found = strict_json.loads(text.encode())
    except ClearwayError:
        return
    assert found == json.loads(text)


@given(st.text(max_size=60) | st.from_regex(r"[<>=vV0-9., |x*-]{0,40}", fullmatch=True))
def test_any_version_text_reads_or_stays_text(text: str) -> None:
    reading = read(text)
    assert reading.understood or not (reading.ranges or reading.versions)
    for events in reading.ranges:
        assert events[0].kind == "introduced"
        assert sum(event.kind != "introduced" for event in events) <= 1


@cache
def samples() -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for path, wanted in SAMPLES:
        taken = 0
        for blob in archive.walk([shared(path)]):
            if isinstance(blob, archive.Blob) and (kind := detect.detect(blob.data, blob.place)).is_record:
                found.append((kind.kind, _shortened(kind.kind, blob.data)))
                taken += 1
            if taken == wanted:
                break
    return found


def _shortened(kind: str, data: bytes) -> bytes:
    """Catalogues with a few entries are mutated faster."""
    if kind == "kev-json":
        value = json.loads(data)
        return json.dumps({**value, "vulnerabilities": value["vulnerabilities"][:3]}).encode()
    return b"\n".join(data.split(b"\n")[:5]) if kind.endswith("csv") else data


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    10**30,
    1.5,
    "",
    "x",
    "\x00",
    "\u202e",
    "é" * 300,
    [],
    {},
    [None],
    [[]],
    {"": None},
]


def mutate(value: Any, rng: random.Random) -> Any:
    changed = copy.deepcopy(value)
    for _ in range(rng.randint(1, 3)):
        path = rng.choice(list(places(changed)))
        if not path:
            continue
        holder = changed
        for key in path[:-1]:
            holder = holder[key]
        act = rng.random()
        if act < 0.2:
            del holder[path[-1]]
        elif act < 0.9:
            holder[path[-1]] = copy.deepcopy(rng.choice(ODD))
        else:
            holder[path[-1]] = [copy.deepcopy(holder[path[-1]])]
    return changed


@settings(max_examples=25)
@given(st.integers(min_value=0))
def test_mutated_real_records_are_decoded_or_refused(seed: int) -> None:
    rng = random.Random(seed)
    for kind, data in samples():
        if kind.endswith("csv"):
            noisy = bytearray(data)
            for _ in range(3):
                noisy[rng.randrange(len(noisy))] = rng.randrange(256)
            mutated = bytes(noisy)
        else:
            mutated = json.dumps(mutate(json.loads(data), rng)).encode()
        detect.detect(mutated, "fuzz.json")
        attempt(kind, mutated)


@settings(max_examples=20)
@given(st.integers(min_value=0))
def test_truncated_real_records_are_refused_with_their_place(seed: int) -> None:
    rng = random.Random(seed)
    for kind, data in samples():
        attempt(kind, data[: rng.randrange(len(data))])


@settings(max_examples=60)
@given(st.integers(min_value=0))
def test_damaged_archives_give_what_was_read_and_reasons(seed: int) -> None:
    rng = random.Random(seed)
    for path in ("kev/kev.tar.zst", "osv/cran.jsonl.zst"):
        data = bytearray(_head(shared(path)))
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        for item in archive.walk(["-"], stdin=io.BytesIO(bytes(data))):
            assert item.place


@cache
def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(20_000)
