"""YAML 1.2 files as plain values that remember the line of every key.

Files are untrusted: tags are refused, a key may stand only once, aliases may not multiply the
content, and ``NO``, ``on`` or ``2024-01-01`` stay the text that somebody typed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from goldenlake.errors import Problem

KeyPath = tuple[str | int, ...]
"""Where a value stands: keys of mappings and positions in lists, from 0."""

LARGEST_FILE = 200_000
"""Characters; a declaration is written by a person."""
MOST_VALUES = 50_000
"""Values in one file once its aliases are written out."""
DEEPEST = 60
_MOST_BRACKETS = 500
_BRACKET = re.compile(r"[\[\]{}]")

_NULL = re.compile(r"\A(null|Null|NULL|~|)\Z")
_BOOLEAN = re.compile(r"\A(true|True|TRUE|false|False|FALSE)\Z")
_INTEGER = re.compile(r"\A[-+]?(0|[1-9][0-9]*)\Z")
_FLOAT = re.compile(r"\A[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_LONGEST_NUMBER = 40
_CORE = "tag:yaml.org,2002:"
_PLAIN_TAGS = {"map", "seq", "str", "null", "bool", "int", "float", "timestamp", "merge", "value"}


def written(path: KeyPath) -> str:
    """The path as a person would write it: ``columns[3].type``."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


@dataclass(frozen=True, kw_only=True)
class Document:
    """One YAML file: its values and where each stands. ``file`` is relative to conf's parent."""

    file: str
    data: object
    lines: dict[KeyPath, int] = field(default_factory=dict, repr=False)

    def line(self, path: KeyPath) -> int:
        """The line of a key, or of the nearest key around it; 0 in an empty file."""
        for length in range(len(path), -1, -1):
            if (line := self.lines.get(path[:length])) is not None:
                return line
        return 0

    def problem(self, path: KeyPath, message: str) -> Problem:
        """A finding at a key of this file."""
        return Problem(file=self.file, line=self.line(path), key=written(path), message=message)

    def at(self, path: KeyPath) -> object:
        """The value at a path; None where nothing stands."""
        value = self.data
        for step in path:
            if isinstance(value, list) and isinstance(step, int) and step < len(value):
                value = value[step]
            elif isinstance(value, dict):
                value = value.get(step)
            else:
                return None
        return value


class _Unreadable(Exception):
    """The file is no declaration at all; carries the line and what to say."""

    def __init__(self, line: int, message: str) -> None:
        self.line, self.message = line, message
        super().__init__(message)


def read_document(path: Path, *, file: str) -> tuple[Document, list[Problem]]:
    """A file's values and every fault of its form. Faulty files give an empty mapping."""
    empty = Document(file=file, data={})
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        return empty, [_fault(file, 0, "is not UTF-8. Save it as UTF-8.")]
    except OSError as error:
        return empty, [_fault(file, 0, f"cannot be read: {error.strerror}.")]
    return parse_document(text, file=file)


def parse_document(text: str, *, file: str) -> tuple[Document, list[Problem]]:
    """As :func:`read_document`, for text in hand."""
    empty = Document(file=file, data={})
    if len(text) > LARGEST_FILE:
        return empty, [_fault(file, 0, f"is larger than {LARGEST_FILE:,} characters. Split it.")]
    if _brackets(text) > _MOST_BRACKETS:
        return empty, [_fault(file, 0, "is nested too deeply.")]
    try:
        node = _only_node(text)
        reader = _Reader()
        data = reader.value(node, (), ()) if node is not None else {}
    except _Unreadable as error:
        return empty, [_fault(file, error.line, error.message)]
    except MarkedYAMLError as error:
        return empty, [_fault(file, *_explained(error))]
    except RecursionError:
        return empty, [_fault(file, 0, "is nested too deeply.")]
    except (YAMLError, ValueError) as error:
        return empty, [_fault(file, 0, f"is not YAML: {str(error).splitlines()[0]}.")]
    problems = [
        Problem(file=file, line=line, key=written(path), message=message)
        for line, path, message in reader.faults
    ]
    return Document(file=file, data=data, lines=reader.lines), problems


def _brackets(text: str) -> int:
    """How deep brackets stand in each other, quotes left aside.

    The scanner's work grows with the square of it: 200,000 brackets would keep it busy for hours.
    """
    depth = deepest = 0
    for bracket in _BRACKET.findall(text):
        depth = depth + 1 if bracket in "[{" else max(0, depth - 1)
        deepest = max(deepest, depth)
    return deepest


def _only_node(text: str) -> Node | None:
    yaml = YAML(typ="safe", pure=True)
    yaml.version = (1, 2)
    yaml.allow_duplicate_keys = True  # found below, all of them at once and with their lines
    nodes: Iterator[Node | None] = yaml.compose_all(StringIO(text))
    node = next(nodes, None)
    if next(nodes, None) is not None:
        raise _Unreadable(0, "holds more than one YAML document. Write one file for each.")
    return node


def _explained(error: MarkedYAMLError) -> tuple[int, str]:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark is not None else 0
    what = " ".join(part for part in (error.context, error.problem) if part)
    if "cannot start any token" in what and "\\t" in what:
        return line, "is not YAML: a tab stands where blanks are needed. Indent with blanks."
    if "mapping values are not allowed" in what:
        return line, "is not YAML: a colon and a blank stand in a text. Put the text in quotes."
    return line, f"is not YAML: {what}."


def _fault(file: str, line: int, message: str) -> Problem:
    return Problem(file=file, line=line, key="", message=message)


class _Reader:
    """Nodes to plain values, within bounds."""

    def __init__(self) -> None:
        self.lines: dict[KeyPath, int] = {}
        self.faults: list[tuple[int, KeyPath, str]] = []
        self._values = 0

    def value(self, node: Node, path: KeyPath, above: tuple[int, ...]) -> object:
        line = node.start_mark.line + 1
        self._values += 1
        if self._values > MOST_VALUES:
            raise _Unreadable(line, f"holds more than {MOST_VALUES:,} values, aliases included.")
        if id(node) in above:
            raise _Unreadable(line, "has an alias that contains itself.")
        if len(above) > DEEPEST:
            raise _Unreadable(line, "is nested too deeply.")
        self._refuse_tag(node, line)
        self.lines.setdefault(path, line)
        above = (*above, id(node))
        if isinstance(node, MappingNode):
            return self._mapping(node, path, above)
        if isinstance(node, SequenceNode):
            return [self.value(item, (*path, at), above) for at, item in enumerate(node.value)]
        if isinstance(node, ScalarNode):
            return _scalar(node)
        raise _Unreadable(line, "holds something that is no value.")

    def _mapping(self, node: MappingNode, path: KeyPath, above: tuple[int, ...]) -> object:
        found: dict[str, object] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, ScalarNode):
                raise _Unreadable(line, "has a key that is not text.")
            self._refuse_tag(key_node, line)
            key = str(key_node.value)
            here = (*path, key)
            if key == "<<":
                self.faults.append((line, here, "merge keys are not YAML 1.2. Write it out."))
                continue
            if key in found:
                self.faults.append(
                    (line, here, f"stands twice; it is in line {self.lines[here]} already.")
                )
                continue
            self.lines[here] = line
            found[key] = self.value(value_node, here, above)
        return found

    @staticmethod
    def _refuse_tag(node: Node, line: int) -> None:
        tag = str(node.tag)
        if tag.removeprefix(_CORE) not in _PLAIN_TAGS or not tag.startswith(_CORE):
            raise _Unreadable(line, f"has a tag ({tag}), which declarations do not use.")


def _scalar(node: ScalarNode) -> object:
    """A plain scalar by YAML 1.2's core schema; quoted and block scalars are text.

    Digits after a leading zero stay text: they are telephone numbers and codes.
    """
    text = str(node.value)
    if node.style is not None or str(node.tag) == _CORE + "str":
        return text
    if _NULL.match(text):
        return None
    if _BOOLEAN.match(text):
        return text.lower() == "true"
    if len(text) <= _LONGEST_NUMBER:
        if _INTEGER.match(text):
            return int(text)
        if _FLOAT.match(text):
            return float(text)
    return text
