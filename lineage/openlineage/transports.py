"""Transports of events: a file with one event per line, or an HTTP endpoint.

A transport must never stop a run.  After the first failure a transport gives one warning and sends
no more events.
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
    """Return a transport that appends each event to a file as one line of JSON."""

    def send(event: dict[str, Any]) -> None:
        disk.append_line(path, json.dumps(event, ensure_ascii=False).encode())

    return send


def to_http(url: str, endpoint: str = ENDPOINT, api_key: str | None = None) -> Send:
    """Return a transport that POSTs each event.

    The transport raises if the server does not answer with success within `TIMEOUT` seconds.

    Raises:
      ValueError: if the URL does not begin with http:// or https://.
    """
    address = f"{url.rstrip('/')}/{endpoint.lstrip('/')}"
    if urlsplit(address).scheme not in ("http", "https"):
        raise ValueError("the URL must begin with http:// or https://")
    headers = {"Content-Type": "application/json"}
    if api_key:
        headers["Authorization"] = f"Bearer {api_key}"

    def send(event: dict[str, Any]) -> None:
        body = json.dumps(event, ensure_ascii=False).encode()
        request = urllib.request.Request(address, body, headers, method="POST")
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
            response.read()

    return send


def _warn(message: str) -> None:
    print(f"warning: {message}", file=sys.stderr)


@dataclass
class Emitter:
    """Send events by all transports (name -> send function); drop a transport once it fails."""

    transports: dict[str, Send]
    warn: Callable[[str], None] = field(default=_warn)

    def __bool__(self) -> bool:
        return bool(self.transports)

    def emit(self, make: Callable[[], dict[str, Any]]) -> None:
        """Send the event that `make` returns.  Never raises."""
        if not self.transports:
            return
        try:
            event = make()
        except Exception as error:  # an error in `make` must not stop the run
            self._drop(list(self.transports), error)
            return
        for name in list(self.transports):
            try:
                self.transports[name](event)
            except Exception as error:  # urllib and file systems raise many types
                self._drop([name], error)

    def _drop(self, names: list[str], error: Exception) -> None:
        for name in names:
            del self.transports[name]
            self.warn(
                f"OpenLineage: transport {name} failed and sends no more events: "
                f"{type(error).__name__}: {error}"
            )


def make_emitter(
    file: Path | None, url: str | None, environment: Mapping[str, str] = os.environ
) -> Emitter:
    """Return an emitter with the transports that the parameters name.

    Args:
      file: the parameters' file for events.
      url: the parameters' URL; without it OPENLINEAGE_URL counts.
      environment: OPENLINEAGE_ENDPOINT and OPENLINEAGE_API_KEY complete the URL;
        OPENLINEAGE_DISABLED=true turns all transports off.
    """
    if environment.get("OPENLINEAGE_DISABLED", "").lower() == "true":
        return Emitter({})
    transports: dict[str, Send] = {}
    emitter = Emitter(transports)
    if file is not None:
        transports["file"] = to_file(file)
    if address := url or environment.get("OPENLINEAGE_URL"):
        endpoint = environment.get("OPENLINEAGE_ENDPOINT") or ENDPOINT
        try:
            transports["HTTP"] = to_http(address, endpoint, environment.get("OPENLINEAGE_API_KEY"))
        except ValueError as error:
            emitter.warn(f"OpenLineage: no events are sent by HTTP: {error}")
    return emitter
