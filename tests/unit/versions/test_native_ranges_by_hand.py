"""What single native ranges mean."""

from __future__ import annotations

import contextlib
import time

import pytest

from clearway.records.errors import ClearwayError, TooLargeError
from clearway.versions import native, vers
from clearway.versions.vers import VersError


@pytest.mark.parametrize(
    ("vers_type", "text", "expected"),
    [
        ("npm", "^1.2.3", ">=1.2.3|<2"),
        ("npm", "^0.2.3", ">=0.2.3|<0.3"),
        ("npm", "^0.0.3", ">=0.0.3|<0.0.4"),
        ("npm", "~1.2.3", ">=1.2.3|<1.3"),
        ("npm", "~1", ">=1|<2"),
        ("npm", "1.2.x", ">=1.2|<1.3"),
        ("npm", "1.x.x", ">=1|<2"),
        ("npm", "1.2.3 - 2.3.4", ">=1.2.3|<=2.3.4"),
        ("npm", "*", "*"),
        ("npm", "<3 || >=2", "*"),
        ("npm", ">=1 <2 || >=2 <3", ">=1|<3"),
        ("npm", ">=1 <5 || =7", ">=1|<5|7"),
        ("cargo", "1.2", ">=1.2|<2"),
        ("composer", "~1.2 | 3.0", ">=1.2|<2|3.0"),
        ("pypi", "~=1.4.5", ">=1.4.5|<1.5"),
        ("pypi", ">=1.0,!=1.5,<2", ">=1.0|!=1.5|<2"),
        ("pypi", "==1.2.*", ">=1.2|<1.3"),
        ("gem", "~> 2.0.8", ">=2.0.8|<2.1"),
        ("maven", "[1.0,2.0),[3.0,)", ">=1.0|<2.0|>=3.0"),
        ("maven", "(,1.0]", "<=1.0"),
        ("nuget", "[1.0]", "1.0"),
        ("nginx", "0.8.40+", ">=0.8.40|<0.9.0"),
        ("nginx", "1.5.0+, 1.4.1+", ">=1.4.1"),  # the two branches meet at 1.5.0
        ("conan", "~2.5", ">=2.5|<2.6-"),
    ],
)
def test_a_native_range_reads_as(vers_type: str, text: str, expected: str) -> None:
    made = native.from_native(vers_type, text)
    assert str(made) == f"vers:{vers_type}/{expected}"
    assert vers.parse(str(made)) == made


@pytest.mark.parametrize(
    ("vers_type", "text"),
    [
        ("npm", ""),
        ("npm", "||"),
        ("npm", ">"),
        ("npm", "<1 >2"),
        ("npm", "!=1.0.0 || 2.0.0"),
        ("npm", "^latest"),
        ("npm", "^" + "9" * 30),
        ("npm", "!=1.x"),
        ("maven", "[1.0,2.0"),
        ("maven", "(1.0)"),
        ("rpm", ">=1.0"),
        ("nosuchtype", "1"),
    ],
)
def test_what_is_no_range_is_refused(vers_type: str, text: str) -> None:
    with pytest.raises(VersError):
        native.from_native(vers_type, text)


@pytest.mark.parametrize("text", ["(devel)", "\0", "é", "[[[[", "~" * 999, "1 ||" * 9999, "\ud800"])
@pytest.mark.parametrize(
    "vers_type", ["npm", "golang", "maven", "composer", "pypi", "openssl", "nginx", "conan"]
)
def test_hostile_text_gives_a_range_or_a_refusal(vers_type: str, text: str) -> None:
    try:
        made = native.from_native(vers_type, text)
    except ClearwayError:
        return
    assert made.constraints


@pytest.mark.parametrize("vers_type", ["npm", "maven", "composer", "nginx", "conan", "gem"])
@pytest.mark.parametrize("part", [" ", "[", "[ ", "1 ", ">", "> ", ",", "1,", "- ", "^1 ", "x.", "|"])
def test_the_longest_texts_take_little_time(vers_type: str, part: str) -> None:
    for head in ("", "[", "[1,"):
        start = time.process_time()
        with contextlib.suppress(ClearwayError):
            native.from_native(vers_type, head + part * (60_000 // len(part)))
        assert time.process_time() - start < 20  # a text that is read again and again takes minutes


def test_size_is_bounded() -> None:
    with pytest.raises(TooLargeError):
        native.from_native("npm", "1" * (vers.MAX_TEXT + 1))
    with pytest.raises(TooLargeError):
        native.from_native("npm", "1||" * (vers.MAX_CONSTRAINTS + 1))
