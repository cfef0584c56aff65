"""Bech32 texts (BIP 173), as age writes its keys: a prefix, "1", 5 bits a character, and a checksum of six. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from clearway.records.errors import InputError

_LETTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM = 6
_MOST = 200  # characters; age's keys are longer than BIP 173's 90 allow for addresses


def encode(data: bytes, prefix: str) -> str:
    """`data` after `prefix`, in lower case."""
    words = _words(data, 8, 5, pad=True)
    rest = _polymod([*_expanded(prefix), *words, *[0] * _CHECKSUM]) ^ 1
    checksum = [rest >> 5 * (_CHECKSUM - 1 - n) & 31 for n in range(_CHECKSUM)]
    return prefix + "1" + "".join(_LETTERS[w] for w in (*words, *checksum))


def decode(text: str, prefix: str, size: int, where: str) -> bytes:
    """The `size` bytes of a text that begins with `prefix`, in one case. Raises InputError at `where`."""
    lower = text.lower()
    head, one, tail = lower.rpartition("1")
    if text in (lower, text.upper()) and one and head == prefix and len(text) <= _MOST:
        words = [_LETTERS.find(c) for c in tail]
        if -1 not in words and _polymod([*_expanded(prefix), *words]) == 1:
            found = _words(words[:-_CHECKSUM], 5, 8, pad=False)
            if len(found) == size:
                return bytes(found)
    raise InputError(
        "this is no key of age", where=where, mend=f"it begins with {prefix}1, and has a checksum"
    )


def _expanded(prefix: str) -> list[int]:
    return [*(ord(c) >> 5 for c in prefix), 0, *(ord(c) & 31 for c in prefix)]


def _polymod(values: Iterable[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for n, generator in enumerate(_GENERATOR):
            check ^= generator if top >> n & 1 else 0
    return check


def _words(data: Iterable[int], size: int, wanted: int, *, pad: bool) -> list[int]:
    """Groups of `size` bits as groups of `wanted`; [] when what is left over is more than padding, or not zero."""
    kept = bits = 0
    found: list[int] = []
    for value in data:
        kept = (kept << size | value) & 0xFFF
        bits += size
        while bits >= wanted:
            bits -= wanted
            found.append(kept >> bits & ((1 << wanted) - 1))
    if pad:
        return [*found, kept << (wanted - bits) & ((1 << wanted) - 1)] if bits else found
    return [] if bits >= size or kept & ((1 << bits) - 1) else found
