"""Our harness for a proof that is data: runs the steps of `steps.json` against the package that is installed.

    python3 -I drive.py LIBRARY steps.json SIZE SECRET about.json

It runs inside the box and is copied there as it is, so it imports nothing but the standard library. On stdout, each
line after the nonce that we draw for each run, so that what a package prints by itself is not mistaken for it:

    NONCE step package | beside | other     a call begins: of the package, of one that lies beside it, or of
                                   something else (`len`, a method of a text); "package" again where one that
                                   was called beside it comes to run something of it
    NONCE named                    a call of the library's, or an attribute, is given the place that it is to reach
                                   by its plain name: the file that is to appear, the secret, or a folder of it
    NONCE result VALUE             the last step's value
    NONCE raised CLASS             an exception of the package's ended it
    NONCE missing                  they could not be walked: a name is not there, the package or something that it needs
                                   can't be imported, or what is not the package's failed

A step is one of

    {"call": "jinja2.Environment", "args": [...], "kwargs": {...}, "as": "e", "await": true}
    {"get": "$e.filters.0", "as": "f"}
    {"set": "$e.autoescape", "to": true}

A dotted name is a module's, `$e` what an earlier step was called. It reaches into the package that is judged, and into
the few things of `OPEN`: a proof that could call what it likes could tell one release from another by its number, and
then do by itself what the package is said to do. For the same reason a call of what is not the package's opens nothing
but the proof's own files, never SECRET (the name of a file that the package alone may read), and starts nothing; and
what is set is an attribute of an object: a module, a class or a function of which something is set is another program.
about.json says where in the library the package's own files lie ("own"; none for all), and which file is to appear
outside ("place").
A value is plain JSON, or one of {"$": "e.x"}, {"object": "os.path.join"}, {"file": "a.txt", "as": "bytes" | "text" |
"path" | "name"}, {"repeat": [value, 10]} (or {"n": 10}: ten times SIZE), {"concat": [...]}, {"bytes": value},
{"dict": {...}}, {"tuple": [...]}.
"""

from __future__ import annotations

import builtins
import importlib
import json
import os
import sys
from pathlib import Path
from types import (
    BuiltinFunctionType,
    CoroutineType,
    FrameType,
    FunctionType,
    GeneratorType,
    MethodType,
    ModuleType,
    TracebackType,
)
from typing import Any

MOST = 1 << 28  # characters of one value
SHOWN = 2_000
MISSING = 71
CHAIN = 100  # exceptions behind one
DEEP, LONG = 16, 4_096  # of a value, and of a path in it
# Behind objects stand their modules, and behind generators and tracebacks the frames of whoever runs them.
BEHIND = ("__", "gi_", "cr_", "ag_", "tb_", "f_", "co_")
REFUSED = {
    *(
        "os.rename",
        "os.link",
        "os.symlink",
        "os.system",
        "os.exec",
        "os.posix_spawn",
        "os.fork",
        "os.forkpty",
    ),
    *("os.remove", "os.truncate", "os.kill", "pty.spawn", "socket.connect"),
}
REFUSED_OF = ("ctypes", "subprocess")  # all events of these
OPEN = (
    *("io.BytesIO", "io.StringIO", "zipfile.ZipFile", "shutil.copy2"),
    *("bytes", "dict", "int", "iter", "len", "list", "next", "set", "str", "tuple"),
)


class OutsideError(Exception):
    """A step reaches outside the package that is judged."""


class Place:
    """Files and folders of the library: all of it, or those of one package in it."""

    def __init__(self, library: Path, *roots: str) -> None:
        self.whole = not roots
        self.files = {str(library / root) for root in roots}
        self.folders = tuple(f"{file}/" for file in self.files) or (f"{library}/",)

    def holds(self, path: str) -> bool:
        """Whether a file lies here."""
        return path in self.files or path.startswith(self.folders)

    def owns(self, module: str | None) -> bool:
        """Whether a module of that name lies here: in the library by the first of its names, and below it, where
        packages may share a namespace, by the nearest module that is a file."""
        names = (module or "").split(".")
        if self.whole:
            root = sys.modules.get(names[0])
            places = [getattr(root, "__file__", None), *getattr(root, "__path__", ())]
            return any(p and self.holds(str(Path(p).resolve())) for p in places)
        for cut in range(len(names), 0, -1):
            file = getattr(sys.modules.get(".".join(names[:cut])), "__file__", None)
            if file:
                return self.holds(str(Path(file).resolve()))
        return False


class Steps:
    """The names of earlier steps, and what a step says. `own` is where the package lies that is judged, in the library;
    nothing for all of it. `place` is the file that is to appear outside."""

    def __init__(
        self, size: int, library: str, nonce: str = "", secret: str = "", own: tuple[str, ...] = (),
        place: str = "",
    ) -> None:  # fmt: skip
        self.size = size
        self.library = Place(Path(library).resolve())
        self.package = Place(Path(library).resolve(), *own)
        self.names: dict[str, Any] = {}
        self.nonce = nonce
        self.work = Path.cwd().resolve()
        self.secret = (self.work / secret).resolve() if secret else None
        self.place = Path(place) if place else self.secret
        self.named = False  # whether it was given to the library by its plain name
        self.callee: Any = None  # what is being called
        self.foreign = False  # and whether it is something else than the package's
        self.passed: tuple[Any, ...] = ()  # what the last name that was reached leads through
        self.reaching = False  # whether a name is being imported or looked up
        self.known: dict[str, bool] = {}  # modules by name, whether they are the package's

    def run(self, steps: list[dict[str, Any]]) -> Any:
        """The value of the last step."""
        result = None
        for step in steps:
            if "set" in step:
                where, _, name = step["set"].rpartition(".")
                thing, value = self.reach(where), self.value(step["to"])
                if issubclass(
                    type(thing), ModuleType | FunctionType | MethodType | BuiltinFunctionType | type
                ):
                    raise OutsideError(step["set"])
                self.tell(value)
                setattr(thing, name, value)
                continue
            if "call" in step:
                args = [self.value(a) for a in step.get("args", [])]
                kwargs = {k: self.value(v) for k, v in step.get("kwargs", {}).items()}
                called = self.reach(step["call"])
                self.inside(called, step["call"])
                word = self.whose(called, args)
                print(f"\n{self.nonce} step {word}", flush=True)
                if word != "other":
                    self.tell([*args, *kwargs.values()])
                self.callee, self.foreign = called, not self.own(called)
                if word == "beside":
                    sys.setprofile(self.watch)
                result = called(*args, **kwargs)
                self.callee, self.foreign = None, False
            else:
                result = self.reach(step["get"])
            if step.get("await"):
                result = importlib.import_module("asyncio").run(_awaited(result))
            sys.setprofile(None)
            if "as" in step:
                self.names[step["as"]] = result
        return result

    def reach(self, text: str) -> Any:
        """What a dotted name means."""
        self.passed = ()
        if text in OPEN:
            module, _, name = text.rpartition(".")
            return getattr(importlib.import_module(module) if module else builtins, name)
        if text.startswith("$"):
            head, *rest = text[1:].split(".")
            thing = self.names[head]
        else:
            self.reaching = True
            thing, rest = _imported(text.split("."))
            self.reaching = False
            self.inside(thing, text)
        passed = [thing]
        for name in rest:
            if name.startswith(BEHIND) or (issubclass(type(thing), str) and name.startswith("format")):
                raise OutsideError(text)
            if name.isdigit():
                thing = thing[int(name)]
            else:
                try:
                    thing = getattr(thing, name)
                except AttributeError:
                    self.reaching = True  # not there, also where a `__getattr__` of the package's says so
                    raise
            self.inside(thing, text)
            passed.append(thing)
        self.passed = tuple(passed)
        return thing

    def inside(self, thing: Any, text: str) -> None:
        """Nothing, when a module, class or function is the package's own, or open to all. What objects hold else is
        theirs."""
        if text in OPEN:
            return
        kind = type(thing)
        if kind is BuiltinFunctionType:
            owner = thing.__self__
            if owner is not None and not issubclass(type(owner), ModuleType):
                return  # a method of an object that a step made
            name = thing.__module__ or getattr(owner, "__name__", "")
        elif issubclass(kind, ModuleType):
            name = thing.__name__
        elif kind is FunctionType or issubclass(kind, type):
            name = thing.__module__
        else:
            return
        if not self.owns(name):
            raise OutsideError(text)

    def owns(self, module: str | None) -> bool:
        """Whether a module of that name lies in the library."""
        return self.library.owns(module)

    def own(self, thing: Any, place: Place | None = None) -> bool:
        """Whether what runs when this is called, or walked through, lies in a place: the library, if none is given.

        Asked of its type: what a lazy object says of itself may be anything, or an error.
        """
        owns = place.owns if place is not None else self.owns
        kind = type(thing)
        if kind is MethodType:
            return self.own(thing.__func__, place) or owns(type(thing.__self__).__module__)
        if kind is BuiltinFunctionType:
            owner = thing.__self__
            if owner is None or issubclass(type(owner), ModuleType):
                return owns(thing.__module__ or getattr(owner, "__name__", ""))
            return self.own(owner, place)
        if issubclass(kind, ModuleType):
            return owns(thing.__name__)
        if kind is FunctionType or issubclass(kind, type):
            return owns(thing.__module__)
        if kind is GeneratorType:
            return (place or self.library).holds(thing.gi_code.co_filename)
        if kind is CoroutineType:
            return (place or self.library).holds(thing.cr_code.co_filename)
        return owns(kind.__module__)

    def whose(self, called: Any, args: list[Any]) -> str:
        """Whose a call is: the callee's, or of the nearest that its name leads through where that tells nothing (a
        compiled function, a method of a list); the package's where it is handed something of it, a module excepted."""
        word = "other"
        for thing in (called, *reversed(self.passed)):
            if self.own(thing):
                word = "package" if self.mine(thing) else "beside"
                break
        handed = [arg for arg in args if not issubclass(type(arg), ModuleType) and self.own(arg)]
        if any(map(self.mine, handed)):
            return "package"
        return "beside" if handed and word == "other" else word

    def tell(self, value: Any) -> None:
        """Says once when a value that is handed over is the place that is to be reached, or has it in it."""
        if not self.named and self.plain(value):
            self.named = True
            print(f"\n{self.nonce} named", flush=True)

    def plain(self, value: Any, depth: int = 0) -> bool:
        """Whether a value is the plain path of what is to be reached, or of a folder of it other than the proof's own.
        One that climbs ("x/../a") is the package's to refuse."""
        kind = type(value)
        if self.place is None or depth > DEEP:
            return False
        if issubclass(kind, list | tuple):
            return any(self.plain(one, depth + 1) for one in value)
        if issubclass(kind, dict):
            return any(self.plain(one, depth + 1) for one in value.values())
        if not issubclass(kind, str | bytes | Path) or (not issubclass(kind, Path) and len(value) > LONG):
            return False
        path = Path(os.fsdecode(value))
        if ".." in path.parts or "\0" in str(path):
            return False
        path = Path(os.path.realpath(self.work / path))  # "//tmp" and "/proc/self/root/tmp" are "/tmp"
        return path == self.place or (
            path in self.place.parents and path not in (self.work, *self.work.parents)
        )

    def watch(self, frame: FrameType, event: str, arg: Any) -> None:
        """The interpreter's profile hook, until something of the package's runs in a call that is another's: a plugin
        is called by what it plugs into."""
        if event == "call":
            mine = frame.f_code.co_name != "<module>" and self.package.holds(frame.f_code.co_filename)
        elif event == "c_call":
            owner = getattr(arg, "__self__", None)
            alone = owner is None or issubclass(type(owner), ModuleType)
            name = getattr(arg, "__module__", None) if alone else None
            name = name or type(owner).__module__
            if name not in self.known:
                self.known[name] = self.package.owns(name)
            mine = self.known[name]
        else:
            return
        if mine:
            sys.setprofile(None)
            os.write(1, f"\n{self.nonce} step package\n".encode())

    def mine(self, thing: Any) -> bool:
        """Whether what is the library's is the package's."""
        return self.package.whole or self.own(thing, self.package)

    def holds(self, path: str) -> bool:
        """Whether a file is the library's."""
        return self.library.holds(path)

    def heard(self, event: str, args: tuple[Any, ...]) -> None:
        """The interpreter's audit hook (PEP 578): what is not the package's opens the proof's own files alone."""
        if not self.foreign:
            return
        if event != "open" and event not in REFUSED and event.partition(".")[0] not in REFUSED_OF:
            return
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            name = frame.f_code.co_filename
            if self.holds(name) or name.startswith("<frozen importlib"):
                return
            frame = frame.f_back
        if event == "open" and (args[0] == os.devnull or isinstance(args[0], int)):
            return
        if event == "open" and isinstance(args[0], str | bytes | os.PathLike):
            path = Path(os.fsdecode(args[0])).resolve()
            if self.work in path.parents and path != self.secret:
                return
        raise OutsideError(event)

    def theirs(self, error: BaseException) -> bool:
        """Whether an exception is the package's: a frame of its own raised it or let it through, or compiled code.

        One of its imports is none: what it needs lies not beside it, which says nothing of the flaw.
        """
        if self.reaching or _import_failed(error):
            return False
        own = False
        trace: TracebackType | None = error.__traceback__
        while trace is not None:
            code = trace.tb_frame.f_code
            if self.holds(code.co_filename):
                if code.co_name == "<module>":  # the interpreter takes the frames between out of a traceback
                    return False
                own = True
            trace = trace.tb_next
        if own:
            return True
        if isinstance(error, OutsideError) or self.callee is None or self.foreign:
            return False
        # A function in Python that was not entered was given arguments that it does not have.
        entered = not isinstance(self.callee, FunctionType | MethodType)
        return entered or not isinstance(error, TypeError)

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


def _import_failed(error: BaseException | None) -> bool:
    """Whether an import failed, or this was raised because one did ("install newdep")."""
    seen = 0
    while error is not None and seen < CHAIN:
        if isinstance(error, ImportError):
            return True
        error, seen = error.__cause__ or error.__context__, seen + 1
    return error is not None


async def _awaited(thing: Any) -> Any:
    return await thing


def ready(steps: list[dict[str, Any]]) -> None:
    """Imports what awaits, where a step is awaited: of a run without one it would take a third of the time. Before the
    library is found, so that nothing of its own can stand in its place."""
    if any(step.get("await") for step in steps):
        importlib.import_module("asyncio")


def main(library: str, steps: str, size: str, secret: str = "", about: str = "") -> int:
    """Runs the steps; 0 with a result, 70 with an exception of the package's, 71 when they can't be walked."""
    nonce = sys.stdin.readline().strip()  # taken before anything of the target's runs
    said = json.loads(Path(steps).read_text("utf-8"))
    ready(said)
    sys.path.append(library)  # behind the standard library, as where it is installed
    given = json.loads(Path(about).read_text("utf-8")) if about else {}
    walk = Steps(int(size), library, nonce, secret, tuple(given.get("own", ())), given.get("place", ""))
    sys.addaudithook(walk.heard)
    try:
        shown = repr(walk.run(said))[:SHOWN]
    except Exception as error:  # noqa: BLE001 - whatever the target raises is what is asked for
        sys.setprofile(None)
        theirs = walk.theirs(error)
        walk.foreign = False
        kind = type(error)
        sys.stdout.flush()
        word = f"raised {kind.__module__}.{kind.__qualname__}" if theirs else "missing"
        print(f"\n{nonce} {word}", flush=True)
        print(f"{kind.__qualname__}: {error}"[:SHOWN], file=sys.stderr)
        return 70 if theirs else MISSING
    sys.stdout.flush()
    print(f"\n{nonce} result {shown}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:6]))
