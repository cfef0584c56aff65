"""What each registered purl type folds, requires and forbids (purl-spec, types/*-definition.json).

Not on the way of an inventory: a purl that breaks a rule of its type may still name a package.
"""

from __future__ import annotations

from msgspec.structs import replace

from clearway.records.errors import InputError

from .purl_text import Purl

_NAMESPACE_REQUIRED = frozenset(
    [
        "alpm",
        "apk",
        "bitbucket",
        "composer",
        "deb",
        "git",
        "github",
        "golang",
        "huggingface",
        "maven",
        "qpkg",
        "rpm",
        "swift",
        "vscode-extension",
    ]
)
# What the definitions require and the published tests or real purls contradict: the Go standard
# library ("pkg:golang/stdlib"), and Maven artifacts, modules or packages of which only the name is known.
_NAMESPACE_EXPECTED_ONLY = frozenset(("golang", "maven", "deb", "rpm", "apk", "alpm"))
_NAMESPACE_PROHIBITED = frozenset(
    [
        "bazel",
        "bitnami",
        "cargo",
        "chrome-extension",
        "cocoapods",
        "conda",
        "cran",
        "gem",
        "hackage",
        "julia",
        "mlflow",
        "nuget",
        "oci",
        "opam",
        "otp",
        "pub",
        "pypi",
        "vcpkg",
    ]
)
_NAMESPACE_FOLDED = frozenset(
    [
        "alpm",
        "apk",
        "bitbucket",
        "brew",
        "composer",
        "deb",
        "github",
        "hex",
        "luarocks",
        "qpkg",
        "rpm",
        "vscode-extension",
        "yocto",
    ]
)
_NAME_FOLDED = frozenset(
    [
        "alpm",
        "apk",
        "bitbucket",
        "bitnami",
        "brew",
        "chrome-extension",
        "composer",
        "deb",
        "github",
        "hex",
        "luarocks",
        "oci",
        "otp",
        "pub",
        "pypi",
        "vscode-extension",
    ]
)
_VERSION_FOLDED = frozenset(("huggingface", "oci", "pypi", "vscode-extension"))
_MEND = "see the definition of the type in purl-spec"


def canonical(purl: Purl) -> Purl:
    """`purl` as its type's definition writes it.

    Raises:
        InputError: a part is missing or present against the definition, or has a forbidden character.
    """
    kind, namespace, name, version = purl.type, purl.namespace, purl.name, purl.version
    if kind == "git" and "/" in namespace:  # the namespace is the host, the name is the path
        namespace, _, rest = namespace.partition("/")
        name = f"{rest}/{name}"
    if namespace and kind in _NAMESPACE_PROHIBITED:
        raise InputError(f"a purl of type {kind} has no namespace", mend=_MEND)
    if not namespace and kind in _NAMESPACE_REQUIRED - _NAMESPACE_EXPECTED_ONLY:
        raise InputError(f"a purl of type {kind} needs a namespace", mend=_MEND)
    if kind in _NAMESPACE_FOLDED:
        namespace = namespace.lower()
    if kind in _NAME_FOLDED or (
        kind == "mlflow" and "databricks" in purl.qualifiers.get("repository_url", "")
    ):
        name = name.lower()
    if kind in _VERSION_FOLDED:
        version = version.lower()
    if kind == "pypi":
        name = name.replace("_", "-")
    elif kind == "pub":
        name = "".join(char if char.isascii() and char.isalnum() else "_" for char in name)
    _check(kind, name, version, purl.qualifiers)
    return replace(purl, namespace=namespace, name=name, version=version)


def _check(kind: str, name: str, version: str, qualifiers: dict[str, str]) -> None:
    if kind == "chrome-extension":
        if len(name) != 32 or not set("abcdefghijklmnop").issuperset(name):
            raise InputError("a Chrome extension id has 32 letters from a to p", mend=_MEND)
        numbers = version.split(".") if version else []
        if len(numbers) > 4 or not all(number.isdigit() for number in numbers):
            raise InputError("a Chrome extension version has one to four numbers", mend=_MEND)
    elif kind == "cpan" and "::" in name:
        raise InputError("a purl of type cpan names a distribution, not a module", mend="write - for ::")
    elif kind == "julia" and "uuid" not in qualifiers:
        raise InputError("a purl of type julia needs the qualifier uuid", mend=_MEND)
    elif kind == "swid" and "tag_id" not in qualifiers:
        raise InputError("a purl of type swid needs the qualifier tag_id", mend=_MEND)
