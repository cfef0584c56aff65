"""Templates are compiled once for all the applications that a process of tests makes: a tenth of a second each."""

from __future__ import annotations

from functools import partial
from types import CodeType

from jinja2 import BytecodeCache
from jinja2.bccache import Bucket

from clearway.http.pages import rendering


class Kept(BytecodeCache):
    """Compiled templates by their name and source; they are the same in each application."""

    def __init__(self) -> None:
        self.codes: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self.codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        assert bucket.code is not None
        self.codes[bucket.key, bucket.checksum] = bucket.code


rendering.Environment = partial(rendering.Environment, bytecode_cache=Kept())  # type: ignore[misc,assignment]
