"""The child process in which Great Expectations runs; requests are files.

It imports the library while the run works on another core.  It ends with this process, because its
standard input is a pipe from here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

#: If set, the output of Great Expectations and its libraries is shown.
DEBUG: Final = "TAMGA_DEBUG"
MODULE: Final = "pipelines.engine.data_docs"
_ROOT: Final = Path(__file__).parents[2]  # holds `pipelines`


class DocsProcess:
    """Sends requests to the child process and reads its answers, in the same order."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._waiting: list[Path] = []
        self._lock = threading.Lock()
        self.exit_code: int | None = None  # of a process that died

    def start(self) -> None:
        """Start the process, unless it runs."""
        if self._process is None or self._process.poll() is not None:
            paths = [str(_ROOT), os.environ.get("PYTHONPATH", "")]
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", MODULE],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=None if os.environ.get(DEBUG) else subprocess.DEVNULL,
                text=True,
                encoding="utf-8",
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
            )

    def ask(self, request: Path) -> None:
        """Send a request.  A process that died is noticed when `answers` reads."""
        with self._lock:
            if not self._waiting:  # a new process would not answer the requests that wait
                self.start()
            self._waiting.append(request)
            assert self._process and self._process.stdin
            with suppress(BrokenPipeError):
                print(request.absolute(), file=self._process.stdin, flush=True)

    def answers(self) -> dict[Path, dict[str, Any] | None]:
        """Wait for the answers to all requests; None if the process died before it answered."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
            return {request: self._answer() for request in waiting}

    def _answer(self) -> dict[str, Any] | None:
        if self._process is None:
            return None
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            self.exit_code = self._process.wait()
            self.stop()
            return None
        answer: dict[str, Any] = json.loads(line)
        return answer

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


#: This process starts one child at most.
PROCESS: Final = DocsProcess()
