"""The process in which Great Expectations runs: started once per process, asked by files.

It imports while a run does its work on another core, and ends with this process: its standard
input is a pipe from here.
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

#: Set to anything, what Great Expectations and its libraries print is shown.
DEBUG: Final = "TAMGA_DEBUG"
MODULE: Final = "pipelines.engine.data_docs"
_ROOT: Final = Path(__file__).parents[2]  # where `pipelines` lies


class DocsProcess:
    """Hands requests to the process and reads its answers, in the same order."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._waiting: list[Path] = []
        self._lock = threading.Lock()
        self.exit_code: int | None = None  # of a process that died

    def start(self) -> None:
        """Start the process, if it does not run."""
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
        """Hand a request on; a process that died meanwhile is seen when answers are read."""
        with self._lock:
            if not self._waiting:  # else answers to earlier requests would be lost unseen
                self.start()
            self._waiting.append(request)
            assert self._process and self._process.stdin
            with suppress(BrokenPipeError):
                print(request.absolute(), file=self._process.stdin, flush=True)

    def answers(self) -> dict[Path, dict[str, Any] | None]:
        """Wait for the answers to all requests; None: the process died before it answered."""
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


#: The one of this process.
PROCESS: Final = DocsProcess()
