"""What this machine must have for boxes, what is missing, and how to mend it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from functools import cache
from pathlib import Path

from msgspec import Struct

from clearway.records.errors import ConfigError, UpstreamError

_OLDEST = (0, 8)  # --disable-userns, --size, --add-seccomp-fd
_CONTAINER = (
    "in a container, allow it to make user namespaces (podman: --security-opt unmask=ALL "
    "--security-opt seccomp=unconfined; docker: --security-opt systempaths=unconfined "
    "--security-opt seccomp=unconfined --security-opt apparmor=unconfined), "
    "or run on the machine itself, or use the backend oci"
)


class Bubblewrap(Struct, frozen=True):
    """The program found: where, its version, and whether it binds by descriptor."""

    path: str
    version: str
    bind_by_descriptor: bool


def bubblewrap() -> Bubblewrap:
    """The installed bubblewrap.

    Raises:
        ConfigError: there is none, or one too old, with the cure.
    """
    if platform.system() != "Linux":
        raise ConfigError(
            "the sandbox needs Linux", where="sandbox", mend="run the validation on a Linux worker"
        )
    path = shutil.which("bwrap")
    if path is None:
        raise ConfigError(
            "bubblewrap is missing",
            where="sandbox",
            mend="install it: apt-get install bubblewrap, or dnf install bubblewrap",
        )
    return _asked(path)


@cache
def _asked(path: str) -> Bubblewrap:
    try:
        version, help_text = (
            subprocess.run([path, flag], capture_output=True, text=True, timeout=10, env={}).stdout  # noqa: S603
            for flag in ("--version", "--help")
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path} does not run: {error}", where="sandbox", mend="install bubblewrap anew"
        ) from error
    number = version.strip().removeprefix("bubblewrap ")
    try:
        parts = tuple(int(p) for p in number.split(".")[:2])
    except ValueError:
        parts = (0, 0)
    if parts < _OLDEST:
        raise ConfigError(
            f"bubblewrap {number[:20]} is too old", where="sandbox", mend="install bubblewrap 0.8 or later"
        )
    return Bubblewrap(path, number, "--ro-bind-fd" in help_text)


def refused(text: str) -> ConfigError:
    """The error for what bubblewrap said when it could not make a box."""
    said = " ".join(text.split())[:300]
    lower = said.lower()
    mend = ""
    if "user namespace" in lower or "uid map" in lower or ("permission" in lower and "namespace" in lower):
        mend = _namespaces_cure()
    elif "proc" in lower and ("mount" in lower or "permitted" in lower):
        mend = f"a masked /proc forbids a new one: {_CONTAINER}"
    elif "no space" in lower or "too many" in lower or "resource" in lower:
        mend = "the machine has no room for a further box: run fewer at a time"
    return ConfigError(f"no box can be made: {said or 'bubblewrap said nothing'}", where="sandbox", mend=mend)


def wiring(text: str) -> UpstreamError:
    """The error for what `ip` said when a network could not be made."""
    mend = (
        "load the modules veth and bridge" if "not supported" in text or "Unknown device type" in text else ""
    )
    return UpstreamError(
        f"no network for the range: {text[:300] or 'ip said nothing'}", where="sandbox", mend=mend
    )


def _namespaces_cure() -> str:
    if _setting("user/max_user_namespaces") == "0":
        return "user namespaces are switched off: sysctl user.max_user_namespaces=15000"
    if _setting("kernel/unprivileged_userns_clone") == "0":
        return "they are kept from ordinary users: sysctl kernel.unprivileged_userns_clone=1"
    if _setting("kernel/apparmor_restrict_unprivileged_userns") == "1":
        return (
            "AppArmor keeps them from ordinary users: install a profile for bwrap that says `userns,` "
            "(the package apparmor-profiles has one), or sysctl kernel.apparmor_restrict_unprivileged_userns=0"
        )
    return _CONTAINER


def _setting(name: str) -> str:
    try:
        return Path(f"/proc/sys/{name}").read_text("ascii").strip()
    except OSError:
        return ""


class Users(Struct, frozen=True):
    """User numbers that boxes may have, for a start as root: `first` and how many. None: `count` is 0."""

    first: int
    count: int


_FAR = 1_900_000_000  # beyond accounts, subordinate ranges and systemd's own (systemd, docs/UIDS-GIDS)
_WANTED = 1 << 16


def users(uid_map: str | None = None) -> Users:
    """Where numbers that no account has begin, from /proc/self/uid_map: a container has only some."""
    if os.geteuid() != 0:
        return Users(0, 0)
    text = Path("/proc/self/uid_map").read_text("ascii") if uid_map is None else uid_map
    spans = [(int(a), int(c)) for a, _, c in (line.split() for line in text.splitlines())]
    for first, count in spans:
        if first <= _FAR and first + count >= _FAR + _WANTED:
            return Users(_FAR, _WANTED)
    first, count = max(spans, key=lambda s: s[1], default=(0, 0))
    if count < 8192:
        return Users(0, 0)
    return Users(
        first + count // 2, min(count // 2 - 1, _WANTED)
    )  # the upper half, without the last: often "nobody"
