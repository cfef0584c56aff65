"""A big JSON object read part by part: fast, in bounded memory, and without trusting repeated keys.

An inventory is one object with one or two huge arrays. `Parts` splits it by its top-level keys,
decodes the arrays a batch at a time, and proves afterwards that no object anywhere repeated a key.

The proof: the fast decoder keeps one value of a repeated key, so its tree holds fewer strings (keys
among them) than the text. Strings in the tree are counted while batches pass by; strings in the
text are half of the quotes that no backslash escapes, and those can be counted as bytes. Where the
two differ, `strict_json` names the key and its place.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn

import msgspec
from msgspec import Raw

from clearway.records.errors import InputError, TooLargeError

MAX_DEPTH = 200  # levels of arrays and objects, as in `strict_json`
# Inventories have some twenty top-level keys, an osquery pack one a table (about 300). Each costs some 300 bytes.
MAX_KEYS = 10_000
_BATCH = 1024
# Above this size a failed text is not read a second time as a whole just to word the message better:
# the strict reader's tree takes about eight times the size of the text.
_REREAD_BYTES = 32 << 20
_BOM = b"\xef\xbb\xbf"
_WHITE = b" \t\r\n"
# What the decoder raises for text that is not JSON; RecursionError where it is too deep for the stack.
_ERRORS = (msgspec.DecodeError, RecursionError, UnicodeDecodeError, OverflowError)

_list = msgspec.json.Decoder(list[Raw])
_decode = msgspec.json.Decoder().decode


class Parts:
    """One JSON object, by its top-level keys. Read what you need, then call `finish`.

    Raises:
        InputError: the text is not one JSON object; every method may raise it.
        TooLargeError: nested deeper than `MAX_DEPTH`, or with more top-level keys than `MAX_KEYS`.
    """

    def __init__(self, data: bytes, place: str) -> None:
        self.place = place
        self._data = data[3:] if data.startswith(_BOM) else data
        self._seen: set[str] = set()
        self._strings = 0
        try:
            self._raw: dict[str, Raw] = _split(self._data)
        except _TooManyKeysError:
            raise TooLargeError(
                f"more than {MAX_KEYS:,} top-level keys",
                where=place,
                mend="an inventory is one object with its components in an array",
            ) from None
        except _ERRORS as e:
            self._refuse(e)
        self._strings += len(self._raw)

    def __contains__(self, key: str) -> bool:
        return key in self._raw

    def __iter__(self) -> Iterator[str]:
        """The top-level keys, in document order."""
        return iter(self._raw)

    def value(self, key: str, default: Any = None) -> Any:
        """The whole value at `key`, or `default`; for values that are small by nature."""
        raw = self._raw.get(key)
        if raw is None:
            return default
        try:
            value = _decode(raw)
        except _ERRORS as e:
            self._refuse(e)
        if key not in self._seen:
            self._seen.add(key)
            self._strings += self._count([value])
        return value

    def raw(self, key: str) -> bytes:
        """The value at `key` as it stands in the text; b"" when it is absent."""
        raw = self._raw.get(key)
        return b"" if raw is None else bytes(raw)

    def text(self, key: str) -> str:
        """The string at `key`; "" when it is absent or not a string."""
        value = self.value(key)
        return value if type(value) is str else ""

    def batches(self, key: str) -> Iterator[tuple[int, list[Any]]]:
        """(index of the first, items) of the array at `key`, by batches; nothing when there is none.

        Raises:
            InputError: what stands there is neither an array nor null.
        """
        raw = self._raw.get(key)
        if raw is not None and bytes(memoryview(raw)[:1]) not in (b"[", b"n"):
            raise InputError(f"`{key}` is not a list", where=self.place, mend="give a list, or leave it out")
        yield from self._batches(key)

    def _batches(self, key: str) -> Iterator[tuple[int, list[Any]]]:
        raw = self._raw.get(key)
        if raw is None:
            return
        if bytes(memoryview(raw)[:1]) != b"[":
            self.value(key)
            return
        try:
            items: list[Raw] = _list.decode(raw)
        except _ERRORS as e:
            self._refuse(e)
        fresh = key not in self._seen
        self._seen.add(key)
        for start in range(0, len(items), _BATCH):
            try:
                batch = [_decode(item) for item in items[start : start + _BATCH]]
            except _ERRORS as e:
                self._refuse(e)
            if fresh:
                self._strings += self._count(batch)
            yield start, batch

    def finish(self) -> None:
        """Checks what was not read yet, and that no object repeats a key.

        Raises:
            InputError: a key occurs twice, naming it and its place.
        """
        for key in self._raw:
            if key not in self._seen:
                for _ in self._batches(key):
                    pass
        if count_strings(self._data) != self._strings:
            self._find_repeated_key()

    def _count(self, values: list[Any]) -> int:
        """Strings in `values`, a level at a time: a recursion would be the attacker's to end."""
        total = 0
        depth = 0
        level = [value for value in values if type(value) is not str]
        total += len(values) - len(level)
        while level:
            depth += 1
            if depth > MAX_DEPTH:
                raise TooLargeError(f"nested deeper than {MAX_DEPTH} levels", where=self.place)
            dicts = [value for value in level if type(value) is dict]
            lists = [value for value in level if type(value) is list]
            keys = sum(map(len, dicts))
            items = keys + sum(map(len, lists))
            level = [value for d in dicts for value in d.values() if type(value) is not str]
            level += [value for array in lists for value in array if type(value) is not str]
            total += keys + items - len(level)
        return total

    def _refuse(self, error: BaseException) -> NoReturn:
        """Words the refusal: the strict reader's message says line and column, and never RecursionError."""
        if isinstance(error, RecursionError):
            raise TooLargeError(f"nested deeper than {MAX_DEPTH} levels", where=self.place) from None
        if len(self._data) <= _REREAD_BYTES:
            from .strict_json import loads

            loads(self._data, self.place)
            if not self._data.lstrip(_WHITE).startswith(b"{"):
                raise InputError(
                    "is not a JSON object", where=self.place, mend="an inventory is one JSON object"
                ) from None
        raise InputError(
            f"not JSON: {error}", where=self.place, mend="the file may be cut short; fetch it again"
        ) from None

    def _find_repeated_key(self) -> None:
        from .strict_json import loads

        if len(self._data) <= _REREAD_BYTES:
            loads(self._data, self.place)
            return
        for key, raw in self._raw.items():
            whole = bytes(raw)
            if whole[:1] == b"[":
                for i, item in enumerate(_list.decode(raw)):
                    loads(bytes(item), f"{self.place}: {key}[{i}]")
            else:
                loads(whole, f"{self.place}: {key}")
        raise InputError(
            "a top-level key occurs twice",
            where=self.place,
            mend="keep one of the two; readers differ in which they believe",
        )


def count_strings(data: bytes) -> int:
    """How many strings, keys among them, a *valid* JSON text has."""
    quotes = data.count(b'"')
    if b"\\" in data:
        escaped = data.count(b'\\"')
        # In a run of backslashes each pair is one escaped backslash, and an odd one escapes what follows.
        if escaped and b'\\\\"' in data:
            escaped = data.replace(b"\\\\", b"").count(b'\\"')
        quotes -= escaped
    return quotes // 2


def top_level(data: bytes) -> dict[str, Raw]:
    """The object in `data` by its top-level keys, values undecoded.

    Empty when it is no JSON object, or one of more than `MAX_KEYS` keys, which no format of ours has.
    """
    try:
        return _split(data.removeprefix(_BOM))
    except (_TooManyKeysError, *_ERRORS):
        return {}


class _TooManyKeysError(Exception):
    """Ends the decoder at the key that is one too many; no ValueError, which msgspec would word anew."""


class _Key(str):
    """A type of our own, so that the decoder asks for each key as it meets it."""

    __slots__ = ()


def _split(data: bytes) -> dict[str, Raw]:
    """The values of one JSON object by key, undecoded; it stops at the first key over `MAX_KEYS`.

    A bound on the dictionary's length would be checked when it is whole, and that is too late.

    Raises:
        _TooManyKeysError: there are more, repeated ones counted.
    """
    met = 0

    def meet(_: type, key: str) -> _Key:
        nonlocal met
        met += 1
        if met > MAX_KEYS:
            raise _TooManyKeysError
        return _Key(key)

    found = msgspec.json.Decoder(dict[_Key, Raw], dec_hook=meet).decode(data)
    return {str(key): raw for key, raw in found.items()}
