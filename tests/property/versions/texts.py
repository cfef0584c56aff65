"""Generated version texts, shaped like those of each scheme, and real ones from shared data."""

from __future__ import annotations

import json
from functools import cache

import zstandard
from hypothesis import strategies as st

from clearway import versions
from clearway.records.errors import ClearwayError
from shared import shared_dir

KEYED = [scheme for scheme in versions.SCHEMES if versions.has_keys(scheme)]

_numbers = st.one_of(
    st.integers(0, 3).map(str),
    st.integers(0, 10**12).map(str),
    st.sampled_from(["00", "01", "0010", "9" * 60]),
)
_dotted = st.lists(_numbers, min_size=1, max_size=4).map(".".join)
_WORDS = (
    "alpha beta a b c rc RC dev pre post snapshot final ga sp x p git Z ~ ^ _ - + . _rc _p1 -r1 -1 ~1 .el8 +b"
)
_word = st.sampled_from(_WORDS.split())
_tail = st.lists(st.one_of(_word, _numbers, st.sampled_from([".", "-", "-rc.", "."])), max_size=5).map(
    "".join
)


def _one_of(*choices: str) -> st.SearchStrategy[str]:
    """One of some texts; "#" stands for a number."""
    return st.builds(lambda choice, number: choice.replace("#", number), st.sampled_from(choices), _numbers)


def _joined(*parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*parts).map("".join)


_shaped = _joined(st.sampled_from(["", "", "", "v", "1:", "1!", "go"]), _dotted, _tail)
_semver = _joined(
    _one_of("", "", "v"),
    _dotted,
    _one_of("", "-rc.#", "-#", "-a.b.#", "-0a", "-alpha"),
    _one_of("", "", "+b.#", "+a"),
)
_SHAPES: dict[str, st.SearchStrategy[str]] = {
    "semver": _semver,
    "go": _semver,
    "pub": _semver,
    "nuget": _semver,
    "bitnami": _semver,
    "hackage": _dotted,
    "cran": _joined(_dotted, _one_of("", "-#", ".#-#")),
    "apk": _joined(
        _dotted,
        _one_of("", "a", "z"),
        _one_of("", "_rc", "_alpha#", "_p#", "_git#_p"),
        _one_of("", "~0af", "-r#"),
    ),
    "gentoo": _joined(
        _dotted, _one_of("", "a", "Z"), _one_of("", "_rc", "_alpha#", "_p#_pre"), _one_of("", "-r#")
    ),
    "openssl": _joined(_dotted, _one_of("", "a", "za"), _one_of("", "-beta#", "-dev", "-pre#")),
    "pypi": _joined(
        _one_of("", "", "v", "#!"),
        _dotted,
        _one_of("", "a#", "-beta.#", "rc", "_c#"),
        _one_of("", ".post#", "-#", "rev"),
        _one_of("", ".dev#", "dev"),
        _one_of("", "+a.#", "+#.b"),
    ),
    "rubygems": _joined(_dotted, _one_of("", ".a", ".rc#", ".b.#", "-x#", ".0.a.0")),
    "datetime": st.datetimes(timezones=st.timezones()).map(
        lambda moment: moment.replace(second=0).isoformat()
    ),
    "lexicographic": st.text(max_size=12),
}


def texts(scheme: str) -> st.SearchStrategy[str]:
    """Texts that `scheme` can order, mostly."""
    return _SHAPES.get(scheme, st.one_of(_shaped, _dotted)).filter(lambda text: readable(scheme, text))


def readable(scheme: str, text: str) -> bool:
    try:
        versions.key(scheme, text)
    except ClearwayError:
        return False
    return True


@cache
def real(ecosystem: str) -> list[str]:
    """The versions that OSV records name for one ecosystem, sorted by text; [] where shared data is absent."""
    base = shared_dir()
    found: set[str] = set()
    for path in sorted((base / "osv").glob("*.jsonl.zst")) if base else ():
        with zstandard.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                if f'"{ecosystem}"' not in line and f'"{ecosystem}:' not in line:
                    continue
                for affected in json.loads(line).get("affected", ()):
                    if affected.get("package", {}).get("ecosystem", "").partition(":")[0] != ecosystem:
                        continue
                    found.update(affected.get("versions", ()))
                    for osv_range in affected.get("ranges", ()):
                        if osv_range["type"] != "GIT":
                            found.update(text for event in osv_range["events"] for text in event.values())
    return sorted(found)
