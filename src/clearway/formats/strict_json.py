"""JSON as RFC 8259 defines it and RFC 7493 (I-JSON) narrows it, for text from strangers.

The fast decoders at hand let duplicate keys, NaN or bad UTF-8 through, so that two readers
of one document see two documents. This one refuses them, at the speed of the standard
library's scanner.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from itertools import accumulate
from typing import Any, NoReturn

from clearway.records.errors import InputError, TooLargeError

MAX_DEPTH = 200  # levels of arrays and objects; real records stay under 30
# A parse makes no garbage cycles, yet the collector walks the growing tree again and again: 39 MB took
# seven times as long with it as without.
_PAUSE_GC_BYTES = 1 << 20
_BOM = b"\xef\xbb\xbf"
_NOT_BRACKETS = bytes(c for c in range(256) if c not in b'[]{}"')
_AS_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")  # +1 and -1 as signed bytes
_PASSES = 10


class _DuplicateKeyError(Exception):
    """Carries the key that the pairs hook met twice."""


class _Twice(str):
    """Marks a duplicate key in the tree while its path is looked for."""

    __slots__ = ()


def has_bom(data: bytes) -> bool:
    """Whether `data` starts with a UTF-8 byte-order mark, which RFC 8259 §8.1 lets a reader ignore."""
    return data.startswith(_BOM)


def loads(data: bytes, place: str = "") -> Any:
    """The value of one JSON text: dict, list, str, int, float, bool or None.

    A UTF-8 byte-order mark is skipped; ask `has_bom` to report it.

    Raises:
        InputError: anything that RFC 8259 or RFC 7493 forbids: not UTF-8, duplicate keys, NaN,
            lone surrogates, a number beyond a double or of thousands of digits, truncated or empty text,
            text after the value, or deeper than `MAX_DEPTH`. `where` is `place`.
    """
    text = _text(data, place)
    pause = len(data) > _PAUSE_GC_BYTES and gc.isenabled()
    if pause:
        gc.disable()
    try:
        value = _DECODER.decode(text)
    except _DuplicateKeyError as e:
        raise InputError(
            f"the key {_short(str(e.args[0]))} occurs twice in {_path_of_duplicate(text)}",
            where=place,
            mend="keep one of the two; readers differ in which they believe",
        ) from None
    except json.JSONDecodeError as e:
        raise InputError(
            f"not JSON: {e.msg} at line {e.lineno}, column {e.colno}",
            where=place,
            mend="the file may be cut short; fetch it again" if e.pos >= len(text.rstrip()) else "",
        ) from None
    except RecursionError:
        raise _too_deep(place) from None
    except MemoryError:
        raise TooLargeError("does not fit in memory", where=place) from None
    except ValueError as e:  # parse hooks, and int() beyond sys.get_int_max_str_digits()
        raise InputError(f"not JSON: {_number_problem(str(e))}", where=place) from None
    finally:
        if pause:
            gc.enable()
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH and not _depth_within(data, MAX_DEPTH):
        raise _too_deep(place)
    if b"\\ud" in data or b"\\uD" in data:
        _refuse_lone_surrogates(value, place)
    return value


def _text(data: bytes, place: str) -> str:
    if not data:
        raise InputError("empty", where=place, mend="a JSON document has at least one value")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in data[:4]:
        raise InputError(
            "UTF-16 or UTF-32 text", where=place, mend="JSON is UTF-8 (RFC 8259 §8.1): convert it"
        )
    try:
        return data.decode("utf-8-sig" if data.startswith(_BOM) else "utf-8")
    except UnicodeDecodeError as e:
        offset = e.start + (3 if data.startswith(_BOM) else 0)
        raise InputError(
            f"invalid UTF-8 at byte {offset} (0x{data[offset]:02x})",
            where=place,
            mend="save it as UTF-8",
        ) from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _DuplicateKeyError(key)
            seen.add(key)
    return found


def _finite(text: str) -> float:
    value = float(text)
    if value - value != 0.0:  # 1e999 reads as infinity
        raise ValueError(f"the number {text[:20]} is beyond a double")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_no_constant)


def _depth_within(data: bytes, limit: int) -> bool:
    """Whether a *valid* JSON text nests at most `limit` levels.

    Strings are cut out (escaped backslashes and quotes first, then whatever stands between quotes).
    Each pass then removes the innermost level, which ends ordinary documents soon; what is left is summed.
    """
    bare = data.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in data else data
    brackets = b"".join(bare.translate(_AS_STEPS, _NOT_BRACKETS).split(b'"')[::2])
    for _ in range(_PASSES):
        if not brackets:
            return True
        brackets = brackets.replace(b"\x01\xff", b"")
    return max(accumulate(memoryview(brackets).cast("b")), default=0) <= limit - _PASSES


def _refuse_lone_surrogates(value: Any, place: str) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise InputError("a string holds half a surrogate pair", where=place) from None


def _too_deep(place: str) -> InputError:
    return TooLargeError(f"nested deeper than {MAX_DEPTH} levels", where=place)


def _number_problem(message: str) -> str:
    return "a number has thousands of digits" if "integer string conversion" in message else message


def _path_of_duplicate(text: str) -> str:
    """The JSON path of the object that repeats a key; the text parses but for that. Runs on failure only."""

    def mark(pairs: list[tuple[str, Any]]) -> Any:
        found: dict[str, Any] = dict(pairs)
        return found if len(found) == len(pairs) else _Twice()

    try:
        root = json.loads(text, object_pairs_hook=mark)
    except (ValueError, RecursionError, MemoryError):
        return "an object"
    todo: list[tuple[str, Any]] = [("$", root)]
    while todo:
        path, value = todo.pop()
        if isinstance(value, _Twice):
            return path
        if isinstance(value, dict):
            todo.extend((f"{path}.{_short(key, quote=False)}", item) for key, item in value.items())
        elif isinstance(value, list):
            todo.extend((f"{path}[{i}]", item) for i, item in enumerate(value))
    return "an object"


def _short(text: str, *, quote: bool = True) -> str:
    cut = text if len(text) <= 60 else text[:57] + "..."
    return repr(cut) if quote else cut


def refuse_nul(value: Any, data: bytes, place: str = "") -> None:
    """Raises InputError where a key or string of `value`, read from `data`, holds U+0000.

    JSON allows it; PostgreSQL's text, terminals and C libraries do not.
    """
    if b"\\u0000" not in data:  # the only way to write it: as itself it is a control character
        return
    todo: list[Any] = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, str) and "\x00" in item:
            raise InputError("a string holds a NUL character (\\u0000)", where=place, mend="remove it")
        if isinstance(item, dict):
            todo.extend(item)
            todo.extend(item.values())
        elif isinstance(item, list):
            todo.extend(item)


def entries(data: bytes, record: dict[str, Any], name: str) -> Iterator[tuple[bytes, Any]]:
    """(exact bytes, value) of each element of the list `name` of `record`, which `loads` read from `data`.

    Raises:
        InputError: there is no such list.
    """
    import msgspec

    values = record.get(name)
    if not isinstance(values, list):
        raise InputError(f"`{name}` is not a list", mend="see the format's schema")
    whole = msgspec.json.decode(data.removeprefix(_BOM), type=dict[str, msgspec.Raw])
    raws = msgspec.json.decode(whole[name], type=list[msgspec.Raw])
    yield from ((bytes(raw), value) for raw, value in zip(raws, values, strict=True))
