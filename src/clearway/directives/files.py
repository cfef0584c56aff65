"""The directives that ship with the product, read when first asked for."""

from __future__ import annotations

import os

import msgspec

from clearway.records.errors import InputError, NotFoundError

from .directive import Directive, check

# Plain strings: `pathlib` would cost the hot path more than the whole table does.
_DATA = f"{os.path.dirname(__file__)}/data"  # noqa: PTH120
_loaded: dict[str, Directive] = {}


def names() -> tuple[str, ...]:
    """The ids of all directives that ship, sorted."""
    return tuple(sorted(name[:-5] for name in os.listdir(_DATA) if name.endswith(".json")))  # noqa: PTH208


def load(name: str) -> Directive:
    """The directive of that id ("bod-26-04"), from memory after the first time.

    Raises NotFoundError for a name that does not ship, InputError for a data file that contradicts itself.
    """
    found = _loaded.get(name)
    if found is None:
        if name not in names():
            raise NotFoundError(f"no directive {name!r}", mend=f"one of: {', '.join(names())}")
        with open(f"{_DATA}/{name}.json", "rb") as file:  # noqa: PTH123
            found = _loaded[name] = parse(file.read(), name)
    return found


def parse(data: bytes, place: str) -> Directive:
    """A directive from the bytes of its data file. Raises InputError naming `place`."""
    try:
        return check(msgspec.json.decode(data, type=Directive))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"not a directive: {error}", where=place) from error
