"""Files as a tar stream, into a box and out of one."""

from __future__ import annotations

import contextlib
import io
import tarfile
from collections.abc import Mapping

from .keep import MAX_ENTRIES, MAX_UNKEPT


def packed(files: Mapping[str, bytes]) -> bytes:
    """A tar stream of files that may be executed, always the same for the same files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in sorted(files.items()):
            head = tarfile.TarInfo(name)
            head.size, head.mode = len(data), 0o755
            tar.addfile(head, io.BytesIO(data))
    return out.getvalue()


def unpacked(stream: bytes, most_bytes: int) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """Regular files of a hostile tar stream, and what was refused."""
    kept: dict[str, bytes] = {}
    unkept: list[str] = []
    left, seen = most_bytes, 0
    bad = (tarfile.TarError, EOFError, ValueError, OverflowError, RecursionError)
    with contextlib.suppress(*bad), tarfile.open(fileobj=io.BytesIO(stream), mode="r:") as tar:
        for member in tar:
            seen += 1
            if seen > MAX_ENTRIES or len(unkept) > MAX_UNKEPT:
                unkept.append("more names; the rest was not looked at")
                break
            name = member.name.removeprefix("./")
            if member.isdir():
                continue
            odd = not name.isprintable() or name.startswith("/") or ".." in name.split("/")
            file = None if odd or member.issparse() or not member.isreg() else tar.extractfile(member)
            if file is None or member.size > left:
                unkept.append(f"{ascii(name)[:200]}: not handed back")
                continue
            kept[name] = file.read(left)
            left -= len(kept[name])
    return kept, tuple(unkept)
