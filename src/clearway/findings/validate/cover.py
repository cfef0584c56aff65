"""Atheris around a proof's steps, inside the box: runs them with one of their inputs varied, where coverage leads it.

    python3 cover.py LIBRARY steps.json place.json [options of libFuzzer's] corpus seeds

It is copied into the box as it is, beside `drive.py`. place.json says what is varied: {"file": "a.txt"}, or {"path":
[0, "args", 0]} of a text in the steps. Nothing is judged here: what the steps raise is passed over, and which inputs
reached new code is what is taken from it (`guided`).
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any


def main(library: str, steps: str, place: str, options: list[str]) -> None:
    """Does not return: libFuzzer ends the process."""
    said = json.loads(Path(steps).read_text("utf-8"))
    drive = importlib.import_module("drive")  # before anything of the target's is found
    drive.ready(said)
    sys.path.insert(0, "/atheris")
    atheris = importlib.import_module("atheris")
    sys.path.insert(0, library)
    _quick(drive)
    where = json.loads(Path(place).read_text("utf-8"))
    inside: Any = said
    for key in where.get("path", ())[:-1]:
        inside = inside[key]

    def one(data: bytes) -> None:
        if "file" in where:
            Path(where["file"]).write_bytes(data)
        else:
            inside[where["path"][-1]] = data.decode("latin-1")
        with contextlib.suppress(Exception):  # an answer of the package's like any other
            drive.Steps(1, library, "").run(said)

    sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 - for as long as the process lives
    with atheris.instrument_imports():  # what the steps import, as they import it
        one(Path(options[-1], "0").read_bytes())
    atheris.Setup([sys.argv[0], *options], one)
    atheris.Fuzz()


def _quick(drive: Any) -> None:
    """Leaves out what the harness tells of each step, and asks once for each module whose it is: thousands of runs a
    second instead of hundreds."""
    drive.print = lambda *_, **__: None
    known: dict[str | None, bool] = {}
    asks = drive.Steps.owns

    def owns(self: Any, module: str | None) -> bool:
        if module not in known:
            known[module] = asks(self, module)
        return known[module]

    drive.Steps.owns = owns


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])
