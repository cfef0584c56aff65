"""Lists of purls: one a line ("#" opens a comment), or a JSON array of strings."""

from __future__ import annotations

from clearway.records.errors import InputError
from clearway.records.inventory import Inventory

from .component import Gathering
from .packages import decode, finish, numbered


def read(data: bytes, name: str, kind: str) -> Inventory:
    """A component for each purl; a line that is no purl is a component with a problem.

    Raises:
        InputError: not text, or not a JSON array.
    """
    found = Gathering()
    if kind == "purls-json":
        from .strict_json import loads

        items = loads(data, name)
        if type(items) is not list:
            raise InputError("is not an array of purls", where=name, mend='write ["pkg:npm/a@1", …]')
        for i, item in enumerate(items):
            if type(item) is str:
                found.add(item.strip() or "(empty)", "", "", f"[{i}]")
            else:
                found.problems.append(f"[{i}] is not a string")
        return finish(found, name, kind)
    for number, line in numbered(decode(data, name)):
        text = line.strip()
        # A purl's own "#" opens its subpath, so only a line that begins with it, or a " #", is a comment.
        if text and text[0] != "#":
            found.add(text.partition(" #")[0].rstrip(), "", "", f"line {number}")
    return finish(found, name, kind)
