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
    """The module streams that an erratum's title names: "nodejs:18", or several joined by "|"; "" for none."""
    return "|".join(sorted({f"{module}:{stream}" for module, stream in re.findall(_STREAM, title)}))


def same_stream(stated: str, name: str, version: str, stream: str) -> bool | None:
    """Whether an installed package is of a stream that a claim is about; None when that can't be told.

    `stated` are the claim's streams, or ".module_…"; `stream` is the inventory's label, "" without one.
    Without a label only a module's own package tells: nodejs 16.20 is of stream 16, not of 18. A label
    that its own package's version contradicts tells nothing.
    """
    if ":" not in stated:
        return None
    wanted = dict(part.split(":") for part in stated.lower().split("|"))
    told = _by_version(name, version, wanted.get(name, ""))
    if not stream:
        return told
    module, label = stream.lower().split(":")[:2] if ":" in stream else (stream.lower(), "")
    if module not in wanted:
        return None
    if name == module and _by_version(name, version, label) is False:
        return told  # the label contradicts the version
    longer, shorter = sorted((wanted[module], label), key=len, reverse=True)
    if longer == shorter:
        return True
    return told if longer.startswith(f"{shorter}.") else False


def _by_version(name: str, version: str, stream: str) -> bool | None:
    """Whether the version of a module's own package is of a numbered stream; None where that says nothing."""
    if not stream.replace(".", "").isdigit():
        return None
    upstream = version.rpartition(":")[2].partition("-")[0]
    return upstream == stream or upstream.startswith(f"{stream}.")
