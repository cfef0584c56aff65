"""SBOMs inside something else: an in-toto statement, its DSSE envelope, or GitHub's export.

`cosign attest` and BuildKit put an SBOM into an in-toto statement (`predicate`), signed ones into a
DSSE envelope (`payload`, base64); GitHub's dependency graph returns it under `sbom`. Signatures are
not checked here: an inventory is what somebody says that they run.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error

from clearway.records.errors import InputError

from .json_parts import Parts, top_level

_MAX_LAYERS = 3  # envelope, statement, document


def is_wrapper(data: bytes) -> bool:
    """Whether the JSON object in `data` says that it carries an SBOM."""
    found = top_level(data)
    if "predicateType" in found:
        stated = bytes(found["predicateType"]).lower()
        return b"spdx" in stated or b"cyclonedx" in stated
    if "payloadType" in found:
        return b"in-toto" in bytes(found["payloadType"])
    inner = bytes(memoryview(found["sbom"])[:4096]) if "sbom" in found else b""
    return any(key in inner for key in (b'"bomFormat"', b'"spdxVersion"', b'"SPDXID"'))


def unwrap(data: bytes, place: str) -> bytes:
    """The JSON text inside the wrappers around `data`; `data` itself when there are none.

    Raises:
        InputError: a wrapper is not JSON, repeats a key, or holds no JSON object.
    """
    for _ in range(_MAX_LAYERS):
        parts = Parts(data, place)
        key = next((key for key in ("sbom", "predicate", "payload") if key in parts), "")
        if not key or "bomFormat" in parts or "spdxVersion" in parts:
            return data
        parts.finish()
        if key == "payload":
            try:
                data = b64decode(parts.text(key), validate=True)
            except (Base64Error, ValueError):
                raise InputError(
                    "the payload is not base64", where=place, mend="give the DSSE envelope as it was signed"
                ) from None
        else:
            data = parts.raw(key)
    return data
