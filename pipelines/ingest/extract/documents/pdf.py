"""Extract the text layer of PDF files with PDFium, in a child process with limited memory and time.

A PDF without a text layer has an empty text. A PDF that requires a password or forbids copying is
`unreadable`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from pipelines.ingest.extract.documents import xmp
from pipelines.ingest.extract.documents.document_text import DocumentError, DocumentText
from pipelines.ingest.extract.documents.pdf_parser import FRAME

TIMEOUT = 60.0  # seconds per document
_ROOT = Path(__file__).parents[4]


class _Parser:
    """The child process. It is started at the first request, and again after it has died."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def ask(self, payload: bytes, limit: int, timeout: float) -> dict[str, Any]:
        """Return the child's answer to a request, as `pdf_parser.extract_pdf` gives it.

        Raises:
          DocumentError: `unreadable` if the child dies of the document or takes too long.
        """
        with self._lock:
            child = self._running()
            late = threading.Event()

            def stop() -> None:
                late.set()
                child.kill()

            timer = threading.Timer(timeout, stop)
            timer.start()
            try:
                answer = self._exchange(child, payload, limit)
            except (OSError, ValueError):
                answer = None
            finally:
                timer.cancel()
            if answer is None:
                self.close()
                why = f"took more than {timeout:g} seconds" if late.is_set() else "broke on it"
                raise DocumentError("unreadable", f"the PDF parser {why}")
            return answer

    def _exchange(
        self, child: subprocess.Popen[bytes], payload: bytes, limit: int
    ) -> dict[str, Any] | None:
        assert child.stdin and child.stdout
        child.stdin.write(FRAME.pack(len(payload), limit))
        child.stdin.write(payload)
        child.stdin.flush()
        head = child.stdout.read(FRAME.size)
        if len(head) < FRAME.size:
            return None
        answer: dict[str, Any] = json.loads(child.stdout.read(FRAME.unpack(head)[0]))
        return answer

    def _running(self) -> subprocess.Popen[bytes]:
        """Return the running child of this process; start it if there is none."""
        # A forked process inherits its parent's pipes, which carry the parent's requests.
        if self._owner != os.getpid() or self._child is None or self._child.poll() is not None:
            if self._owner == os.getpid():
                self.close()
            path = os.pathsep.join(p for p in (str(_ROOT), os.environ.get("PYTHONPATH")) if p)
            self._child = subprocess.Popen(
                [sys.executable, "-m", "pipelines.ingest.extract.documents.pdf_parser"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": path},
            )
            self._owner = os.getpid()
        return self._child

    def close(self) -> None:
        """End the child."""
        if self._child:
            self._child.kill()
            for pipe in (self._child.stdin, self._child.stdout):
                try:
                    if pipe:
                        pipe.close()
                except OSError:  # unwritten bytes of a child that died
                    pass
            self._child.wait()
            self._child = None


_PARSER = _Parser()


def extract_text(payload: bytes, limit: int) -> DocumentText:
    """Extract the text layer of a PDF. `limit` bounds the file and its text."""
    if b"%PDF-" not in payload[:1024]:
        raise DocumentError("unreadable", "no PDF header")
    if len(payload) > limit:
        raise DocumentError("too-large", f"{len(payload)} bytes")
    answer = _PARSER.ask(payload, limit, TIMEOUT)
    if error := answer.get("error"):
        raise DocumentError(error, answer["detail"])
    metas, unreadable = xmp.pdf_metas(payload)
    if unreadable and answer["protected"]:  # the unreadable metadata may reserve text mining
        raise DocumentError("unreadable", "encrypted: its metadata cannot be read")
    return DocumentText(answer["text"], answer["title"] or None, metas=metas)
