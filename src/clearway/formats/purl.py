"""Package URLs: `parse` and `to_text` for the text, `identity` for what it means."""

from __future__ import annotations

from .distro import release_of
from .purl_identity import identity, repository_of, source_of, stream_of, with_epoch
from .purl_text import Purl, parse, to_text

__all__ = [
    "Purl",
    "parse",
    "to_text",
    "identity",
    "release_of",
    "source_of",
    "stream_of",
    "repository_of",
    "with_epoch",
]
