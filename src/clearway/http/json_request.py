"""Request bodies read as strictly as files: RFC 8259, no duplicate keys, bounded depth."""

from __future__ import annotations

from typing import Any

from litestar import Request
from litestar.types import Empty

from clearway.formats import strict_json


class StrictRequest(Request[Any, Any, Any]):
    """A request whose JSON body is refused where two readers could see two documents."""

    async def json(self) -> Any:
        """The body's value; None for an empty body.

        Raises:
            InputError: it is not JSON as `formats.strict_json` reads it.
        """
        if self._json is Empty:
            body = await self.body()
            self._json = strict_json.loads(body, "body") if body else None
        return self._json

    @property
    def raw(self) -> bytes:
        """The body's bytes as far as somebody has read it by now; b"" before."""
        return self._body if isinstance(self._body, bytes) else b""
