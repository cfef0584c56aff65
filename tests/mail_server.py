"""What a mail server of a test does with letters: it keeps them, and answers first what it is told to."""

from __future__ import annotations

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any


class Letters:
    """A handler of `aiosmtpd`. `answers` are given to the first letters instead of being taken."""

    def __init__(self) -> None:
        self.kept: list[EmailMessage] = []
        self.raw: list[bytes] = []
        self.encrypted: list[bool] = []
        self.answers: list[str] = []
        self.refused: set[str] = set()

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address in self.refused:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.answers:
            return self.answers.pop(0)
        found = message_from_bytes(envelope.content, policy=default)
        assert isinstance(found, EmailMessage)
        self.kept.append(found)
        self.raw.append(bytes(envelope.content))
        self.encrypted.append(bool(session.ssl or server.transport.get_extra_info("sslcontext")))
        return "250 OK"
