"""The embedded server's settings: who may connect, and how it is tuned for a small machine.

`clearway.conf` is written anew at each start. What the owner of a home sets in `local.conf` beside
it is read last and wins.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping

SETTINGS: Mapping[str, str] = {
    # Reachable through the private socket only.
    "listen_addresses": "",
    "unix_socket_permissions": "0777",  # the folder is 0700
    # A server with its worker takes up to 50, a worker of its own about half: some of each on one home.
    "max_connections": "200",
    # Acknowledged means durable.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    # After a crash every file is made durable before the log is replayed: one by one that took 2 to 5 s on a busy disk,
    # by one call for the file system 0.1 s. Linux alone has the call (and before 5.8 kept its errors to itself).
    **({"recovery_init_sync_method": "syncfs"} if sys.platform == "linux" else {}),
    # A small machine, with intake in bulk: fewer checkpoints.
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "min_wal_size": "128MB",
    "checkpoint_timeout": "15min",
    # pglz, the one method in every build, takes three times as long for one inventory as the rest of the work.
    "wal_compression": "off",
    "jit": "off",
    "random_page_cost": "1.1",
    "io_workers": "2",
    "max_logical_replication_workers": "0",  # nobody subscribes: one idle process less
    # A client that lost its mind must not hold locks for ever.
    "idle_in_transaction_session_timeout": "10min",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # The log says what happened to the server, never what was in a record.
    "log_line_prefix": "%m [%p] ",
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_checkpoints": "off",
    "log_statement": "none",
}


_MIB = 1 << 20


def sized(memory: int | None) -> dict[str, str]:
    """Settings that follow the machine's `memory` in bytes; those of a small machine where it is not known.

    An eighth of it for the server's own cache: what is not used of that is not taken, so a small home stays small,
    and a fleet of ten million components has its indexes at hand. The system, which caches files too, has the rest.
    """
    shared = min(max((memory or 0) // 8 // _MIB, 192), 8_192)
    cached = max((memory or 0) // 2 // _MIB, 512)
    return {"shared_buffers": f"{shared}MB", "effective_cache_size": f"{cached}MB"}


def render(settings: Mapping[str, str]) -> str:
    """`settings` as the text of a configuration file."""
    lines = ["# Written by Clearway at each start. Your own settings belong in local.conf beside this file."]
    lines += [f"{name} = '{_quoted(value)}'" for name, value in settings.items()]
    return "\n".join(lines) + "\n"


def hba() -> str:
    """pg_hba.conf: local connections, each proven by the kernel (peer). No password, no trust."""
    return "local all all peer map=clearway\n"


def ident(accounts: Iterable[str], roles: Iterable[str]) -> str:
    """pg_ident.conf: the operating-system `accounts` that may be each of the database's `roles`."""
    named = [*roles]
    return "".join(f'clearway "{_doubled(account)}" {role}\n' for account in accounts for role in named)


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "''")


def _doubled(value: str) -> str:
    return value.replace('"', '""')
