"""Debian source packages as what they are: archives, and a series of patches. Nothing of them is run.

`dpkg-source` unpacks in the box, without a network and without its patches; those are applied as data, so that a recipe
may leave one out: the release before a fix is the release without its patch. `debian/rules` and the maintainer's
scripts are never run; what is compiled is what the recipe names, as for any target in C.
"""

from __future__ import annotations

import re
import shlex
import shutil

from msgspec import Struct

from clearway.records.errors import ConfigError, InputError

from .files import Files
from .recipe import DebianTarget

# deb-src(5), dsc(5). "3.0 (git)" and "3.0 (custom)" are left out: they are made by running things.
FORMATS = ("1.0", "3.0 (native)", "3.0 (quilt)")
_MOST_LINES = 10_000


class Control(Struct, frozen=True, kw_only=True):
    """What a `.dsc` says; `files` are SHA-256 by name."""

    format: str
    source: str
    version: str
    files: dict[str, str]


def read(data: bytes, place: str = ".dsc") -> Control:
    """The control file of a source package (dsc(5)), with its signature cut off, which is not looked at: its bytes are
    known by their hash.

    Raises:
        InputError: it is none, or of a format that is not unpacked.
    """
    lines = data.decode("utf-8", "replace").splitlines()[:_MOST_LINES]
    if lines and lines[0] == "-----BEGIN PGP SIGNED MESSAGE-----":
        try:
            lines = lines[lines.index("") + 1 :]
            lines = lines[: lines.index("-----BEGIN PGP SIGNATURE-----")]
        except ValueError:
            raise InputError("a signature that does not end", where=place) from None
    fields: dict[str, list[str]] = {}
    name = ""
    for line in lines:
        if line[:1] in (" ", "\t") and name:
            fields[name].append(line.strip())
        elif ":" in line:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = [value.strip()]
    files = {}
    for line in fields.get("checksums-sha256", [])[1:]:
        words = line.split()
        if len(words) != 3 or not re.fullmatch("[0-9a-f]{64}", words[0]):
            raise InputError("a checksum that is none", where=f"{place}: Checksums-Sha256")
        files[words[2]] = words[0]
    found = Control(
        format=" ".join(fields.get("format", [""])[:1]),
        source=fields.get("source", [""])[0],
        version=fields.get("version", [""])[0],
        files=files,
    )
    if not found.source or not found.version or not files:
        raise InputError("no control file of a source package", where=place)
    if found.format not in FORMATS:
        raise InputError(
            f"source packages of format {found.format[:40]!a} are not unpacked",
            where=f"{place}: Format",
            mend=", ".join(FORMATS),
        )
    return found


def control(target: DebianTarget, files: Files) -> tuple[str, Control]:
    """The `.dsc` of a target by name, and what it says, when it names the target's own files and no others.

    Raises:
        InputError: name, version or files are not those of the target.
        NotFoundError: the `.dsc` is not there.
    """
    name = next(n for n in target.source if n.endswith(".dsc"))
    found = read(files.read(target.source[name]), name)
    if found.source != target.name or not _same_release(found.version, target.version):
        raise InputError(
            f"it is of {found.source} {found.version}, not of {target.name} {target.version}", where=name
        )
    own = {n: digest for n, digest in target.source.items() if n != name}
    if own != found.files:
        raise InputError("the recipe has other files than the source package names", where=name)
    return name, found


def unpacking(target: DebianTarget, files: Files, inputs: dict[str, bytes]) -> list[str]:
    """The lines of a script that unpack into /work/src, and go there. Adds the files to `inputs`.

    Raises:
        ConfigError: there is no dpkg-source here.
        InputError, NotFoundError: as `control`.
    """
    if shutil.which("dpkg-source", path="/usr/bin:/bin") is None:
        raise ConfigError(
            "dpkg-source is not installed, and this target is a Debian source package",
            mend="run scripts/system-packages.sh install, or install dpkg-dev",
        )
    name, _ = control(target, files)
    inputs |= {f"source/{n}": files.read(digest) for n, digest in target.source.items()}
    if target.series is not None:
        inputs["chosen"] = "".join(f"{n}\n" for n in target.series).encode()
    return [
        # --no-check: no keyring is asked; the files are known by their hashes (`control`).
        f"dpkg-source --no-check --no-copy --skip-patches -x {shlex.quote(f'source/{name}')} src >&2",
        "cd src",
    ]


def patching(target: DebianTarget, patch: str) -> list[str]:
    """The lines that apply the series, or what is chosen of it, in its order; `patch` is the command for one."""
    lines = [
        "touch ../series",
        "if [ -f debian/patches/series ]; then "
        "sed -e 's/#.*//' -e 's/^[[:space:]]*//' -e 's/[[:space:]].*//' -e '/^$/d' debian/patches/series > ../series; "
        "fi",
    ]
    if target.series is None:
        lines.append("cp ../series ../chosen")
    else:
        lines.append(
            "while IFS= read -r one; do "
            'grep -qxF -e "$one" ../series || { echo "not in the series: $one" >&2; exit 9; }; done < ../chosen'
        )
    return [
        *lines,
        'while IFS= read -r one; do if grep -qxF -e "$one" ../chosen; then '
        + patch.format('"debian/patches/$one"')
        + "; echo $(($(cat ../applied) + 1)) > ../applied; fi; done < ../series",
    ]


def _same_release(found: str, said: str) -> bool:
    """Whether a recipe's version is the package's: it may add what it leaves out or puts in, after a "~" or "+"."""
    return said == found or (said.startswith(found) and said[len(found)] in "~+")
