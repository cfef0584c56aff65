"""The `clearway` command: finds the room that owns a sub-command and hands over.

Start-up is a product goal (`match` is a whole process in about 50 ms), so only the module of
the command asked for is imported, and `--help` imports none.
"""

from __future__ import annotations

import gc
import os
import sys

TYPE_CHECKING = False  # `typing` itself costs milliseconds
if TYPE_CHECKING:
    from typing import NoReturn

# command -> (module with add_commands, one line of help)
COMMANDS = {
    "match": ("clearway.exposure.commands", "what in these inventories is affected, why, and due when"),
    "query": ("clearway.exposure.commands", "one package, or JSON lines of them"),
    "inventory": ("clearway.exposure.fleet.commands", "what assets hold, and what re-uploads change"),
    "exposure": ("clearway.exposure.fleet.commands", "what is affected in the kept fleet, and due when"),
    "fleet": ("clearway.exposure.fleet.commands", "the kept fleet as a whole: follow, match anew"),
    "vuln": ("clearway.advisories.commands", "one flaw: sources, disagreements, timeline"),
    "ingest": ("clearway.advisories.commands", "take in advisories, KEV, EPSS and VEX"),
    "feeds": ("clearway.advisories.feeds.commands", "pull public data, and how current each feed is"),
    "directive": ("clearway.directives.commands", "directives, their tables, and why a date"),
    "finding": ("clearway.findings.commands", "report a flaw, ask before scanning, validate, follow a case"),
    "ledger": ("clearway.app.commands_ledger", "the log: verify, prove, export, witness"),
    "access": ("clearway.access.commands", "organisations, people, tokens, embargoes"),
    "up": ("clearway.app.commands", "the server: pages, API and background work"),
    "worker": ("clearway.app.worker", "runs jobs and loops; any number of them, on any machine"),
    "jobs": ("clearway.store.jobs_commands", "work in the background: what waits, runs or is dead, and why"),
    "backup": (
        "clearway.app.commands_backup",
        "one file to restore this installation from, taken while it runs",
    ),
    "restore": ("clearway.app.commands_backup", "a backup into an empty home and database"),
    "digest": ("clearway.app.commands_digest", "digests by mail: try the settings, and when whose goes out"),
    "retention": ("clearway.app.commands_retention", "delete what is over its term; legal holds"),
    "demo": ("clearway.app.commands", "load the bundled facts and match the bundled inventories"),
    "doctor": ("clearway.app.commands", "health of this installation and its data"),
    "bench": ("clearway.app.commands", "the benchmarks that back the README's figures"),
}
# What a script sees. A code not listed here is a defect, and a test says so.
EXIT_CODES = {
    "internal": 70,
    "usage": 2,
    "precondition-required": 2,
    "idempotency-mismatch": 2,
    "config": 3,
    "unauthenticated": 4,
    "forbidden": 5,
    "not-found": 6,
    "cursor-invalid": 6,
    "conflict": 7,
    "precondition-failed": 7,
    "upstream": 8,
    "busy": 8,
    "disk-full": 8,
    "outside": 8,
    "outdated": 3,
    "too-many-requests": 8,
    "integrity": 9,
    "input-invalid": 10,
    "input-too-large": 10,
    "version-unreadable": 10,
}
_INTERRUPTED = 130
_READING = frozenset({"match", "query", "vuln"})


def main(argv: list[str] | None = None) -> int:
    """Runs one command; returns its exit code (DESIGN section 6)."""
    words = list(sys.argv[1:] if argv is None else argv)
    _ready_streams()
    _lean_msgspec()
    from clearway.records.errors import ClearwayError

    try:
        _must_be_text(words)
        code = _run(words)
        sys.stdout.flush()  # here, where a failure has a name
        return code
    except ClearwayError as error:
        print(f"clearway: {_shown(str(error))}", file=sys.stderr)
        return EXIT_CODES[error.code]
    except BrokenPipeError:  # the reader has seen enough
        _drop_output()
        return 0
    except UnicodeEncodeError as error:
        # A file's name that is no text, on its way to where text is written.
        where = _shown(error.object[max(0, error.start - 40) : error.end + 40])
        print(f"clearway: {where}: this name is not UTF-8 (rename the file)", file=sys.stderr)
        return EXIT_CODES["usage"]
    except (
        OSError
    ) as error:  # the rooms say more of what they read; this is what nobody foresaw, or the output
        where = f"{error.filename}: " if error.filename else "output: "
        _drop_output()
        print(f"clearway: {_shown(where)}{error.strerror} (free space, or write elsewhere)", file=sys.stderr)
        return EXIT_CODES["upstream"]
    except Exception:  # noqa: BLE001 - a defect: told whole, by a code that is no answer
        import traceback

        traceback.print_exc()
        return EXIT_CODES["internal"]
    except KeyboardInterrupt:
        print("clearway: interrupted; what was committed stands", file=sys.stderr)
        return _INTERRUPTED


def run() -> None:
    """The console script: `main`, and out.

    A command that only reads makes many objects and no cycles, so it never collects, and it leaves
    without taking them apart one by one: at 10,000 components that is a third of its time.
    """
    reads = next((word for word in sys.argv[1:] if word in COMMANDS), "") in _READING
    if reads:
        gc.disable()
    code = main()
    if not reads:
        sys.exit(code)
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:  # the reader has gone
        pass
    os._exit(code)


def _run(words: list[str]) -> int:
    home, quiet, rest = _globals(words)
    rest = _json_last(rest)
    command = next((w for w in rest if not w.startswith("-")), "")
    if command not in COMMANDS:
        return _overview(rest, command)
    import argparse
    from importlib import import_module

    rest.remove(command)

    class Parser(argparse.ArgumentParser):
        def error(self, message: str) -> NoReturn:  # it quotes what was typed
            super().error(_shown(message))

    parser = Parser(prog="clearway", allow_abbrev=False)
    module = import_module(COMMANDS[command][0])
    # With `prog` given, argparse needs no formatter here, nor the modules that one imports.
    module.add_commands(parser.add_subparsers(dest="command", metavar="COMMAND", prog="clearway"))
    try:
        args = parser.parse_args([command, *rest])
    except SystemExit as stop:  # argparse has printed its usage or help
        return int(stop.code or 0)
    args.home = home
    args.quiet = quiet
    return int(args.func(args))


def _globals(words: list[str]) -> tuple[object, bool, list[str]]:
    """The home, --quiet, and the other words."""
    from pathlib import Path

    from clearway.records.errors import UsageError

    rest: list[str] = []
    home = os.environ.get("CLEARWAY_HOME", "")
    quiet = False
    left = iter(words)
    for word in left:
        if word == "--":
            rest += [word, *left]
        elif word == "--home":
            home = next(left, "")
            if not home or home.startswith("-"):
                raise UsageError("--home without a folder", mend="write --home DIR")
        elif word.startswith("--home="):
            home = word[len("--home=") :]
            if not home:
                raise UsageError("--home without a folder", mend="write --home=DIR")
        elif word in ("--quiet", "-q"):
            quiet = True
        else:
            rest.append(word)
    if home:
        return Path(home).expanduser(), quiet, rest
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(data).expanduser() / "clearway", quiet, rest


def _json_last(words: list[str]) -> list[str]:
    """`words` with a `--json` that stands anywhere as the last option, where the command that knows it reads it."""
    end = words.index("--") if "--" in words else len(words)
    options = words[:end]
    if "--json" not in options:
        return words
    return [*(w for w in options if w != "--json"), "--json", *words[end:]]


def _overview(rest: list[str], command: str) -> int:
    from clearway import __version__

    if "--version" in rest and not command:
        print(f"clearway {__version__}")
        return 0
    lines = [
        "usage: clearway [--home DIR] [--quiet] [--json] COMMAND …",
        "",
        "What is affected, on whose word, which version fixes it, and due by when.",
        "",
        *(f"  {name:<10} {text}" for name, (_, text) in COMMANDS.items()),
        "",
        "  --home DIR  where the database and the compiled table live (CLEARWAY_HOME;",
        "              default: clearway in the XDG data folder)",
        "  --quiet     no progress and no first-run messages",
        "  --json      the answer as JSON, of every command that gives one",
        "  clearway COMMAND --help says more. CLEARWAY_DATABASE_URL names a database of your own.",
    ]
    wrong = bool(command) or not {"--help", "-h"}.intersection(rest)
    print("\n".join(lines), file=sys.stderr if wrong else sys.stdout)
    if command:
        print(f"\nclearway: no command {_shown(command)!r}", file=sys.stderr)
    return 2 if wrong else 0


def _ready_streams() -> None:
    """A stream that was closed swallows; one that can't hold a character shows its number instead of failing."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _drop_output() -> None:
    """What is still in the buffer goes nowhere, so that leaving does not fail on it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _must_be_text(words: list[str]) -> None:
    """Raises UsageError for a word that is no UTF-8, but for the name of something that is there."""
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError:
            if not os.path.lexists(word):
                from clearway.records.errors import UsageError

                raise UsageError("this word is not UTF-8", where=_shown(word), mend="write it so") from None


def _shown(text: str) -> str:
    from clearway.records.text import plain

    return plain(text, 2000)


def _lean_msgspec() -> None:
    """Imports msgspec without typing_extensions, which it prefers and Python 3.11 makes needless."""
    if "msgspec" in sys.modules or "typing_extensions" in sys.modules:
        return
    sys.modules["typing_extensions"] = None  # type: ignore[assignment]
    try:
        import msgspec  # noqa: F401
    finally:
        del sys.modules["typing_extensions"]


if __name__ == "__main__":
    sys.exit(main())
