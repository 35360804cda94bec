"""The parameters of a run and the register that they name, read from their files."""

from __future__ import annotations

from pathlib import Path

from lineage import register_files
from schemas import params as parameters
from schemas.errors import Invalid, Problem
from schemas.mixture import Mixture, parse_mixture
from schemas.params import Params
from schemas.register import Register
from schemas.yaml_source import YamlSource


def load_params(path: Path) -> Params:
    """Load the parameters from a file, with the mixture that they name.

    Raises:
      Invalid: with all problems of both files.
    """
    source, problems = register_files.read_yaml(path)
    if source is None:
        raise Invalid(problems)
    problems += parameters.meaning_problems(source)
    mixture, more = _mixture(path, source)
    if problems + more:
        raise Invalid(problems + more)
    return parameters.build(path, source.value, mixture)


def _mixture(path: Path, source: YamlSource) -> tuple[Mixture | None, list[Problem]]:
    """Read the mixture with the parameters, so that its errors are reported before a run."""
    named = parameters.mixture_of(path, source)
    if named is None:
        return None, []
    if not named[1].is_file():
        return None, [source.problem(("release", "mixture"), "no such file", named[0])]
    return parse_mixture(register_files.read_yaml(named[1]))


def required_params(path: Path, instead: str) -> Params:
    """Load the parameters, for a command that takes them or another option.

    Args:
      path: the params file.
      instead: what to write in its place, for the message; empty: nothing.

    Raises:
      Invalid: with all problems of the file; if it is missing, with the remedies.
    """
    if path.is_file():
        return load_params(path)
    message = "is missing: name a params file by --params" + (f", or {instead}" if instead else "")
    raise Invalid([Problem(str(path), None, "", message)])


def load_both(path: Path) -> tuple[Params, Register]:
    """Load the parameters and their register; check the policy packs that they name.

    Raises:
      Invalid: with all problems of all files; bad parameters do not hide those of the register.
    """
    try:
        params = load_params(path)
    except Invalid as invalid:
        raise Invalid([*invalid.problems, *_register_problems(path)]) from None
    try:
        register_files.load_policies(params.policy.path)
    except Invalid as invalid:
        raise Invalid([*invalid.problems, *_register_problems(path)]) from None
    return params, register_files.load_register(params.register)


def _register_problems(path: Path) -> tuple[Problem, ...]:
    source, _ = register_files.read_yaml(path)
    folder = source.value.get("register") if source and isinstance(source.value, dict) else None
    if not isinstance(folder, str):
        return ()
    try:
        register_files.load_register(path.absolute().parent / folder)
    except Invalid as invalid:
        return invalid.problems
    return ()
