"""Signatures beside CSAF documents, checked by the `gpg` of this machine where there is one.

In a keyring of its own, with the publisher's keys alone, and without the agent. No trust model: what counts is that
a key with one of the publisher's fingerprints made the signature over these bytes.
"""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from clearway.records.errors import UpstreamError

if TYPE_CHECKING:
    from pathlib import Path

_TIMEOUT_S = 20.0
_MOST_KEYS = 50
_BAD = {
    "BADSIG": "the signature is of another text",
    "ERRSIG": "the signature can't be checked",
    "REVKEYSIG": "its key was revoked",
    "NO_PUBKEY": "signed with a key that the publisher does not list",
}


def available() -> bool:
    """Whether `gpg` is here."""
    return shutil.which("gpg") is not None


class Keyring:
    """The publisher's keys, for one pull."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.fingerprints: set[str] = set()

    def add(self, key: Path) -> set[str]:
        """Adds the public keys in a file; returns their fingerprints, upper case."""
        said = self._gpg("--import", "--import-options", "import-minimal", str(key))
        found = {words[3].upper() for words in said if words[1:2] == ["IMPORT_OK"] and len(words) > 3}
        if len(self.fingerprints | found) > _MOST_KEYS:
            raise UpstreamError(f"more than {_MOST_KEYS} keys", where=str(key.name))
        self.fingerprints |= found
        return found

    def refusal(self, document: Path, signature: Path, allowed: set[str]) -> str:
        """Why `signature` does not stand for `document`, in words; "" when one of the `allowed` keys made it."""
        said = self._gpg("--verify", str(signature), str(document))
        for words in said:
            if words[1] in _BAD and words[1] != "NO_PUBKEY":
                missing = any(w[1] == "NO_PUBKEY" for w in said)
                return _BAD["NO_PUBKEY"] if missing else _BAD[words[1]]
        signers = {f.upper() for words in said if words[1] == "VALIDSIG" for f in (words[2], words[-1])}
        if not signers:
            return "no signature in its signature file"
        return "" if signers & allowed else _BAD["NO_PUBKEY"]

    def _gpg(self, *words: str) -> list[list[str]]:
        """The status lines of one call, split at blanks: "[GNUPG:]", the keyword, its fields (doc/DETAILS of GnuPG)."""
        command = [
            shutil.which("gpg") or "gpg", "--homedir", str(self._folder), "--batch", "--no-tty", "--no-options",
            "--no-autostart", "--no-auto-key-retrieve", "--trust-model", "always", "--status-fd", "1", *words,
        ]  # fmt: skip
        try:
            done = subprocess.run(  # noqa: S603 - fixed words and paths that we made
                command, capture_output=True, timeout=_TIMEOUT_S, check=False, stdin=subprocess.DEVNULL
            )
        except (OSError, subprocess.TimeoutExpired):
            return []
        lines = done.stdout.decode("utf-8", "replace").splitlines()
        return [line.split() for line in lines if line.startswith("[GNUPG:] ") and len(line.split()) > 1]
