"""Properties of the readers: they answer or refuse, and never see what another reader would not."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from clearway.formats import strict_json
from clearway.formats.inventory import kind_of, read_inventory
from clearway.formats.json_parts import Parts, count_strings
from clearway.records.errors import InputError

scalars = st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.text(max_size=8))
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)


def accepts(read: Any, data: bytes) -> bool:
    try:
        read(data)
    except InputError:
        return False
    return True


def read_parts(data: bytes) -> None:
    Parts(data, "f").finish()


@given(
    st.dictionaries(st.text(max_size=6), values, max_size=5), st.sampled_from([None, 1, "\t"]), st.booleans()
)
def test_honest_json_of_any_spacing_is_accepted_and_its_strings_counted(
    document: dict[str, Any], indent: Any, spaced: bool
) -> None:
    separators = (" , ", " :\n ") if spaced else None
    data = json.dumps(document, indent=indent, separators=separators, ensure_ascii=spaced).encode(
        "utf-8", "replace"
    )
    strict = accepts(strict_json.loads, data)
    assert accepts(read_parts, data) == strict


@given(st.lists(st.tuples(st.sampled_from(["a", "b", 'q"', "back\\"]), values), max_size=5))
@example([("a", 1), ("a", 1)])
def test_repeated_keys_are_seen_exactly_when_the_strict_reader_sees_them(
    pairs: list[tuple[str, Any]],
) -> None:
    body = ",".join(f"{json.dumps(key)}:{json.dumps(value)}" for key, value in pairs)
    for data in (f"{{{body}}}", f'{{"in":[{{{body}}}]}}', f'{{"in":{{"deep":{{{body}}}}}}}'):
        assert accepts(read_parts, data.encode()) == accepts(strict_json.loads, data.encode())


@given(values)
def test_counting_quotes_counts_strings(value: Any) -> None:
    def strings(item: Any) -> int:
        if isinstance(item, dict):
            return len(item) + sum(map(strings, item.values()))
        return sum(map(strings, item)) if isinstance(item, list) else int(isinstance(item, str))

    assert count_strings(json.dumps(value).encode()) == strings(value)


FIELDS = [
    "bomFormat",
    "specVersion",
    "components",
    "metadata",
    "component",
    "name",
    "version",
    "purl",
    "cpe",
    "type",
    "group",
    "properties",
    "value",
    "vulnerabilities",
    "analysis",
    "state",
    "affects",
    "ref",
    "spdxVersion",
    "packages",
    "SPDXID",
    "versionInfo",
    "externalRefs",
    "referenceType",
    "referenceLocator",
    "relationships",
    "relationshipType",
    "documentDescribes",
    "creationInfo",
    "created",
    "@graph",
    "@context",
    "@type",
    "software_packageUrl",
    "externalIdentifier",
    "rootElement",
    "lockfileVersion",
    "dependencies",
    "primaryPackagePurpose",
    "sourceInfo",
]
TEXTS = [
    "CycloneDX",
    "SPDX-2.3",
    "1.5",
    "pkg:npm/a@1",
    "pkg:deb/debian/a@1",
    "purl",
    "library",
    "DESCRIBES",
    "",
]
documents = st.recursive(
    st.one_of(scalars, st.sampled_from(TEXTS)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(FIELDS), inner, max_size=6)
    ),
    max_leaves=25,
)


@given(
    st.dictionaries(st.sampled_from(FIELDS), documents, max_size=8),
    st.sampled_from(["bomFormat", "spdxVersion", "@graph", "lockfileVersion"]),
)
def test_fields_of_any_type_are_read_or_refused_and_nothing_else(document: dict[str, Any], key: str) -> None:
    document.setdefault(key, {"bomFormat": "CycloneDX", "spdxVersion": "SPDX-2.3"}.get(key, []))
    data = json.dumps(document).encode()
    try:
        inventory = read_inventory(data, "x")
    except InputError:
        return
    for component in inventory.components:
        assert all(type(getattr(component, field)) in (str, tuple) for field in component.__struct_fields__)


@given(
    st.binary(max_size=300), st.sampled_from(["x", "requirements.txt", "uv.lock", "status", "p.csv", "a.xml"])
)
def test_any_bytes_are_read_or_refused(data: bytes, name: str) -> None:
    for head in (
        b"",
        b"SPDXVersion: SPDX-2.3\n",
        b"vendor,product\n",
        b"[[package]]\n",
        b"pkg:npm/a\n",
        b"module a/b\n",
    ):
        try:
            read_inventory(head + data, name)
        except InputError as e:
            assert e.what  # noqa: PT017


@given(
    st.lists(
        st.sampled_from(["=", "[", "]", ";", "#", "\\", "\n", " ", "a", "1", ".", "-r", '"', "@"]),
        max_size=30,
    )
)
def test_requirements_of_any_text_are_read(pieces: list[str]) -> None:
    inventory = read_inventory(("requests==1\n" + "".join(pieces)).encode(), "requirements.txt")
    assert inventory.components[0].name == "requests"
    assert kind_of(b"requests==1\n", "x") == "requirements.txt"
