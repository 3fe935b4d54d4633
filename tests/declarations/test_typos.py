"""A mistyped key is told where it stands, with the key that was meant."""

from functools import cache
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from goldenlake.declarations.documents import parse_document
from goldenlake.declarations.json_schema import MODELS
from goldenlake.declarations.sentences import explain
from support.conf import FILES

CONF = Path(__file__).resolve().parents[2] / "conf"
KINDS = {
    "consent.yml": "consent", "identity": "identity", "identity/decisions.yml": "decisions",
    "identity/matching.yml": "matching",
    "env": "environment", "sources": "source", "tables": "table", "groups": "group",
    "segments": "segment", "destinations": "destination",
}  # fmt: skip
#: Mappings whose keys are names that people choose.
FREE = {
    "attributes", "channels", "columns", "conf", "fields", "identifiers", "jurisdictions", "kinds",
    "placeholders", "places", "purposes", "rules", "statuses", "where",
}  # fmt: skip


@cache
def files() -> dict[str, str]:
    own = {
        path.relative_to(CONF).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(CONF.rglob("*.yml"))
    }
    return own | {f"{name}#small": text for name, text in FILES.items()}


def kind_of(file: str) -> str:
    path = file.split("#")[0]
    return KINDS.get(path) or KINDS[path.split("/")[0]]


@cache
def keys(file: str) -> list[tuple[str, int, int]]:
    """(key, position in the text, line) of every key that a model defines."""
    found: list[tuple[str, int, int]] = []

    def walk(node: Node, *, is_free: bool) -> None:
        if isinstance(node, SequenceNode):
            for item in node.value:
                walk(item, is_free=False)
        elif isinstance(node, MappingNode):
            for key, value in node.value:
                if not is_free:
                    mark = key.start_mark
                    found.append((key.value, mark.index, mark.line + 1))
                walk(value, is_free=not is_free and key.value in FREE)

    walk(YAML(typ="safe", pure=True).compose(files()[file]), is_free=False)
    return found


def mistyped(key: str, how: int, where: int) -> str:
    at = where % len(key)
    if how == 0 and len(key) > 3:
        return key[:at] + key[at + 1 :]
    if how == 1 and at + 1 < len(key) and key[at] != key[at + 1]:
        return key[:at] + key[at + 1] + key[at] + key[at + 2 :]
    if how == 2:
        return key[:at] + "x" + key[at + 1 :]
    return key[:at] + key[at] + key[at:]


@settings(max_examples=150)
@given(data=st.data(), how=st.integers(0, 3), where=st.integers(0, 40))
def test_a_mistyped_key_is_told_with_its_line_and_what_was_meant(
    data: st.DataObject, how: int, where: int
) -> None:
    file = data.draw(st.sampled_from(sorted(files())))
    key, index, line = data.draw(st.sampled_from(keys(file)))
    typo = mistyped(key, how, where)
    text = files()[file]
    spoilt = text[:index] + typo + text[index + len(key) :]
    model = MODELS[kind_of(file)]

    document, faults = parse_document(spoilt, file=file)
    assert faults == []
    try:
        model.model_validate(document.data)
    except ValidationError as error:
        problems = explain(error, model, document)
    else:
        raise AssertionError(f"{typo} for {key} was accepted")

    told = [problem for problem in problems if problem.key.endswith(typo)]
    assert told, problems
    assert {problem.line for problem in told} == {line}
    assert f"Did you mean {key!r}?" in told[0].message, told
    assert problems == told


def test_the_property_has_keys_of_every_kind_to_spoil() -> None:
    assert {kind_of(file) for file in files()} == set(MODELS)
    assert sum(len(keys(file)) for file in files()) > 1_000
