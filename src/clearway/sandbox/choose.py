"""Which backend runs the boxes of this process."""

from __future__ import annotations

import os
import threading

from clearway.records.errors import ConfigError

from .run import Backend

ENV = "CLEARWAY_SANDBOX"
_made: dict[str, Backend] = {}
_lock = threading.Lock()


def backend(name: str = "") -> Backend:
    """The backend of that name, one for the whole process: "bubblewrap" or "oci".

    Without a name it is what `CLEARWAY_SANDBOX` says, else bubblewrap.

    Raises:
        ConfigError: what is missing on this machine, and the cure.
    """
    name = name or os.environ.get(ENV, "") or "bubblewrap"
    with _lock:
        if name not in _made:
            _made[name] = _make(name)
        return _made[name]


def _make(name: str) -> Backend:
    if name == "bubblewrap":
        from .bubblewrap import Bubblewrap

        return Bubblewrap()
    if name == "oci":
        from .oci import Oci

        return Oci()
    raise ConfigError(f"no backend {name[:40]!a}", where=ENV, mend='"bubblewrap" or "oci"')
