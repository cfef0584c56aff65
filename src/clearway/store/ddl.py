"""What migrations run their SQL with."""

from __future__ import annotations

import re
from pathlib import Path

from alembic import op


def run(*statements: str) -> None:
    """Runs SQL as it is written: `%` stands for itself, and several statements may stand in one text."""
    for text in statements:
        op.get_bind().exec_driver_sql(text.replace("%", "%%"))


def standing(name: str) -> str:
    """The text of the one function of that name as it stands, whichever step made it last."""
    found = op.get_bind().exec_driver_sql(
        "select pg_get_functiondef(oid) from pg_proc where pronamespace = 'clearway'::regnamespace and proname = %s",
        (name,),
    )
    return str(found.scalar_one())


def changed(name: str, *changes: tuple[str, str, int]) -> str:
    """The text of a function as it stands with each `(was, becomes, times)` put in, which must be there so often."""
    text = standing(name)
    for was, becomes, times in changes:
        assert text.count(was) == times, was
        text = text.replace(was, becomes)
    return text


def before(step: str, name: str) -> str:
    """The text of a function as an earlier step made it, to put it back."""
    text = (Path(__file__).parent / "migrations" / "versions" / f"{step}.py").read_text("utf-8")
    found = re.search(rf"create (?:or replace )?(function clearway\.{name}\(.*?\$\$;)", text, re.DOTALL)
    assert found is not None
    return f"create or replace {found[1]}"
