"""What a witness of an asset is known by: the tool that saw it, or the file that its word came in."""

from __future__ import annotations

import re
from hashlib import sha256

from clearway.formats.packages import MODULES

from .version import storable
from .whose import DAY

# Formats that no tool signs, and of which one asset has several: lists, lock files, tables.
OF_FILES = frozenset((*MODULES, "product-list", "scanner-csv")) - {"dpkg-status"}  # a system has one of these
_WITNESS = 200
_PATH = 150
_FAMILY = re.compile(r"-[0-9][0-9.]*$")


def witness_of(tool: str, form: str, file: str = "") -> str:
    """What a witness is known by: its tool, else the family of its format, whatever version it writes today.

    A list that no tool signs is one of many: such a format's witness is the `file`, too (`file_of`), so that what one
    file leaves out does not end what another shows.
    """
    if tool:
        return storable(tool)[:_WITNESS]
    family = _FAMILY.sub("", form) if form.startswith(("cyclonedx", "spdx")) else form
    return storable(f"{family} {file}" if file and form in OF_FILES else family)[:_WITNESS]


def file_of(place: str) -> str:
    """The path of a document in the folder, archive or upload that brought it, in lower case and without days.

    So the next export's is the same. A path of over 150 characters is known by its end and its digest.
    """
    parts = [p for p in place.replace("\\", "/").lower().split("/") if p not in ("", ".", "..")]
    path = DAY.sub("", "/".join(parts))
    if len(path) <= _PATH:
        return path
    return f"{sha256(path.encode(errors='replace')).hexdigest()[:16]}…{path[17 - _PATH :]}"
