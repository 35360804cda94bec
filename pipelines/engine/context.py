"""What a run hands to its stages."""

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
    """What a run hands to its stages."""

    params: Params
    register: Register
    workers: int = 1
    beam_args: tuple[str, ...] = ()
    watch: Callable[[str, Callable[[], int], int | None], Any] | None = None
    dry_run: bool = False
    find_containers: Callable[[Params, bool], list[Container]] | None = None

    @cached_property
    def containers(self) -> list[Container]:
        """The raw files, digested once; none where a stage does not read them."""
        if self.find_containers is None:
            return []
        return self.find_containers(self.params, not self.dry_run)

    @cached_property
    def events(self) -> Emitter:
        """What tells others of the stages that run."""
        where = self.params.openlineage
        return make_emitter(where.file, where.url)

    def folder(self, stage: str) -> Path:
        return self.params.work / stage
