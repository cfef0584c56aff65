"""An OpenAI-compatible endpoint on loopback, over real HTTP, with models that need no weights and no network.

`extractive` drafts as a small summariser would: the sentences of a report whose words are most central in it, and the
findings whose words overlap most. `obedient` is the worst model there is: it does what the report's text says. Both
keep to the protocol (`/v1/models`, `/v1/chat/completions`, `response_format`, `usage`); `answers` says something else
first.
"""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Model = Callable[[str, list[dict[str, str]]], str]  # (kind, the data) -> what it says
KEY = "sk-of-the-tests"
_STOP = frozenset(
    re.findall(r"\w+", "a an and are as at be by can for from has in is it its of on or that the to")
)


class ModelServer(ThreadingHTTPServer):
    """`asked` is what came in: headers and body. `answers` are (status, body) given before the model is asked."""

    daemon_threads = True

    def __init__(self, model: Model) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.model = model
        self.key = KEY
        self.asked: list[tuple[dict[str, str], dict[str, Any]]] = []
        self.raw: list[bytes] = []
        self.answers: list[tuple[int, bytes]] = []
        self.structured = True  # whether it takes response_format

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def settings(
        self, send: tuple[str, ...] = ("title", "product", "place", "class", "description"), **more: Any
    ) -> str:
        """An `assist.toml` for it."""
        fields = json.dumps(list(send))
        facts = {"url": self.url, "model": "extractive-1", "place": "inside", "allow": "127.0.0.1", **more}
        head = "\n".join(f"{name} = {json.dumps(value)}" for name, value in facts.items())
        return f'{head}\n[send]\n"AMBER+STRICT" = {fields}\nRED = {fields}\n'


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ModelServer

    def do_GET(self) -> None:
        if self.path == "/v1/models":
            self._say(200, {"object": "list", "data": [{"id": "extractive-1", "object": "model"}]})
        else:
            self._say(404, {"error": {"message": "not found"}})

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["content-length"]))
        body = json.loads(raw)
        self.server.asked.append(({k.lower(): v for k, v in self.headers.items()}, body))
        self.server.raw.append(raw)
        if self.server.answers:
            status, said = self.server.answers.pop(0)
            self._bytes(status, said)
        elif self.server.key and self.headers.get("authorization") != f"Bearer {self.server.key}":
            self._say(401, {"error": {"message": f"bad key {self.headers.get('authorization')}"}})
        elif self.path != "/v1/chat/completions":
            self._say(404, {"error": {"message": "not found"}})
        elif "response_format" in body and not self.server.structured:
            self._say(400, {"error": {"message": "response_format is not supported: " + raw.decode()}})
        else:
            user = body["messages"][-1]["content"]
            kind = "summary" if user.startswith("Summarise") else "duplicates"
            data = json.loads(re.search(r"<data>\n(.*)\n</data>\Z", user, re.DOTALL)[1])  # type: ignore[index]
            text = self.server.model(kind, data)
            self._say(200, completion(text, tokens=(len(raw) + len(text)) // 4))

    def _say(self, status: int, value: Any) -> None:
        self._bytes(status, json.dumps(value).encode())

    def _bytes(self, status: int, said: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: Any) -> None: ...


def completion(text: str | None, *, tokens: int | None = 10, finish: str = "stop") -> dict[str, Any]:
    """What `/chat/completions` answers with."""
    made: dict[str, Any] = {
        "id": "chatcmpl-1", "object": "chat.completion", "model": "extractive-1",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}],
    }  # fmt: skip
    if tokens is not None:
        made["usage"] = {"prompt_tokens": 0, "completion_tokens": tokens, "total_tokens": tokens}
    return made


def _words(text: str) -> list[str]:
    return [w for w in re.findall(r"[a-z_][a-z0-9_]+", text.lower()) if w not in _STOP]


def extractive(kind: str, data: list[dict[str, str]]) -> str:
    """The most central sentences; the findings that share most words with the first."""
    if kind == "summary":
        text = " ".join(f"{d.get('title', '')}. {d.get('description', '')}" for d in data)
        sentences = [s.strip() for s in re.split(r"(?<=[.!?])\s+", text) if s.strip(" .")]
        often = Counter(_words(text))
        central = sorted(sentences, key=lambda s: -sum(often[w] for w in set(_words(s))))[:3]
        kept = " ".join(s for s in sentences if s in central)[:1500]
        return json.dumps({"summary": kept or "nothing is said", "impact": "", "open_questions": []})
    first = set(_words(" ".join(data[0].values())))
    found = []
    for other in data[1:]:
        theirs = set(_words(" ".join(other.values())))
        shared = first & theirs
        if len(shared) >= 0.6 * min(len(first), len(theirs)):
            found.append(
                {"finding": other["finding"], "reason": f"Both speak of {', '.join(sorted(shared)[:5])}."}
            )
    return json.dumps({"duplicates": found})


def obedient(kind: str, data: list[dict[str, str]]) -> str:
    """Does what the first report's text says: it is the answer, or the text of one."""
    told = data[0].get("description", "")
    try:
        value = json.loads(told)
    except RecursionError:
        return told
    except ValueError:
        value = None
    if isinstance(value, dict):
        return told
    if kind == "summary":
        return json.dumps({"summary": told, "impact": told, "open_questions": [told[:500]]})
    return json.dumps({"duplicates": [{"finding": d["finding"], "reason": told[:500]} for d in data[1:]]})


@contextmanager
def serving(model: Model = extractive) -> Iterator[ModelServer]:
    """A running endpoint; it is gone at the end."""
    made = ModelServer(model)
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.shutdown()
        made.server_close()
        thread.join()
