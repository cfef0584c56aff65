"""What schemathesis is told of our refusals."""

from __future__ import annotations

from pathlib import Path

# What is too long is refused before anybody reads what else is wrong with it.
_REFUSED = (400, 401, 403, 404, 405, 406, 409, 413, 414, 415, 422, 428, 429, 431, "5xx")


def told(folder: Path) -> Path:
    """The folder, with the configuration in it of a run that begins there."""
    words = ", ".join(f'"{status}"' for status in _REFUSED)
    (folder / "schemathesis.toml").write_text(
        f"[checks.negative_data_rejection]\nexpected-statuses = [{words}]\n"
    )
    return folder
