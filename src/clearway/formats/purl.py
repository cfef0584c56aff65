"""Package URLs: `parse` and `to_text` for the text, `canonical` for the form, `identity` for the meaning."""

from __future__ import annotations

from .distro import release_of
from .purl_identity import (
    asked_ecosystem,
    identity,
    repository_of,
    source_of,
    spelled,
    spelled_name,
    stream_of,
    with_epoch,
)
from .purl_text import Purl, parse, to_text
from .purl_types import canonical

__all__ = [
    "Purl",
    "parse",
    "to_text",
    "canonical",
    "identity",
    "asked_ecosystem",
    "spelled",
    "spelled_name",
    "release_of",
    "source_of",
    "stream_of",
    "repository_of",
    "with_epoch",
]
