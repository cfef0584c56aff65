"""Request bodies read as strictly as files: RFC 8259, no duplicate keys, bounded depth."""

from __future__ import annotations

from typing import Any

from litestar import Request
from litestar.exceptions import HTTPException
from litestar.types import Empty

from clearway.formats import strict_json

_STRICT = "/api/"  # elsewhere, clients of OSV send none, or a wrong one


def _says_json(request: Request[Any, Any, Any]) -> bool:
    """Whether the body is said to be JSON, or nothing is said of it."""
    given = request.headers.getall("content-type", [])
    named = given[0].partition(";")[0].strip().lower() if len(given) == 1 else "".join(given)
    return (
        not named
        or named == "application/json"
        or (named.startswith("application/") and named.endswith("+json"))
    )


class StrictRequest(Request[Any, Any, Any]):
    """A request whose JSON body is refused where two readers could see two documents."""

    async def json(self) -> Any:
        """The body's value; None for an empty body.

        Raises:
            HTTPException: 415, under the API a body that says it is something else than JSON (RFC 6839 §3.1).
            InputError: it is not JSON as `formats.strict_json` reads it.
        """
        if self._json is Empty:
            body = await self.body()
            if body and self.url.path.startswith(_STRICT) and not _says_json(self):
                raise HTTPException(detail="send JSON as application/json", status_code=415)
            self._json = strict_json.loads(body, "body") if body else None
        return self._json

    @property
    def raw(self) -> bytes:
        """The body's bytes as far as somebody has read it by now; b"" before."""
        return self._body if isinstance(self._body, bytes) else b""
