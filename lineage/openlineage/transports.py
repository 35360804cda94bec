"""Where events go: a file, a line each, or an HTTP endpoint.

Telling others of a run must not cost the run: what cannot be sent is a warning, once, and nothing
more is sent that way.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from lineage.storage import disk

TIMEOUT: Final = 5.0  # seconds
ENDPOINT: Final = "api/v1/lineage"

Send = Callable[[dict[str, Any]], None]


def to_file(path: Path) -> Send:
    """Append each event as a line."""

    def send(event: dict[str, Any]) -> None:
        disk.append_line(path, json.dumps(event, ensure_ascii=False).encode())

    return send


def to_http(url: str, endpoint: str = ENDPOINT, api_key: str | None = None) -> Send:
    """POST each event; what is not answered with success in time raises."""
    address = f"{url.rstrip('/')}/{endpoint.lstrip('/')}"
    if urlsplit(address).scheme not in ("http", "https"):
        raise ValueError("an OpenLineage URL begins with http:// or https://")
    headers = {"Content-Type": "application/json"}
    if api_key:
        headers["Authorization"] = f"Bearer {api_key}"

    def send(event: dict[str, Any]) -> None:
        body = json.dumps(event, ensure_ascii=False).encode()
        request = urllib.request.Request(address, body, headers, method="POST")
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            answer.read()

    return send


def _warn(message: str) -> None:
    print(f"warning: {message}", file=sys.stderr)


@dataclass
class Emitter:
    """Sends events by all its transports (name -> how); one that fails is left out from then on."""

    transports: dict[str, Send]
    warn: Callable[[str], None] = field(default=_warn)

    def __bool__(self) -> bool:
        return bool(self.transports)

    def emit(self, make: Callable[[], dict[str, Any]]) -> None:
        """Send what `make` gives; never raises, whatever fails."""
        if not self.transports:
            return
        try:
            event = make()
        except Exception as error:  # a defect here must not end a run either
            self._drop(list(self.transports), error)
            return
        for name in list(self.transports):
            try:
                self.transports[name](event)
            except Exception as error:  # urllib and file systems raise many kinds
                self._drop([name], error)

    def _drop(self, names: list[str], error: Exception) -> None:
        for name in names:
            del self.transports[name]
            self.warn(f"OpenLineage: no more events by {name}: {type(error).__name__}: {error}")


def make_emitter(
    file: Path | None, url: str | None, environment: Mapping[str, str] = os.environ
) -> Emitter:
    """The transports that parameters name; without a URL there, OPENLINEAGE_URL's, with
    OPENLINEAGE_ENDPOINT and OPENLINEAGE_API_KEY.  OPENLINEAGE_DISABLED=true turns all off."""
    if environment.get("OPENLINEAGE_DISABLED", "").lower() == "true":
        return Emitter({})
    found: dict[str, Send] = {}
    emitter = Emitter(found)
    if file is not None:
        found["file"] = to_file(file)
    if address := url or environment.get("OPENLINEAGE_URL"):
        endpoint = environment.get("OPENLINEAGE_ENDPOINT") or ENDPOINT
        try:
            found["HTTP"] = to_http(address, endpoint, environment.get("OPENLINEAGE_API_KEY"))
        except ValueError as error:
            emitter.warn(f"OpenLineage: no events by HTTP: {error}")
    return emitter
