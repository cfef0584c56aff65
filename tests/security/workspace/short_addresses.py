"""For schemathesis: addresses that the server ends by itself, before the application is asked, are not asked for.

The HTTP server answers an address over 65,534 bytes without a body (docs/reference/http.md); the application's own
refusal, from 16 KiB on, is asked for as any other answer.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import schemathesis

_MOST = 60_000


@schemathesis.hook
def filter_case(_: Any, case: Any) -> bool:
    return len(case.formatted_path) + len(urlencode(case.query or {}, doseq=True)) < _MOST
