"""Struct types are known before two threads can ask first."""

from __future__ import annotations

import subprocess
import sys

# Says of what Struct types a decoder was made, in a process of its own: the finder stays where it was put.
_PROGRAM = """
import importlib, sys, msgspec
made = []
of_msgspec = msgspec.msgpack.Decoder
def decoder(kind=None):
    made.append(getattr(kind, "__qualname__", ""))
    return of_msgspec(kind)
msgspec.msgpack.Decoder = decoder
{before}
from clearway.records.known_types import make_known
make_known()
make_known()
assert sum(type(finder).__name__ == "_Finder" for finder in sys.meta_path) == 1
{after}
print(*sorted(made))
msgspec.msgpack.Decoder = of_msgspec
import inspect
from clearway.findings.validate import recipe
assert "class Recipe" in inspect.getsource(recipe)
assert type(recipe.__loader__).__name__ == type(recipe.__spec__.loader).__name__ == "SourceFileLoader"
assert importlib.reload(recipe) is recipe
"""


def _made(before: str, after: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM.format(before=before, after=after)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_what_is_there_is_made_known() -> None:
    assert "Recipe" in _made("import clearway.findings.validate.recipe", "")


def test_what_is_imported_later_is_made_known_by_its_import() -> None:
    assert "Recipe" not in _made("", "")
    assert "Recipe" in _made("", "import clearway.findings.validate.recipe")


def test_an_application_makes_its_types_known() -> None:
    program = (
        "import sys\nfrom clearway.http.application import application\napplication([])\n"
        "assert type(sys.meta_path[0]).__name__ == '_Finder'"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
