"""The one error family. Children are named by what a caller can do about them.

    ClearwayError                    internal
    ├── UsageError                   the command or request is wrong
    │   ├── PreconditionMissingError  a change that does not say which version it changes
    │   └── KeyReusedError           an idempotency key came again with another request
    ├── ConfigError                  a setting or the machine is wrong
    ├── InputError                   a document or record can't be used
    │   ├── VersionUnreadableError   no order is defined for this version text
    │   └── TooLargeError            over a bound that protects this process
    ├── NotFoundError                nothing of that name is here
    │   └── CursorError              a place in a list that is not this reader's, or no longer
    ├── AuthenticationError          who asks is not known
    ├── ForbiddenError               who asks is known, and may not
    ├── ConflictError                somebody else holds it, or it changed
    │   └── StaleError               it changed since this caller read it
    ├── TooManyRequestsError         the caller has had its share for now
    ├── UpstreamError                a database, feed or file system failed us
    │   ├── BusyError                it works, and took longer than somebody would wait
    │   ├── FullError                its disk is full
    │   ├── OutsideError             a server that is not ours does not answer as it should
    │   └── OutdatedError            its tables are those of a newer release
    └── IntegrityError               a hash or signature does not hold

`code` is stable and public: the command line maps it to an exit code, the web
layer to a problem document.
"""

from __future__ import annotations


class ClearwayError(Exception):
    """What was wrong, where, and how to mend it."""

    code = "internal"

    def __init__(self, what: str, *, where: str = "", mend: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.mend = mend

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text} ({self.mend})" if self.mend else text


class UsageError(ClearwayError):
    code = "usage"


class PreconditionMissingError(UsageError):
    code = "precondition-required"


class KeyReusedError(UsageError):
    code = "idempotency-mismatch"


class ConfigError(ClearwayError):
    code = "config"


class InputError(ClearwayError):
    code = "input-invalid"


class VersionUnreadableError(InputError):
    code = "version-unreadable"


class TooLargeError(InputError):
    code = "input-too-large"


class NotFoundError(ClearwayError):
    code = "not-found"


class CursorError(NotFoundError):
    code = "cursor-invalid"


class AuthenticationError(ClearwayError):
    code = "unauthenticated"


class ForbiddenError(ClearwayError):
    code = "forbidden"


class ConflictError(ClearwayError):
    code = "conflict"


class StaleError(ConflictError):
    code = "precondition-failed"


class TooManyRequestsError(ClearwayError):
    """`retry_after_s`: after how many seconds the same request may be made again."""

    code = "too-many-requests"

    def __init__(self, what: str, *, where: str = "", mend: str = "", retry_after_s: int = 1) -> None:
        super().__init__(what, where=where, mend=mend)
        self.retry_after_s = retry_after_s


class UpstreamError(ClearwayError):
    code = "upstream"


class BusyError(UpstreamError):
    """Its words are fit for strangers: they name no table, no path and no machine.

    `retry_after_s`: after how many seconds the same may be asked again.
    """

    code = "busy"

    def __init__(self, what: str, *, where: str = "", mend: str = "", retry_after_s: int = 1) -> None:
        super().__init__(what, where=where, mend=mend)
        self.retry_after_s = retry_after_s


class FullError(UpstreamError):
    """The database's disk is full. Its words are fit for strangers: they name no path."""

    code = "disk-full"


class OutsideError(UpstreamError):
    """A server that is not part of this installation did not answer, or not as it should. `where` names it."""

    code = "outside"

    def for_strangers(self) -> str:
        """What was wrong, in words fit for whoever had it asked."""
        return self.what


class OutdatedError(UpstreamError):
    """The database's tables are those of a newer release than this one, which does nothing then."""

    code = "outdated"


class IntegrityError(ClearwayError):
    code = "integrity"
