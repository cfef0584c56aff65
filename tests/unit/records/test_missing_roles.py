"""Who lacks a right is told which role has it."""

from __future__ import annotations

from typing import get_args

import pytest

from clearway.records.errors import ForbiddenError
from clearway.records.principal import ROLE_OF, Membership, Principal, Right, member_of

FINDER = Membership(org=1, slug="lab", name="Lab", kind="lab", roles=("finder",), rights=("read", "submit"))


def test_the_missing_role_is_named() -> None:
    me = Principal(person=1, name="A", memberships=(FINDER,))
    with pytest.raises(
        ForbiddenError, match="the right to maintain in no organisation: the role maintainer is"
    ):
        member_of(me, "", "maintain")
    assert member_of(me, "", "submit") == FINDER


def test_who_has_the_right_twice_is_asked_for_one() -> None:
    other = Membership(org=2, slug="other", name="Other", kind="lab", roles=("lab",), rights=("submit",))
    with pytest.raises(ForbiddenError, match="you may submit in 2 organisations"):
        member_of(Principal(person=1, name="A", memberships=(FINDER, other)), "", "submit")


def test_every_right_has_a_role() -> None:
    assert set(ROLE_OF) == set(get_args(Right))
