"""Read robots.txt by RFC 9309.

Where the RFC leaves a choice, the stricter reading is used. Known misspellings of `disallow` and
`user-agent`, and a missing colon, are read. A `disallow` path without a slash gets one; such an
`allow` is ignored. `A, B` names two agents, and `*A*` names A. UTF-16 is read, with a mark or
without.

By status (2.3.1), 2xx is parsed and 4xx allows everything. 5xx, no answer, or an invalid status
refuses everything. A redirect has no rules: `HostSignals` follows it to the capture of its target,
whose rules then apply to the first host (2.3.1.2). If the target is not in the crawl, the redirect
is ignored and the host's other captures count. Without others the file is unavailable.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from pipelines.ingest.signals.observed import (
    GRANTED,
    RESERVED,
    Capture,
    Observation,
    Pairs,
    PathObserver,
    first_reservation,
)
from pipelines.ingest.signals.patterns import Pattern, compile_pattern, path_forms

NAME = "robots"
VERSION = "RFC 9309"
KINDS = ("robots",)
resolve = first_reservation

LIMIT = 500 * 1024  # the most bytes that are read (RFC 9309, 2.5)

ACCESS = frozenset({"allow", "disallow"})
#: The usage protocols extend `rule` of the grammar, so their lines also end a list of agents.
USAGE = ACCESS | {"content-usage", "content-signal"}

_SPELLED = dict.fromkeys(
    ("dissallow", "dissalow", "disalow", "diasllow", "disallaw", "desallow"), "disallow"
) | dict.fromkeys(("useragent", "user agent"), "user-agent")
_LINE = re.compile(
    r"([A-Za-z][A-Za-z_-]*(?: agent)?)[ \t]*:[ \t]*(.*)|"
    r"(user-?agent|disallow|dissallow|disalow)[ \t]+(\S+)$",
    re.IGNORECASE,
)
_END = re.compile(r"\r\n|\r|\n")
_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))

Line = tuple[str, str]


@lru_cache(maxsize=64)
def parse_lines(body: bytes) -> tuple[Line, ...]:
    """Return (field, value) of each line, with the field in lower case; other text is dropped."""
    head = body[:LIMIT]
    if len(body) > LIMIT:  # the last line may be cut in two
        head = head[: max(head.rfind(b"\n"), head.rfind(b"\r"), 0)]
    mark, charset = next((b for b in _BOMS if head.startswith(b[0])), (b"", _guess_charset(head)))
    errors = "surrogateescape" if charset == "utf-8" else "replace"
    text = head[len(mark) :].decode(charset, errors)
    parsed = []
    for line in _END.split(text):
        match = _LINE.match(line.partition("#")[0].strip(" \t\0"))
        if match:
            field = (match[1] or match[3]).lower()
            parsed.append((_SPELLED.get(field, field), (match[2] or match[4] or "").strip()))
    return tuple(parsed)


def _guess_charset(head: bytes) -> str:
    """Guess the charset of a file without a byte-order mark, by the position of zero bytes."""
    even, odd = head[0:64:2], head[1:64:2]
    if len(odd) > 3 and not any(odd) and any(even):
        return "utf-16-le"
    return "utf-16-be" if len(odd) > 3 and not any(even) and any(odd) else "utf-8"


@dataclass
class Group:
    """A group of the file: its agents in lower case, and its rules.

    The lines before the first group are a group without agents.
    """

    agents: list[str]
    rules: list[Line]


def _product_tokens(value: str) -> list[str]:
    """Return the product tokens of a User-agent line: as written, and without version or remark."""
    named = []
    for part in value.lower().split(","):
        part = part.strip()
        short = re.match(r"\*(?!\S)", part) or re.match(r"[a-z0-9_.-]+", part := part.strip("*"))
        named += [part, short[0]] if short and short[0] != part else [part]
    return named


def parse_groups(body: bytes, rules: frozenset[str]) -> list[Group]:
    """Return the groups of a file. Only fields in `rules` are members, and end a list of agents."""
    out = [Group([], [])]
    for field, value in parse_lines(body):
        if field == "user-agent":
            if out[-1].rules or not out[-1].agents:
                out.append(Group([], []))
            out[-1].agents += _product_tokens(value)
        elif field in rules:
            out[-1].rules.append((field, value))
    return out


def merge_rules(groups: Iterable[Group], agents: Sequence[str]) -> dict[tuple[Line, ...], str]:
    """Merge the rules that apply to each agent: of its own groups, or else of `*`.

    Returns:
      The different rule lists, each with the first agent that has it.
    """
    by_agent: dict[str, list[Line]] = {}
    for group in groups:
        for agent in dict.fromkeys(group.agents):
            by_agent.setdefault(agent, []).extend(group.rules)
    merged: dict[tuple[Line, ...], str] = {}
    for agent in agents:
        own = by_agent.get(agent.strip().lower(), by_agent.get("*", []))
        merged.setdefault(tuple(dict.fromkeys(own)), agent)
    return merged


class Rule(NamedTuple):
    """An `allow` or `disallow` line."""

    pattern: Pattern
    allows: bool


class AccessRules:
    """The access rules for an agent.

    Rules without a wildcard are in a dictionary, so that a lookup does not depend on their number.
    """

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._exact: dict[str, Rule] = {}
        self._others: list[Rule] = []
        for rule in sorted(rules, key=lambda rule: (-rule.pattern.length, not rule.allows)):
            if (literal := rule.pattern.literal) is None:
                self._others.append(rule)
            else:
                self._exact.setdefault(literal, rule)
        self._lengths = sorted({len(literal) for literal in self._exact}, reverse=True)

    def deciding_rule(self, path: tuple[str, str]) -> Rule | None:
        """Return the longest rule that covers a path; of equal length, `allow`; None if none does.

        Args:
          path: `path_forms` of the path.
        """
        candidates = [
            next((r for r in self._others if r.pattern.matches(path)), None),
            *(self._longest_prefix(form) for form in dict.fromkeys(path)),
        ]
        return max(
            (rule for rule in candidates if rule),
            key=lambda rule: (rule.pattern.length, rule.allows),
            default=None,
        )

    def _longest_prefix(self, path: str) -> Rule | None:
        lengths = (n for n in self._lengths if n <= len(path))
        return next((r for n in lengths if (r := self._exact.get(path[:n]))), None)


def compile_access(lines: Iterable[Line]) -> AccessRules:
    """Compile the access rules among the lines of an agent."""
    return AccessRules(
        Rule(compile_pattern(path), field == "allow")
        for field, path in lines
        if path and field in ACCESS and (field == "disallow" or path.startswith(("/", "*")))
    )


def path_observer(capture: Capture, agents: Sequence[str]) -> PathObserver:
    """Return an observer of whether all agents may fetch a path (`/robots.txt` always)."""

    def observed(value: str, raw: str, location: str | None = None) -> list[Observation]:
        return [
            Observation(
                NAME,
                VERSION,
                "robots.txt",
                location,
                value,
                raw,
                capture.captured_at,
                capture.doc_id,
            )
        ]

    if not 200 <= capture.status < 300:
        value = GRANTED if 300 <= capture.status < 500 else RESERVED
        return lambda path: observed(
            GRANTED if path == "/robots.txt" else value, f"HTTP {capture.status}"
        )
    access = [
        (agent, compile_access(rules))
        for rules, agent in merge_rules(parse_groups(capture.body, ACCESS), agents).items()
    ]

    def observe(path: str) -> list[Observation]:
        if path == "/robots.txt":
            return observed(GRANTED, "")
        forms = path_forms(path)
        for agent, rules in access:
            rule = rules.deciding_rule(forms)
            if rule and not rule.allows:
                text = rule.pattern.text
                return observed(RESERVED, f"User-agent: {agent}; Disallow: {text}", text)
        return observed(GRANTED, "")

    return observe


def page_observations(headers: Pairs, metas: Pairs, agents: Sequence[str]) -> list[Observation]:
    """Return no observations: the protocol has only a file."""
    return []


class _Usage(NamedTuple):
    """A usage line: its path pattern, what it says about training, and its text."""

    pattern: Pattern
    value: str
    text: str


def _compile_usage(
    lines: Iterable[Line], field: str, meaning: Callable[[str], str | None]
) -> list[_Usage]:
    """Compile the usage lines of an agent that say something about training.

    The longest path comes first; of equal length, a reservation.
    """
    compiled = []
    for key, text in lines:
        path, _, statement = text.partition(" ") if text.startswith("/") else ("/", "", text)
        path, _, more = path.partition("\t")
        value = meaning(f"{more} {statement}") if key == field else None
        if value:
            compiled.append(_Usage(compile_pattern(path), value, text))
    return sorted(compiled, key=lambda usage: (-usage.pattern.length, usage.value != RESERVED))


def usage_observer(
    capture: Capture,
    agents: Sequence[str],
    *,
    field: str,
    name: str,
    version: str,
    meaning: Callable[[str], str | None],
) -> PathObserver:
    """Return the observer of usage lines, `field: [path] statement`.

    The statement with the longest path counts; of equal length, a reservation. Statements that say
    nothing about training do not count. Lines before the first group apply to all agents.

    Args:
      capture: the capture of the robots.txt.
      agents: the names of the agents.
      field: the field of the lines.
      name, version: the protocol.
      meaning: returns what a statement says about training: `reserved`, `granted` or None.
    """
    groups = parse_groups(capture.body, USAGE) if 200 <= capture.status < 300 else []
    for_all = tuple(groups[0].rules) if groups else ()
    by_agent = [
        (agent, _compile_usage(for_all + rules, field, meaning))
        for rules, agent in merge_rules(groups, agents).items()
    ]

    def observe(path: str) -> list[Observation]:
        forms = path_forms(path)
        observations = []
        for agent, lines in by_agent:
            usage = next((line for line in lines if line.pattern.matches(forms)), None)
            if usage:
                observations.append(
                    Observation(
                        name,
                        version,
                        "robots.txt",
                        usage.pattern.text,
                        usage.value,
                        f"User-agent: {agent}; {field}: {usage.text}",
                        capture.captured_at,
                        capture.doc_id,
                    )
                )
        return [first_reservation(observations) or observations[0]] if observations else []

    return observe
