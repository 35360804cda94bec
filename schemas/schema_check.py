"""Report JSON-Schema errors as problems: file, line, key path and what is allowed there.

A problem takes what is allowed from the schema's own `description` of the value, so the schema and
the message always agree.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas import urls
from schemas.errors import Problem
from schemas.yaml_source import KeyPath, YamlSource

if TYPE_CHECKING:
    from jsonschema import (  # type: ignore[import-untyped]
        Draft202012Validator,
        ValidationError,
    )


def _is_date(value: object) -> bool:
    return not isinstance(value, str) or parse_date(value) is not None


def _is_host(value: object) -> bool:
    return not isinstance(value, str) or urls.normal_host(value) is not None


def _is_url_prefix(value: object) -> bool:
    return not isinstance(value, str) or ("#" not in value and urls.normal_url(value) is not None)


def parse_date(text: str) -> date | None:
    """Return `YYYY-MM-DD` as a date, or None if it is not a date."""
    try:
        return date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        return None


@cache
def _validator(schema: str, definition: str | None) -> Draft202012Validator:
    from jsonschema import Draft202012Validator, FormatChecker

    formats = FormatChecker(formats=())
    for name, holds in (("iso-date", _is_date), ("host", _is_host), ("url-prefix", _is_url_prefix)):
        formats.checks(name)(holds)
    return Draft202012Validator(schema_of(schema, definition), format_checker=formats)


def schema_of(schema: str, definition: str | None = None) -> dict[str, Any]:
    """Return the JSON Schema in a file of `schemas/`, or of one of its definitions.  It has no
    references to other files."""
    document: dict[str, Any] = json.loads((Path(__file__).parent / schema).read_text("utf-8"))
    if definition is not None:
        document |= {"$ref": f"#/$defs/{definition}"}
    return document


def check(source: YamlSource, schema: str, definition: str | None = None) -> list[Problem]:
    """Return all violations of `schema` (a file of this package), or of one of its `$defs`."""
    errors = _validator(schema, definition).iter_errors(source.value)
    return [problem for error in errors for problem in _problems(source, error)]


def _problems(source: YamlSource, error: ValidationError) -> Iterator[Problem]:
    """Yield the problems of one JSON-Schema error; a missing or unknown key is a problem of its own."""
    path: KeyPath = tuple(error.absolute_path)
    found = error.instance
    if error.validator == "required":
        for key in error.validator_value:
            if key not in found:
                yield source.problem((*path, key), _missing(error.schema, key))
    elif error.validator == "dependentRequired":
        for key, others in error.validator_value.items():
            for other in others if key in found else ():
                if other not in found:
                    yield source.problem((*path, other), f"missing: `{key}` requires it")
    elif error.validator == "additionalProperties":
        known = [*error.schema.get("properties", ())]
        patterns = error.schema.get("patternProperties")
        for key in found:
            if key not in known and not (patterns and _matches(key, patterns)):
                yield source.problem((*path, key), _unknown(key, known, error.schema))
    elif error.validator == "uniqueItems":
        yield source.problem(path, "must have each value once", found)
    else:
        yield source.problem(path, _allowed(error), "empty" if found is None else found)


def _matches(key: str, patterns: dict[str, Any]) -> bool:
    return any(re.search(pattern, key) for pattern in patterns)


def _missing(schema: Any, key: str) -> str:
    allowed = schema.get("properties", {}).get(key, {}).get("description")
    return f"missing: {allowed}" if allowed else "missing"


def _unknown(key: str, known: list[str], schema: Any) -> str:
    if not known or "keys" in schema:
        return f"unknown key: {schema.get('keys', 'none is allowed here')}"
    close = get_close_matches(key, known, 1)
    hint = f"unknown key: did you mean `{close[0]}`? " if close else "unknown key; "
    return f"{hint}allowed: {', '.join(known)}"


def _allowed(error: ValidationError) -> str:
    if "description" in error.schema:
        return f"must be {error.schema['description']}"
    if error.validator == "enum":
        return f"one of: {', '.join(map(str, error.validator_value))}"
    if error.validator == "type":
        kinds = error.validator_value
        names = [kinds] if isinstance(kinds, str) else kinds
        return "must be " + " or ".join(_KINDS[name] for name in names)
    return error.message


_KINDS = {
    "object": "a mapping of keys",
    "array": "a list",
    "string": "text",
    "null": "empty",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
}
