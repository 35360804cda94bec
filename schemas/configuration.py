"""Parameters and the register that they name, read together."""

from __future__ import annotations

from pathlib import Path

from schemas import params as params_module
from schemas import policy
from schemas import register as register_module
from schemas.errors import Invalid, Problem
from schemas.params import Params
from schemas.register import Register
from schemas.yaml_source import read


def load_both(path: Path) -> tuple[Params, Register]:
    """The parameters in `path` and their register; policy packs that they name are checked.

    Raises:
      Invalid: with all that is wrong in either, the register's too where the parameters are bad.
    """
    try:
        params = params_module.load(path)
    except Invalid as invalid:
        raise Invalid([*invalid.problems, *_register_problems(path)]) from None
    try:
        policy.load(params.policy.path)
    except Invalid as invalid:
        raise Invalid([*invalid.problems, *_register_problems(path)]) from None
    return params, register_module.load(params.register)


def _register_problems(path: Path) -> tuple[Problem, ...]:
    source, _ = read(path)
    folder = source.value.get("register") if source and isinstance(source.value, dict) else None
    if not isinstance(folder, str):
        return ()
    try:
        register_module.load(path.absolute().parent / folder)
    except Invalid as invalid:
        return invalid.problems
    return ()
