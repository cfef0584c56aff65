"""`clearway ledger witness`: fetches a log's newest checkpoint, has it co-signed, and hands the line back."""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from msgspec import Struct

from clearway.records.errors import InputError, IntegrityError, NotFoundError, UpstreamError, UsageError

from . import tiles as t
from .bundle import Bundle
from .check import key_of
from .checkpoint import read
from .log_keys import followed
from .note import Signature, VerifierKey, verified
from .tree_store import LogKey
from .witness import Witness

if TYPE_CHECKING:
    import httpx
    import psycopg

PATH = "/api/v1/ledger"
_MOST_BYTES = 1 << 20
_TIMEOUT_S = 20.0


class Seen(Struct, frozen=True, kw_only=True):
    """What was co-signed. `kept` says whether the log has taken the line.

    Of what was seen before, `seen` entries, the first `proved` are those of the log now; a restart gave up the others.
    """

    origin: str
    size: int
    line: str
    kept: bool
    proved: int = 0
    seen: int = 0


class Log(Protocol):
    """Where a witness finds a log."""

    def checkpoint(self) -> str: ...
    def keys(self) -> list[LogKey]: ...
    def prove(self, old_size: int, size: int) -> Sequence[bytes]: ...
    def hand_over(self, size: int, line: Signature) -> bool: ...


def witness_of(home: Path, state: str, name: str) -> Witness:
    """The witness of a folder; its key is made at the first use."""
    return Witness(Path(state) if state else home / "witness", name)


def observe(home: Path, source: str, *, state: str, name: str, key: str | None, epoch: int) -> Seen:
    """Looks at a log once.

    Raises:
        IntegrityError: the log does not continue what was seen before.
        UsageError: a log elsewhere needs its key named.
        UpstreamError: it can't be reached.
    """
    witness = witness_of(home, state, name)
    if not source:
        from .opened import opened

        with opened(home) as log:
            return _observe(_Home(log.db), witness, key, epoch)
    if key is None:
        raise UsageError("whose log is it?", mend="give its public key with --key, had from its operator")
    if source.startswith(("http://", "https://")):
        import httpx

        with httpx.Client(timeout=_TIMEOUT_S, follow_redirects=False) as client:
            return _observe(_Server(client, source.rstrip("/") + PATH), witness, key, epoch)
    with Bundle(Path(source)) as bundle:
        return _observe(_File(bundle), witness, key, epoch)


def _observe(log: Log, witness: Witness, key: str | None, epoch: int) -> Seen:
    keys = log.keys()
    pinned = key_of(key) if key else _first(keys)
    note_text = log.checkpoint()
    newest, note = read(note_text)
    signing = [one for one in followed(pinned, keys) if verified(note, one) is not None]
    if not signing:
        raise IntegrityError(
            "the checkpoint is not signed by a key that the given one vouches for", where="checkpoint"
        )
    standing = witness.standing(newest)
    checkpoint, line = witness.cosign(note_text, log.prove, signing[0], int(time.time()), accept_epoch=epoch)
    return Seen(
        origin=checkpoint.origin, size=checkpoint.size, line=line.line().rstrip("\n"),
        kept=log.hand_over(checkpoint.size, line), proved=standing.proved, seen=standing.seen,
    )  # fmt: skip


def _first(keys: list[LogKey]) -> VerifierKey:
    if not keys:
        raise NotFoundError("the log has not been signed yet", mend="run `clearway ledger integrate` first")
    return key_of(keys[0].vkey)


class _Home:
    def __init__(self, db: psycopg.Connection[Any]) -> None:
        self._db = db

    def checkpoint(self) -> str:
        from . import tree_store as tree

        newest = tree.newest(self._db)
        if newest is None:
            raise NotFoundError("the log has no checkpoint yet", mend="run `clearway ledger integrate` first")
        return newest[1].render()

    def keys(self) -> list[LogKey]:
        from . import tree_store as tree

        return tree.keys(self._db)

    def prove(self, old_size: int, size: int) -> Sequence[bytes]:
        from . import tree_store as tree

        return tree.consistency(self._db, old_size, size)

    def hand_over(self, size: int, line: Signature) -> bool:
        from .cosigning import accept

        return accept(self._db, size, line)


class _File:
    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle

    def checkpoint(self) -> str:
        notes = self._bundle.notes()
        if not notes:
            raise NotFoundError("the file has no checkpoint")
        return notes[-1]

    def keys(self) -> list[LogKey]:
        return self._bundle.keys()

    def prove(self, old_size: int, size: int) -> Sequence[bytes]:
        ranges = t.consistency_ranges(old_size, size)
        return t.hashes(ranges, {tile: self._bundle.tile(tile) for tile in t.needed(ranges)})

    def hand_over(self, size: int, line: Signature) -> bool:
        return False


class _Server:
    def __init__(self, client: httpx.Client, url: str) -> None:
        self._client = client
        self._url = url

    def checkpoint(self) -> str:
        return self._get("/checkpoint").decode("utf-8", "replace")

    def keys(self) -> list[LogKey]:
        try:
            return msgspec.json.decode(self._get("/keys"), type=dict[str, list[LogKey | str]])["keys"]  # type: ignore[return-value]
        except (msgspec.MsgspecError, KeyError) as error:
            raise InputError(f"the keys can't be read: {error}", where=self._url) from None

    def prove(self, old_size: int, size: int) -> Sequence[bytes]:
        data = self._get(f"/proof/consistency?old={old_size}&size={size}")
        try:
            texts = msgspec.json.decode(data, type=dict[str, int | list[str]])["proof"]
            if not isinstance(texts, list):
                raise ValueError("no list")
            return [base64.b64decode(text, validate=True) for text in texts]
        except (msgspec.MsgspecError, KeyError, ValueError) as error:
            raise InputError(f"the proof can't be read: {error}", where=self._url) from None

    def hand_over(self, size: int, line: Signature) -> bool:
        import httpx

        try:
            answer = self._client.post(
                f"{self._url}/cosignature", json={"size": size, "line": line.line().rstrip("\n")}
            )
        except httpx.HTTPError as error:
            raise UpstreamError(
                f"the log did not take the line: {type(error).__name__}", where=self._url
            ) from None
        return answer.status_code in (200, 201, 204)

    def _get(self, path: str) -> bytes:
        import httpx

        try:
            with self._client.stream("GET", self._url + path) as answer:
                if answer.status_code != 200:
                    raise UpstreamError(f"answered {answer.status_code}", where=self._url + path)
                data = b""
                for part in answer.iter_bytes():
                    data += part
                    if len(data) > _MOST_BYTES:
                        raise InputError("the answer is too long", where=self._url + path)
                return data
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UpstreamError(f"can't be reached: {type(error).__name__}", where=self._url) from None
