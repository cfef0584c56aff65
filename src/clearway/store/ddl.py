"""What migrations run their SQL with."""

from __future__ import annotations

import re
from pathlib import Path

from alembic import op


def run(*statements: str) -> None:
    """Runs SQL as it is written: `%` stands for itself, and several statements may stand in one text."""
    for text in statements:
        op.get_bind().exec_driver_sql(text.replace("%", "%%"))


def before(step: str, name: str) -> str:
    """The text of a function as an earlier step made it, to put it back."""
    text = (Path(__file__).parent / "migrations" / "versions" / f"{step}.py").read_text("utf-8")
    found = re.search(rf"create (?:or replace )?(function clearway\.{name}\(.*?\$\$;)", text, re.DOTALL)
    assert found is not None
    return f"create or replace {found[1]}"
