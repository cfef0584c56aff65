"""rpm modularity: a package built in a module is compared within one stream of that module only. Pure.

The version says that a package was built in a module (".module_el8…"), never in which stream. An
erratum says it in its title ("nodejs:18 security update"), an inventory in a label, if at all.
"""

from __future__ import annotations

import re

# A module and its stream as errata write them; the stream may be a number ("18"), or a word ("rhel8").
_STREAM = r"(?:^|[\s(])([a-z][\w+.-]{0,60}):([\w][\w.-]{0,30})(?=[\s,)]|$)"


def module_of(version: str) -> str:
    """The rpm module part of a version, such as ".module_el8"; "" when it was not built in a module."""
    at = version.find(".module")
    if at < 0:
        return ""
    end = len(version)
    for stop in ".+":
        found = version.find(stop, at + 1)
        if 0 <= found < end:
            end = found
    return version[at:end]


def stream_of(title: str) -> str:
    """The one module stream that an erratum's title names ("nodejs:18"); "" for none or several."""
    found = {f"{module}:{stream}" for module, stream in re.findall(_STREAM, title)}
    return found.pop() if len(found) == 1 else ""


def same_stream(stated: str, name: str, version: str, stream: str) -> bool | None:
    """Whether an installed package is of the stream that a claim is about; None when that can't be told.

    `stated` is the claim's stream or ".module_…"; `stream` the inventory's label, "" without one.
    Without a label only a module's own package tells: nodejs 16.20 is of stream 16, not of 18.
    """
    if ":" not in stated:
        return None
    if stream:
        return stream.split(":")[:2] == stated.split(":")
    module, _, wanted = stated.partition(":")
    if name != module or not wanted.replace(".", "").isdigit():
        return None
    upstream = version.rpartition(":")[2].partition("-")[0]
    return upstream == wanted or upstream.startswith(f"{wanted}.")
