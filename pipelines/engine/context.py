"""The context of a run, which each stage gets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lineage.openlineage.transports import Emitter, make_emitter
from pipelines.engine.input_files import Container
from schemas.params import Params
from schemas.register import Register


@dataclass(frozen=True)
class Context:
    """Parameters, register and resources of a run.

    Attributes:
      workers: the number of local worker processes.
      beam_args: options for Beam, as given on the command line.
      watch: shows the progress of a stage: (stage, function that counts its finished shards,
        number of planned shards) -> context manager.
      dry_run: whether the run only prints its plan; raw files are then not hashed.
      find_containers: lists the raw files: (parameters, whether to hash them) -> containers.
    """

    params: Params
    register: Register
    workers: int = 1
    beam_args: tuple[str, ...] = ()
    watch: Callable[[str, Callable[[], int], int | None], Any] | None = None
    dry_run: bool = False
    find_containers: Callable[[Params, bool], list[Container]] | None = None

    @cached_property
    def containers(self) -> list[Container]:
        """The raw files, hashed once; empty for a stage that does not read them."""
        if self.find_containers is None:
            return []
        return self.find_containers(self.params, not self.dry_run)

    @cached_property
    def events(self) -> Emitter:
        """Emits the OpenLineage events of the stages."""
        where = self.params.openlineage
        return make_emitter(where.file, where.url)

    def folder(self, stage: str) -> Path:
        """The work folder of a stage."""
        return self.params.work / stage
