"""One object of a million top-level keys is refused before it costs memory: the reader runs under a limit."""

from __future__ import annotations

import subprocess
import sys

import pytest

from clearway.formats import json_parts
from clearway.formats.json_parts import MAX_KEYS, Parts, top_level
from clearway.records.errors import TooLargeError

# The text (13 MB) is made first; then the process may have 48 MiB more, a sixth of what the keys would cost.
_PROGRAM = """
import resource, sys
from clearway.formats import cyclonedx, detect, inventory, observed, osquery, product_list, strict_json, wrapped
from clearway.formats import _osquery_tables, asset_list, scanner_csv, windows_software
from clearway.records.errors import InputError
inventory.read_inventory(b'{"bomFormat":"CycloneDX","specVersion":"1.6","components":[]}', "warm")
data = sys.argv[1].encode() + b",".join(b'"k%d":0' % n for n in range(1_000_000)) + b"}"
pages = int(open("/proc/self/statm").read().split()[0])
most = pages * resource.getpagesize() + (48 << 20)
resource.setrlimit(resource.RLIMIT_AS, (most, most))
for read in (inventory.read_inventory, observed.read_fleet):
    try:
        read(data, "bom.json")
    except InputError as e:
        print(e.what)
detect.detect(data, "bom.json")
"""


@pytest.mark.parametrize(
    ("start", "reason"),
    [
        ("{", "is not "),
        ('{"bomFormat":"CycloneDX","specVersion":"1.6",', "more than 10,000 top-level keys"),
        ('{"spdxVersion":"SPDX-2.3",', "more than 10,000 top-level keys"),
        ('{"sbom":{"bomFormat":"CycloneDX"},', "more than 10,000 top-level keys"),
    ],
    ids=["of no format", "a CycloneDX document", "an SPDX document", "a wrapper"],
)
def test_a_million_keys_are_refused_in_48_mib(start: str, reason: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, start], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr[-1500:]
    answers = done.stdout.splitlines()
    assert len(answers) == 2
    assert all(answer.startswith(reason) for answer in answers), answers


def test_as_many_keys_as_allowed_are_read_and_repeats_count() -> None:
    within = b"{" + b",".join(b'"k%d":0' % n for n in range(MAX_KEYS)) + b"}"
    parts = Parts(within, "bom.json")
    parts.finish()
    assert len(list(parts)) == len(top_level(within)) == MAX_KEYS
    assert all(type(key) is str for key in parts)
    over = within[:-1] + b',"k0":0}'
    assert top_level(over) == {}
    with pytest.raises(TooLargeError, match=f"more than {MAX_KEYS:,} top-level keys"):
        Parts(over, "bom.json")
    assert json_parts.count_strings(over) == MAX_KEYS + 1
