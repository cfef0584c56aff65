"""A sanitizer's report, or the signal of a crash, as one crash state: what went wrong, and the top three frames.

The state of ClusterFuzz (top three frames after an ignore list), with what its users met since: no access sizes, no
CPU-specific names, relative and absolute paths alike, template and argument lists cut. Keys are versioned, so that a
better rule is a replay.
"""

from __future__ import annotations

import re
from hashlib import sha256

from msgspec import Struct

VERSION = "crash/v1"
FRAMES = 3
_MOST = 256 << 10  # of a report that is looked at
_LINE = 8_000  # characters: frames with many template arguments have some thousands, a longer line is none

# "==12==ERROR: AddressSanitizer: heap-buffer-overflow on address 0x… at pc …"
_ERROR = re.compile(r"^==\d+==\s*ERROR: (\w+Sanitizer): ([\w-]+(?:-[\w]+)*)", re.M)
_UBSAN = re.compile(r"^(\S+?):\d+(?::\d+)?: runtime error: ([^\n]+)", re.M)
_ACCESS = re.compile(r"^(READ|WRITE) of size \d+", re.M)
_SIGNAL_ACCESS = re.compile(r"The signal is caused by a (READ|WRITE) memory access")
# "    #0 0x55… in name /place.c:1:2", "    #1 0x7f… (/lib/libc.so.6+0x1) (BuildId: …)"; the rest is cut up by words.
_FRAME = re.compile(r"#(\d{1,6}) 0x[0-9a-f]+(?: (.*))?")
_BUILD = re.compile(r" ?\(BuildId: \w+\)$")
# What `trial` has a sanitizer add to each frame, with symbols or without: module and offset.
FORMAT = "    #%n %p %F %L @%m+%o"
_AT = re.compile(r" @(\S*)\+(0x[0-9a-f]+)$")
_SITE = 8  # frames: enough to tell two places apart
_IGNORED = re.compile(
    r"^(__asan|__ubsan|__sanitizer|__interceptor|___interceptor|__lsan|__msan|asan_|wrap_"
    r"|_start$|__libc_start|__libc_csu|main$|LLVMFuzzer|fuzzer::|raise$|abort$|__GI_|gsignal|__assert"
    r"|__(str|mem|wcs|stp)\w*_(avx|sse|evex|erms|unaligned|ssse)\w*"
    r"|(str|mem|wcs)(len|nlen|cpy|ncpy|cat|cmp|ncmp|chr|rchr|move|set|dup|ndup)$"
    r"|malloc$|calloc$|realloc$|free$|operator (new|delete)|std::)"
)
_LIBRARY = re.compile(r"/(libc|ld-linux|libasan|libubsan|libstdc\+\+|libgcc_s|libpthread|ld)[-.\w]*\.so")


class CrashState(Struct, frozen=True, kw_only=True):
    """`error` as the sanitizer names it, or a signal; `access` READ, WRITE or ""; `frames` innermost first."""

    error: str
    access: str = ""
    frames: tuple[str, ...] = ()
    stack: tuple[str, ...] = ()  # all frames that are the program's

    @property
    def key(self) -> str:
        """Equal for two crashes of one state: 16 hexadecimal digits."""
        return _digest((self.error, self.access, *self.frames))

    @property
    def stack_key(self) -> str:
        """Equal for two crashes with the same whole stack."""
        return _digest((self.error, self.access, *self.stack))

    def __str__(self) -> str:
        return f"{self.error} {self.access}".strip() + "".join(f" | {f}" for f in self.frames)


def state_of(report: bytes | str) -> CrashState | None:
    """The crash state of what a sanitized program wrote; None where no sanitizer speaks.

    Never raises: the text may be anybody's. Whether the *program* crashed is told by its end (`oracle`), not by this.
    """
    text = (report if isinstance(report, str) else report[:_MOST].decode("utf-8", "replace"))[:_MOST]
    # Patterns that are quick on a line are not on all text: whoever writes it chooses how long a line is.
    text = "\n".join(line for line in text.split("\n") if len(line) <= _LINE)
    found = _ERROR.search(text)
    if found is not None:
        rest = text[found.end() :]
        error = found[2]
        access = _ACCESS.search(rest) or _SIGNAL_ACCESS.search(rest)
        frames = _first_stack(rest)
        return CrashState(
            error=error, access=access[1] if access else "", frames=frames[:FRAMES], stack=frames
        )
    found = _UBSAN.search(text)
    if found is None:
        return None
    frames = _first_stack(text[found.end() :])
    if not frames:
        frames = (found[1].replace("\\", "/").rsplit("/", 1)[-1],)
    return CrashState(error="ubsan:" + _kind(found[2]), frames=frames[:FRAMES], stack=frames)


def site_of(report: bytes, within: str) -> tuple[str, ...]:
    """Where a sanitizer stopped a program, without symbols: offsets of the innermost frames in files below `within`.

    Equal for two runs of one build that end at one place, whatever addresses they were given; empty without a stack.
    """
    found: list[str] = []
    expected = 0
    for line in report[:_MOST].decode("utf-8", "replace").split("\n"):
        number = _FRAME.fullmatch(line.strip()) if len(line) <= _LINE else None
        if number is None:
            continue
        if int(number[1]) == 0 and expected:
            break
        expected += 1
        at = _AT.search(number[2] or "")
        if at is None or not at[1].startswith(within):
            continue
        site = f"{at[1].removeprefix(within)}+{at[2]}"
        if site not in found[-1:]:  # functions that were inlined share one
            found.append(site)
    return tuple(found[:_SITE])


def of_signal(name: str) -> CrashState:
    """The state of a program without sanitizers that a signal ended."""
    return CrashState(error=name)


def _first_stack(text: str) -> tuple[str, ...]:
    frames: list[str] = []
    expected = 0
    for line in text.split("\n"):
        frame = _frame(line)
        if frame is None:
            continue
        number, name, place = frame
        if number != expected:
            if number == 0:
                break  # the second stack: who allocated it
            continue
        expected += 1
        name = _plain(name)
        if not name or _IGNORED.match(name) or _LIBRARY.search(place):
            continue
        frames.append(name)
    return tuple(frames)


def _frame(line: str) -> tuple[int, str, str] | None:
    """Number, function ("" without symbols) and place of one line of a stack; None for any other line."""
    found = _FRAME.fullmatch(line.strip())
    if found is None:
        return None
    rest = _BUILD.sub("", _AT.sub("", found[2] or "")).rstrip()
    name = ""
    if rest.startswith("in "):
        # Arguments and templates have spaces, a place has none.
        name, _, rest = rest[3:].rpartition(" ")
    return None if " " in rest else (int(found[1]), name, rest)


def _plain(name: str) -> str:
    """A function without arguments, templates, clones (`.isra.0`) and anonymous namespaces."""
    name = name.replace("(anonymous namespace)::", "")
    depth, kept = 0, []
    for c in name:
        if c == "<":
            depth += 1
        elif c == ">" and depth:
            depth -= 1
        elif not depth:
            kept.append(c)
    name = "".join(kept).split("(", 1)[0].strip()
    return re.sub(r"\.(isra|part|constprop|cold|lto_priv)(\.\d+)*", "", name)


def _kind(words: str) -> str:
    """A UBSan message without its numbers, addresses and types: one bug has one."""
    words = re.sub(r"\(aka [^)]*\)|(of|for) type", "", re.sub(r"'[^']*'", "", words[:1_000]))
    words = re.sub(r"0x[0-9a-f]+|-?\d+", "", words)
    return re.sub(r"\W+", "-", words).strip("-").lower()[:80]


def _digest(parts: tuple[str, ...]) -> str:
    return sha256("\n".join((VERSION, *parts)).encode()).hexdigest()[:16]
