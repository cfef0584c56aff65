"""What migrations run their SQL with."""

from __future__ import annotations

from alembic import op


def run(*statements: str) -> None:
    """Runs SQL as it is written: `%` stands for itself, and several statements may stand in one text."""
    for text in statements:
        op.get_bind().exec_driver_sql(text.replace("%", "%%"))
