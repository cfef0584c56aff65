"""Where an embedded database lives, and under which account its server runs.

    HOME/postgres/          0700, the owner's
        data/               the cluster, 0700, the server account's
        run/                the socket's folder, where its path is short enough
        log/server.log      and server.log.1 … .5
        start.lock          held while somebody starts or stops the server
        use.lock            shared by everybody who uses it
        server.lock         held by the server's own processes
        socket              which folder the socket is in

PostgreSQL refuses to run as root. For root the server runs under another account; then `data`
belongs to that account and everything above it stays root's. The server never walks the path to
its data: it is started inside the folder and told that it is `/proc/self/cwd`, so no parent needs
to be opened to it, and no other process of that account can reach the data.
"""

from __future__ import annotations

import errno
import hashlib
import os
import pwd
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from clearway.records.errors import ConfigError

from .failures import OTHER_HOME, OWN_SERVER, at, user_name

# The accounts tried for root's server. "clearway" is for administrators who want one of its own.
_SERVER_ACCOUNTS = ("clearway", "nobody")
# sockaddr_un.sun_path is 104 bytes on macOS and 108 on Linux, the closing zero included.
_SOCKET_PATH_BYTES = 103
_SOCKET_FILE = ".s.PGSQL.5432"
# Characters that mean something in `unix_socket_directories` or in a connection string.
_AWKWARD = frozenset("\"'\\,\n\r\t")
_ROOTS_SOCKETS = Path("/run/clearway")
_PROC_CWD = Path("/proc/self/cwd")


class Account(Struct, frozen=True):
    """An account of the machine."""

    uid: int
    gid: int
    name: str


class Place(Struct, frozen=True, kw_only=True):
    """The folders of one home's database. `owner` is who made it, `server` who runs its server."""

    home: Path
    root: Path
    owner: int
    server: Account

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def unfinished(self) -> Path:
        """A cluster that is still being made; a leftover is from somebody who was killed at it."""
        return self.root / "data.new"

    @property
    def log(self) -> Path:
        return self.root / "log" / "server.log"

    @property
    def start_lock(self) -> Path:
        return self.root / "start.lock"

    @property
    def use_lock(self) -> Path:
        return self.root / "use.lock"

    @property
    def server_lock(self) -> Path:
        return self.root / "server.lock"

    @property
    def as_other(self) -> bool:
        """Whether the server runs under an account other than this process's."""
        return self.server.uid != os.geteuid()

    def data_argument(self, folder: Path) -> str:
        """How the server is told where `folder` is; its working directory is `folder` already."""
        return str(_PROC_CWD) if self.as_other and _PROC_CWD.exists() else str(folder)

    def socket_dir(self) -> Path:
        """The folder of the running or last server's socket, else the one that the next will use.

        A home that was copied has the note of another's server, which is not to be used: the note names the folder
        that it was written for.
        """
        try:
            noted, whose = (self.root / "socket").read_text("utf-8").split("\n", 1)
        except (OSError, ValueError):
            return self._choose_socket_dir()
        known = noted.startswith("/") and whose == self._identity()
        return Path(noted) if known else self._choose_socket_dir()

    def _identity(self) -> str:
        """What a copy of this folder does not share with it, and a renamed one does."""
        found = self.root.stat()
        return f"{found.st_dev}:{found.st_ino}"

    def make_socket_dir(self) -> Path:
        """Makes the socket's folder, 0700 and the server account's, and notes which one it is.

        Raises:
            ConfigError: the folder exists and belongs to somebody else.
        """
        folder = self._choose_socket_dir()
        with at(folder):
            if folder.parent == _ROOTS_SOCKETS:
                folder.parent.mkdir(exist_ok=True)
                folder.parent.chmod(0o711)
            private_dir(folder, self.server)
            note = self.root / "socket"
            write_whole(note, f"{folder}\n{self._identity()}".encode(), self.owner)
        return folder

    def remove_socket_dir(self) -> None:
        """Removes the socket's folder when it lies outside of the home and is empty."""
        folder = self.socket_dir()
        if self.root not in folder.parents:
            with suppress(OSError):
                folder.rmdir()

    def _choose_socket_dir(self) -> Path:
        inside = self.root / "run"
        if not self.as_other and _fits(inside):
            return inside
        # The name is drawn from the home, so that every process comes to the same one.
        name = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]
        if os.geteuid() == 0 and os.access("/run", os.W_OK):
            return _ROOTS_SOCKETS / name
        runtime = os.environ.get("XDG_RUNTIME_DIR", "")
        if not self.as_other and runtime.startswith("/") and Path(runtime).is_dir():
            candidate = Path(runtime) / f"clearway-{name}"
            if _fits(candidate):
                return candidate
        return Path("/tmp") / f"clearway-{self.server.uid}-{name}"  # noqa: S108  private_dir checks its owner


def find(home: Path) -> Place | None:
    """The place of an existing database under `home`, None when there is none yet.

    Raises:
        ConfigError: this user may not enter it.
    """
    home = Path(os.path.realpath(home))
    root = home / "postgres"
    with at(root):
        try:
            owner = root.stat().st_uid
        except FileNotFoundError:
            return None
    _refuse_others(root, owner)
    return Place(home=home, root=root, owner=owner, server=_server_account(root, owner))


def make(home: Path) -> Place:
    """The place of `home`'s database; its folders are made where they are missing.

    Raises:
        ConfigError: the folder can't be made or belongs to somebody else.
    """
    home = Path(os.path.realpath(home))
    root = home / "postgres"
    with at(home):
        if not home.exists():
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
        root.mkdir(mode=0o700, exist_ok=True)
        owner = root.stat().st_uid
    _refuse_others(root, owner)
    with at(root):
        if stat.S_IMODE(root.stat().st_mode) & 0o077:
            root.chmod(0o700)
        log = root / "log"
        log.mkdir(mode=0o700, exist_ok=True)
        if os.geteuid() == 0:
            os.chown(log, owner, -1)
    return Place(home=home, root=root, owner=owner, server=_server_account(root, owner))


def private_dir(folder: Path, account: Account) -> None:
    """Makes `folder` 0700 and `account`'s; one that exists must be a folder of that account, not a link.

    Somebody else may have made it first, in a place where everybody can write.
    """
    try:
        folder.mkdir(mode=0o700)
        if os.geteuid() != account.uid:
            _give(folder, account)
    except FileExistsError:
        seen = folder.lstat()
        if not stat.S_ISDIR(seen.st_mode) or seen.st_uid not in (account.uid, os.geteuid()):
            raise ConfigError(
                f"the folder for the database's socket belongs to {user_name(seen.st_uid)}",
                where=str(folder),
                mend="remove it, or set XDG_RUNTIME_DIR to a folder of your own",
            ) from None
        if os.geteuid() == 0:
            _give(folder, account)
        folder.chmod(0o700)


def not_as_other(account: Account, where: Path) -> ConfigError:
    """The error for a root without root's rights, as in some containers: it can't act as `account`."""
    return ConfigError(
        f"this root may not run a process as {account.name!r}, and PostgreSQL won't run as root",
        where=str(where),
        mend=f"run as an ordinary user, {OWN_SERVER}",
    )


def _give(folder: Path, account: Account) -> None:
    try:
        os.chown(folder, account.uid, account.gid, follow_symlinks=False)
    except OSError as error:
        if error.errno in (errno.EPERM, errno.EINVAL):  # EINVAL: the account is not in this user namespace
            raise not_as_other(account, folder) from error
        raise


def write_whole(path: Path, content: bytes, uid: int, mode: int = 0o600) -> None:
    """Writes `content` to `path` in one step, as a file of `uid`.

    A fresh file is renamed over `path`: a link planted there is replaced and not followed.
    """
    fd, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(content)
            os.fchmod(fd, mode)
            if os.geteuid() == 0:
                os.fchown(fd, uid, -1)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _refuse_others(root: Path, owner: int) -> None:
    if os.geteuid() not in (0, owner):
        raise ConfigError(
            f"the database belongs to {user_name(owner)}, and you are {user_name(os.geteuid())}",
            where=str(root),
            mend=f"run as {user_name(owner)}, or {OTHER_HOME}",
        )


def _server_account(root: Path, owner: int) -> Account:
    """Who runs the server: the owner of the cluster or, for a new one, of the place; never root."""
    for folder in (root / "data", root):
        try:
            uid = folder.stat().st_uid
        except OSError:
            continue
        if uid != 0:
            return _account(uid, root)
    for name in _SERVER_ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid, name)
    raise ConfigError(
        "PostgreSQL does not run as root, and this machine has no account 'clearway' or 'nobody'",
        where=str(root),
        mend=f"run as an ordinary user, make a system account 'clearway', {OWN_SERVER}",
    )


def _account(uid: int, root: Path) -> Account:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise ConfigError(
            f"user {uid} has no account on this machine, and PostgreSQL needs its name",
            where=str(root),
            mend=f"add the user to /etc/passwd, {OWN_SERVER}",
        ) from None
    return Account(uid, entry.pw_gid, entry.pw_name)


def _fits(folder: Path) -> bool:
    path = os.fsencode(folder / _SOCKET_FILE)
    return len(path) <= _SOCKET_PATH_BYTES and not _AWKWARD & set(str(folder)) and str(folder).isprintable()
