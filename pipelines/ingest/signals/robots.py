"""robots.txt as RFC 9309 reads it.

Where the RFC leaves a choice, the reading that refuses more is taken: known misspellings of
`disallow` and `user-agent` and a missing colon are understood, a `disallow` path without its
slash gets one (such an `allow` is passed over), `A, B` names two agents and `*A*` names A, and
UTF-16 is read, with its mark or without.

Status (2.3.1): 2xx is parsed; 4xx allows everything; 5xx, no answer or no valid status refuses
everything.  A redirect says nothing by itself: `HostSignals` follows it to the capture of its
target, whose rules then hold for the first host (2.3.1.2); one whose target is not in the crawl
is passed over, so that the host's other captures speak, and with none the file is unavailable.
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

LIMIT = 500 * 1024  # bytes that are read, RFC 9309 2.5

ACCESS = frozenset({"allow", "disallow"})
#: The usage protocols extend the grammar's `rule`, so their lines end a list of agents too.
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
    """(field, value) of each line, the field in lower case; comments and other text dropped."""
    head = body[:LIMIT]
    if len(body) > LIMIT:  # the last line may be cut in two
        head = head[: max(head.rfind(b"\n"), head.rfind(b"\r"), 0)]
    mark, charset = next((b for b in _BOMS if head.startswith(b[0])), (b"", _guess_charset(head)))
    errors = "surrogateescape" if charset == "utf-8" else "replace"
    text = head[len(mark) :].decode(charset, errors)
    found = []
    for line in _END.split(text):
        match = _LINE.match(line.partition("#")[0].strip(" \t\0"))
        if match:
            field = (match[1] or match[3]).lower()
            found.append((_SPELLED.get(field, field), (match[2] or match[4] or "").strip()))
    return tuple(found)


def _guess_charset(head: bytes) -> str:
    """The charset of a file without a byte-order mark, by where the zeros of ASCII stand."""
    even, odd = head[0:64:2], head[1:64:2]
    if len(odd) > 3 and not any(odd) and any(even):
        return "utf-16-le"
    return "utf-16-be" if len(odd) > 3 and not any(even) and any(odd) else "utf-8"


@dataclass
class Group:
    agents: list[str]  # lower case; none: the lines before the first group
    rules: list[Line]


def _product_tokens(value: str) -> list[str]:
    """The product tokens a User-agent line names: as written, and without version or remark."""
    named = []
    for part in value.lower().split(","):
        part = part.strip()
        short = re.match(r"\*(?!\S)", part) or re.match(r"[a-z0-9_.-]+", part := part.strip("*"))
        named += [part, short[0]] if short and short[0] != part else [part]
    return named


def parse_groups(body: bytes, rules: frozenset[str]) -> list[Group]:
    """The file's groups; only fields in `rules` are members, and end a list of agents."""
    out = [Group([], [])]
    for field, value in parse_lines(body):
        if field == "user-agent":
            if out[-1].rules or not out[-1].agents:
                out.append(Group([], []))
            out[-1].agents += _product_tokens(value)
        elif field in rules:
            out[-1].rules.append((field, value))
    return out


def merge_rules(found: Iterable[Group], agents: Sequence[str]) -> dict[tuple[Line, ...], str]:
    """The merged rules that hold for each agent; agents with the same rules count once.

    An agent's own groups hold; `*` where it has none.
    """
    by_agent: dict[str, list[Line]] = {}
    for group in found:
        for agent in dict.fromkeys(group.agents):
            by_agent.setdefault(agent, []).extend(group.rules)
    held: dict[tuple[Line, ...], str] = {}
    for agent in agents:
        own = by_agent.get(agent.strip().lower(), by_agent.get("*", []))
        held.setdefault(tuple(dict.fromkeys(own)), agent)
    return held


class Rule(NamedTuple):
    pattern: Pattern
    allows: bool


class AccessRules:
    """The rules that hold for an agent.  Paths without a wildcard are looked up, so that a file
    of many rules costs a path no more than one of few."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._exact: dict[str, Rule] = {}
        self._others: list[Rule] = []
        for rule in sorted(rules, key=lambda rule: (-rule.pattern.length, not rule.allows)):
            if (literal := rule.pattern.literal) is None:
                self._others.append(rule)
            else:
                self._exact.setdefault(literal, rule)
        self._lengths = sorted({len(literal) for literal in self._exact}, reverse=True)

    def deciding(self, path: tuple[str, str]) -> Rule | None:
        """The longest rule that covers a path, given as `subject(path)`: `allow` among equals;
        None: no rule does."""
        found = [
            next((r for r in self._others if r.pattern.matches(path)), None),
            *(self._prefix(one) for one in dict.fromkeys(path)),
        ]
        return max(
            (rule for rule in found if rule),
            key=lambda rule: (rule.pattern.length, rule.allows),
            default=None,
        )

    def _prefix(self, path: str) -> Rule | None:
        lengths = (n for n in self._lengths if n <= len(path))
        return next((r for n in lengths if (r := self._exact.get(path[:n]))), None)


def compile_access(held: Iterable[Line]) -> AccessRules:
    """The access rules among an agent's lines, compiled."""
    return AccessRules(
        Rule(compile_pattern(path), field == "allow")
        for field, path in held
        if path and field in ACCESS and (field == "disallow" or path.startswith(("/", "*")))
    )


def path_observer(capture: Capture, agents: Sequence[str]) -> PathObserver:
    """Whether all agents may fetch a path; `/robots.txt` itself is always allowed."""

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
    held = [
        (agent, compile_access(rules))
        for rules, agent in merge_rules(parse_groups(capture.body, ACCESS), agents).items()
    ]

    def read(path: str) -> list[Observation]:
        if path == "/robots.txt":
            return observed(GRANTED, "")
        target = path_forms(path)
        for agent, rules in held:
            rule = rules.deciding(target)
            if rule and not rule.allows:
                text = rule.pattern.text
                return observed(RESERVED, f"User-agent: {agent}; Disallow: {text}", text)
        return observed(GRANTED, "")

    return read


def page_observations(headers: Pairs, metas: Pairs, agents: Sequence[str]) -> list[Observation]:
    return []


def usage_observer(
    capture: Capture,
    agents: Sequence[str],
    field: str,
    name: str,
    version: str,
    meaning: Callable[[str], str | None],
) -> PathObserver:
    """The reader of a usage line, `field: [path] statement`, by agent and by longest path.

    `meaning` gives what a statement says of training.  Statements that say nothing of it do not
    compete; of equally long paths a reservation wins; lines before the first group hold for all.
    """
    found = parse_groups(capture.body, USAGE) if 200 <= capture.status < 300 else []
    everyone = tuple(found[0].rules) if found else ()
    said: list[tuple[str, list[tuple[Pattern, str, str]]]] = []
    for rules, agent in merge_rules(found, agents).items():
        stated = []
        for key, text in everyone + rules:
            path, _, statement = text.partition(" ") if text.startswith("/") else ("/", "", text)
            path, _, more = path.partition("\t")
            value = meaning(f"{more} {statement}") if key == field else None
            if value:
                stated.append((compile_pattern(path), value, text))
        if stated:
            stated.sort(key=lambda s: (-s[0].length, s[1] != RESERVED))
            said.append((agent, stated))

    def read(path: str) -> list[Observation]:
        target = path_forms(path)
        seen = []
        for agent, stated in said:
            match = next((s for s in stated if s[0].matches(target)), None)
            if match:
                seen.append(
                    Observation(
                        name,
                        version,
                        "robots.txt",
                        match[0].text,
                        match[1],
                        f"User-agent: {agent}; {field}: {match[2]}",
                        capture.captured_at,
                        capture.doc_id,
                    )
                )
        return [first_reservation(seen) or seen[0]] if seen else []

    return read
