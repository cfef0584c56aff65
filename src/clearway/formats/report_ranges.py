"""Versions that an advisory calls affected: a range ends after it begins, and no two of a package meet. Pure.

All is told in the order of the ecosystem (`clearway.versions`).
"""

from __future__ import annotations

import re
from functools import cmp_to_key, partial
from itertools import combinations, pairwise
from typing import TYPE_CHECKING

from clearway.records.ecosystem import normal_ecosystem, normal_name
from clearway.records.errors import InputError, VersionUnreadableError
from clearway.records.text import plain
from clearway.versions import compare, scheme_of

from .report_csaf_tests import RANGE_WORDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .report_advisory import Product

_SIGNS = re.compile(r"[<>=|*,;]")


def check(product: Product, place: str) -> None:
    """Raises InputError for versions of a product that readers can't order, or would take for others."""
    if product.fixed and product.last_affected:
        raise InputError("a range ends once: before `fixed`, or with `last_affected`", where=place)
    if (product.fixed or product.last_affected) and not product.introduced:
        raise InputError(
            "the range has no beginning",
            where=f"{place}.introduced",
            mend='give the first affected version; "0" when it is the first of all',
        )
    if not (product.introduced or product.versions):
        raise InputError(
            "which versions are affected is not said",
            where=f"{place}.introduced",
            mend='give the first affected version ("0" when it is the first of all), or list the versions',
        )
    listed = tuple((f"versions[{n}]", v) for n, v in enumerate(product.versions))
    ends = (
        ("introduced", product.introduced),
        ("fixed", product.fixed),
        ("last_affected", product.last_affected),
    )
    scheme = scheme_of(product.ecosystem)
    for name, text in (*ends, *listed):
        if (text or name.startswith("versions")) and (name, text) != ("introduced", "0"):
            _version(scheme, text, f"{place}.{name}")
    _ordered(scheme, product, place)


def _version(scheme: str, text: str, place: str) -> None:
    """Raises InputError for what is no single version that the ecosystem's tools read."""
    if not text or not text.isprintable() or len(text.split()) != 1 or text != text.strip():
        raise InputError("this is no version", where=place)
    if _SIGNS.search(text) or RANGE_WORDS.search(text):
        raise InputError(
            "this is a range, and no version",
            where=place,
            mend="a range is said with introduced and fixed, or introduced and last_affected",
        )
    try:
        compare(scheme, text, text)
    except VersionUnreadableError as error:
        raise InputError(
            f"this is no version of its ecosystem: {error.what}", where=place, mend=error.mend
        ) from None


def _ordered(scheme: str, product: Product, place: str) -> None:
    """Raises InputError for a range that ends before it begins, and for a listed version that the fix is in."""
    start, fixed, last = product.introduced, product.fixed, product.last_affected
    if start not in ("", "0"):
        if fixed and compare(scheme, start, fixed) >= 0:
            raise InputError(
                "it is fixed before it is introduced", where=f"{place}.fixed", mend="give a later version"
            )
        if last and compare(scheme, start, last) > 0:
            raise InputError(
                "its last affected version is before the first",
                where=f"{place}.last_affected",
                mend="give a later version",
            )
    for n, version in enumerate(product.versions):
        if fixed and compare(scheme, version, fixed) >= 0:
            raise InputError(
                f"a version at or past the fix ({plain(fixed, 60)}) is listed as affected",
                where=f"{place}.versions[{n}]",
                mend="take it out; one of another branch is of a product of its own, with that branch's range",
            )


def check_together(products: Sequence[Product]) -> None:
    """Raises InputError for a package whose versions are said twice, or once as affected and once as fixed.

    A package may be named several times, with a range of each of its branches. The same ranges, ranges that meet, and
    versions of one list in another or in another's range are told apart by nobody; nor is a listed version affected
    where another range has its fix (`_lists`).
    """
    for (n, one), (m, other) in combinations(enumerate(products), 2):
        if _package(one) != _package(other):
            continue
        twice, place = f"the package of products[{n}] is named again", f"products[{m}]"
        if one == other:
            raise InputError(twice, where=place, mend="take it out")
        if not one.introduced and not other.introduced:
            raise InputError(twice, where=f"{place}.versions", mend="put its versions into one list")
        scheme = scheme_of(one.ecosystem)
        for a, b, at in ((one, other, n), (other, one, m)):
            if b.introduced and a.fixed and _inside(scheme, b, a.fixed):
                raise InputError(
                    "this version is affected by another range of the same package",
                    where=f"products[{at}].fixed",
                    mend="give ranges that do not meet",
                )
        if (
            one.introduced
            and other.introduced
            and (_inside(scheme, one, other.introduced) or _inside(scheme, other, one.introduced))
        ):
            raise InputError(
                f"{twice}, with a range that meets that one",
                where=f"{place}.introduced",
                mend="give ranges that do not meet",
            )
    together: dict[tuple[str, str, str], list[int]] = {}
    for n, one in enumerate(products):
        together.setdefault(_package(one), []).append(n)
    for numbers in together.values():
        _lists(scheme_of(products[numbers[0]].ecosystem), {n: products[n] for n in numbers})


def _lists(scheme: str, products: Mapping[int, Product]) -> None:
    """Raises InputError for listed versions of one package that other versions of it speak of too.

    By the order of the ecosystem: "1.0" and "1.0.0" are one version to PyPI.
    """
    listed = [(v, n, k) for n, product in products.items() for k, v in enumerate(product.versions)]
    order = cmp_to_key(partial(compare, scheme))
    listed.sort(key=lambda one: order(one[0]))  # stable: of equal ones the first stands
    for (one, _, _), (other, n, k) in pairwise(listed):
        if compare(scheme, one, other) == 0:
            raise InputError(
                f"this version is listed twice: it is {plain(one, 60)} to its ecosystem",
                where=f"products[{n}].versions[{k}]",
                mend="take it out",
            )
    ranges = [(n, product) for n, product in products.items() if product.introduced]
    for version, n, k in listed:
        _listed(scheme, version, n, ranges, f"products[{n}].versions[{k}]")


def _listed(scheme: str, version: str, its: int, ranges: Sequence[tuple[int, Product]], place: str) -> None:
    """Raises InputError for a listed version of product `its` that the range of another has, or the fix of one.

    A fix counts for what comes after it up to where the next range begins.
    """
    last: tuple[int, Product] | None = None
    for n, product in ranges:
        if n != its and _inside(scheme, product, version):
            raise InputError(
                f"the range of products[{n}] has this version already", where=place, mend="take it out"
            )
        begins = product.introduced
        if begins != "0" and compare(scheme, begins, version) > 0:
            continue
        if last is None or last[1].introduced == "0" or (
            begins != "0" and compare(scheme, begins, last[1].introduced) > 0
        ):  # fmt: skip
            last = n, product
    if last is not None and last[0] != its and last[1].fixed:
        raise InputError(
            f"this version is at or past the fix of products[{last[0]}] ({plain(last[1].fixed, 60)})",
            where=place,
            mend="take it out; one of another branch is of a product with that branch's range",
        )


def _package(product: Product) -> tuple[str, str, str]:
    return (
        normal_ecosystem(product.ecosystem), normal_name(product.ecosystem, product.name), product.vendor.casefold(),
    )  # fmt: skip


def _inside(scheme: str, product: Product, version: str) -> bool:
    """Whether the product's range has `version`; "0" is before all."""
    if product.introduced != "0" and (version == "0" or compare(scheme, version, product.introduced) < 0):
        return False
    if version == "0":
        return True
    if product.fixed:
        return compare(scheme, version, product.fixed) < 0
    return not product.last_affected or compare(scheme, version, product.last_affected) <= 0
