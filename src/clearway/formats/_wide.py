"""Text in UTF-16 with a byte-order mark, as Windows PowerShell redirects it, in the UTF-8 that readers take."""

from __future__ import annotations

import re

_BOMS = (b"\xff\xfe", b"\xfe\xff")
_ENCODING = re.compile(r"""^(<\?xml\s[^>]{0,100}?encoding\s*=\s*["'])[\w.-]{1,40}(["'])""")


def narrow(data: bytes) -> bytes:
    """`data` as UTF-8 where it is UTF-16 with a byte-order mark, with what XML says of its encoding; else as it is.

    What is no UTF-16 in spite of its mark stays, too: its reader refuses it.
    """
    if not data.startswith(_BOMS) or data.startswith(b"\xff\xfe\x00\x00"):
        return data
    try:
        text = data.decode("utf-16")
    except UnicodeDecodeError:
        return data
    if text.startswith("<?xml"):
        text = _ENCODING.sub(r"\1utf-8\2", text, count=1)
    return text.encode("utf-8", "replace")
