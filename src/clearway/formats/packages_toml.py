"""Lock files written in TOML: uv.lock, poetry.lock and Cargo.lock."""

from __future__ import annotations

from typing import Any

from clearway.records.errors import InputError, TooLargeError
from clearway.records.inventory import Inventory

from .component import Gathering
from .packages import check_toml_size, decode, finish, purl_of


def read(data: bytes, name: str, kind: str) -> Inventory:
    """A component for each locked package; the project itself and its workspace members are none.

    Raises:
        InputError: not TOML, or without packages.
        TooLargeError: beyond `MAX_TOML_BYTES`, or nested too deep.
    """
    import tomllib

    check_toml_size(data, name)
    try:
        document = tomllib.loads(decode(data, name).replace("\r\n", "\n"))
    except tomllib.TOMLDecodeError as e:
        raise InputError(f"not TOML: {e}", where=name, mend="lock again") from None
    except RecursionError:
        raise TooLargeError("nested too deep", where=name) from None
    except ValueError as e:  # an integer of thousands of digits, an impossible date
        raise InputError(f"not TOML: {e}", where=name, mend="lock again") from None
    packages = document.get("package")
    if type(packages) is not list:
        packages = []
    found = Gathering()
    for i, package in enumerate(packages):
        place = f"package[{i}]"
        if type(package) is not dict or type(package.get("name")) is not str or not package["name"]:
            found.problems.append(f"{place} has no name")
        elif kind == "Cargo.lock":
            _crate(package, place, found)
        else:
            _python(package, place, found)
    return finish(found, name, kind)


def _text(value: Any) -> str:
    return value if type(value) is str else ""


def _crate(package: dict[str, Any], place: str, found: Gathering) -> None:
    name, version, source = package["name"], _text(package.get("version")), _text(package.get("source"))
    if not source:
        return  # the workspace's own crate
    if source.startswith("git+"):
        address, _, commit = source[4:].partition("#")
        address = address.partition("?")[0]
        found.add(
            purl_of("cargo", "", name, version, vcs_url=f"git+{address}@{commit}"), name, version, place
        )
    elif "crates.io" in source:
        found.add(purl_of("cargo", "", name, version), name, version, place)
    else:
        found.add("", name, version, place)  # another registry's crate may only share the name


def _python(package: dict[str, Any], place: str, found: Gathering) -> None:
    name, version = package["name"], _text(package.get("version"))
    source = package.get("source")
    source = source if type(source) is dict else {}
    if (
        any(key in source for key in ("virtual", "editable", "directory"))
        or source.get("type") == "directory"
    ):
        return
    git = _text(source.get("git")) or (_text(source.get("url")) if source.get("type") == "git" else "")
    if git:
        address, _, commit = git.partition("#")
        commit = commit or _text(source.get("resolved_reference"))
        vcs_url = f"git+{address.partition('?')[0]}@{commit}"
        found.add(purl_of("pypi", "", name, version, vcs_url=vcs_url), name, version, place)
        return
    found.add(purl_of("pypi", "", name, version), name, version, place)
