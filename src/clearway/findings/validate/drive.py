"""Our harness for a proof that is data: runs the steps of `steps.json` against the package that is installed.

    python3 -I drive.py LIBRARY steps.json SIZE

It runs inside the box and is copied there as it is, so it imports nothing but the standard library. The last step's
value is written to stdout after the nonce that we draw for each run, an exception's class after another; what a
package prints by itself is not mistaken for either. A step is one of

    {"call": "jinja2.Environment", "args": [...], "kwargs": {...}, "as": "e", "await": true}
    {"get": "$e.filters.0", "as": "f"}
    {"set": "$e.autoescape", "to": true}

A dotted name is a module's, `$e` what an earlier step was called. It reaches into the package that is judged, and into
the few things of `OPEN`: a proof that could call what it likes could tell one release from another by its number.
A value is plain JSON, or one of {"$": "e.x"}, {"object": "os.path.join"}, {"file": "a.txt", "as": "bytes" | "text" |
"path" | "name"}, {"repeat": [value, 10]} (or {"n": 10}: ten times SIZE), {"concat": [...]}, {"bytes": value},
{"dict": {...}}, {"tuple": [...]}.
"""

from __future__ import annotations

import asyncio
import builtins
import importlib
import json
import sys
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

MOST = 1 << 28  # characters of one value
SHOWN = 2_000
OPEN = (
    *("io.BytesIO", "io.StringIO", "zipfile.ZipFile", "shutil.copy2"),
    *("bytes", "dict", "int", "iter", "len", "list", "next", "set", "str", "tuple"),
)


class OutsideError(Exception):
    """A step reaches outside the package that is judged."""


class Steps:
    """The names of earlier steps, and what a step says."""

    def __init__(self, size: int, library: str) -> None:
        self.size = size
        self.library = Path(library).resolve()
        self.names: dict[str, Any] = {}

    def run(self, steps: list[dict[str, Any]]) -> Any:
        """The value of the last step."""
        result = None
        for step in steps:
            if "set" in step:
                where, _, name = step["set"].rpartition(".")
                setattr(self.reach(where), name, self.value(step["to"]))
                continue
            if "call" in step:
                args = [self.value(a) for a in step.get("args", [])]
                kwargs = {k: self.value(v) for k, v in step.get("kwargs", {}).items()}
                result = self.reach(step["call"])(*args, **kwargs)
            else:
                result = self.reach(step["get"])
            if step.get("await"):
                result = asyncio.run(_awaited(result))
            if "as" in step:
                self.names[step["as"]] = result
        return result

    def reach(self, text: str) -> Any:
        """What a dotted name means."""
        if text in OPEN:
            module, _, name = text.rpartition(".")
            return getattr(importlib.import_module(module) if module else builtins, name)
        if text.startswith("$"):
            head, *rest = text[1:].split(".")
            thing = self.names[head]
        else:
            thing, rest = _imported(text.split("."))
            self.inside(thing, text)
        for name in rest:
            if name.startswith("__"):
                raise OutsideError(text)
            thing = thing[int(name)] if name.isdigit() else getattr(thing, name)
            self.inside(thing, text)
        return thing

    def inside(self, thing: Any, text: str) -> None:
        """Nothing, when a module, class or function is the package's own. What objects hold else is theirs."""
        if isinstance(thing, BuiltinFunctionType):
            owner = thing.__self__
            if owner is not None and not isinstance(owner, ModuleType):
                return  # a method of an object that a step made
            name = thing.__module__ or getattr(owner, "__name__", "")
        elif isinstance(thing, ModuleType):
            name = thing.__name__
        elif isinstance(thing, FunctionType | type):
            name = thing.__module__
        else:
            return
        root = sys.modules.get((name or "").split(".")[0])
        places = [getattr(root, "__file__", None), *getattr(root, "__path__", ())]
        if not any(p and self.library in Path(p).resolve().parents for p in places):
            raise OutsideError(text)

    def value(self, said: Any) -> Any:
        """What a value means."""
        if isinstance(said, list):
            return [self.value(x) for x in said]
        if not isinstance(said, dict):
            return said
        kind = next((k for k in said if k != "as"), "")
        inner: Any = said.get(kind)
        if kind == "$":
            return self.reach(f"${inner}")
        if kind == "object":
            return self.reach(inner)
        if kind == "file":
            path = Path(inner)
            how = said.get("as", "text")
            if how == "bytes":
                return path.read_bytes()
            return path.read_text() if how == "text" else path if how == "path" else str(inner)
        if kind == "repeat":
            what, times = self.value(inner[0]), inner[1]
            count = int(times["n"] * self.size) if isinstance(times, dict) else int(times)
            if len(what) * count > MOST:
                raise ValueError("a value of the proof is too long")
            return what * count
        if kind == "concat":
            parts = [self.value(x) for x in inner]
            whole = parts[0]
            for part in parts[1:]:
                whole = whole + part
            return whole
        if kind == "bytes":
            return self.value(inner).encode("latin-1")
        if kind == "dict":
            return {k: self.value(v) for k, v in inner.items()}
        if kind == "tuple":
            return tuple(self.value(x) for x in inner)
        raise ValueError(f"a value of the proof is none: {list(said)}")


def _imported(parts: list[str]) -> tuple[Any, list[str]]:
    for cut in range(len(parts), 0, -1):
        name = ".".join(parts[:cut])
        try:
            return importlib.import_module(name), parts[cut:]
        except ModuleNotFoundError as error:
            if error.name is None or not (name == error.name or name.startswith(f"{error.name}.")):
                raise
    raise OutsideError(".".join(parts))


async def _awaited(thing: Any) -> Any:
    return await thing


def main(library: str, steps: str, size: str) -> int:
    """Runs the steps; 0 with a result, 70 with an exception."""
    nonce = sys.stdin.readline().strip()  # taken before anything of the target's runs
    sys.path.insert(0, library)
    said = json.loads(Path(steps).read_text("utf-8"))
    try:
        shown = repr(Steps(int(size), library).run(said))[:SHOWN]
    except Exception as error:  # noqa: BLE001 - whatever the target raises is what is asked for
        kind = type(error)
        sys.stdout.flush()
        print(f"\n{nonce} raised {kind.__module__}.{kind.__qualname__}", flush=True)
        print(str(error)[:SHOWN], file=sys.stderr)
        return 70
    sys.stdout.flush()
    print(f"\n{nonce} result {shown}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
