"""Declarations that nobody should have written: each is named by file and key, and none runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from goldenlake.declarations.documents import parse_document
from goldenlake.declarations.loader import check_conf
from goldenlake.errors import Problem
from support.conf import FILES, Conf
from support.hostile import ADDRESS, CANARY

SHOP, READERS, LOCAL = "sources/shop.yml", "segments/readers.yml", "env/local.yml"
LAKE, LOAD, WHO = "lake: var/lake", "load: increment", "attribute: email, missing: false"
ENTRIES: dict[str, tuple[str, str, str, str]] = {
    "`!!python/object`": (
        SHOP, "owner: shop@example.com", "owner: !!python/object/apply:os.mkdir [pwned]",
        "has a tag (tag:yaml.org,2002:python/object/apply:os.mkdir)",
    ),
    "`!!python/name`": (
        LOCAL, LAKE, "lake: !!python/name:os.getcwd", "has a tag (tag:yaml.org,2002:python/name"
    ),
    "`!!binary`": (SHOP, "owner: shop@example.com", "owner: !!binary c2hvcA==", "has a tag"),
    "`NO` where a truth is asked for": (
        SHOP, "required: true", "required: NO", "columns[0].required: must be true or false"
    ),
    "a segment with `1=1; DROP`": (
        READERS, WHO, 'sql: "1=1; DROP TABLE gold.customers"', "sql: is not an admitted expression"
    ),
    "a source with `1=1; DROP`": (
        SHOP, "key: [id]", "key: [id]\npeople: 1=1; DROP TABLE x", "people: is not an admitted"
    ),
    "an expression that reads a file": (
        SHOP, "key: [id]", "key: [id]\npeople: (SELECT true FROM csv.`/etc/passwd`)",
        "people: is not an admitted expression",
    ),
    "an expression that calls Java": (
        SHOP, "key: [id]", "key: [id]\npeople: reflect('java.lang.Runtime', 'getRuntime') = ''",
        "people: is not an admitted expression",
    ),
    "unknown key": (SHOP, LOAD, f"{LOAD}\nretries: 3", "retries: is not a known key"),
    "key that stands twice": (SHOP, LOAD, f"{LOAD}\nload: append", "stands twice"),
    "negative threshold": (
        LOCAL, LAKE, f"{LAKE}\nblast_radius: {{merged: -0.1}}", "blast_radius.merged: input"
    ),
    "negative share of quarantine": (
        SHOP, LOAD, f"{LOAD}\nmost_quarantined: -1", "most_quarantined: input"
    ),
    "threshold that is no number": (
        LOCAL, LAKE, f"{LAKE}\nblast_radius: {{merged: .nan}}", "blast_radius.merged"
    ),
    "an infinite number": (
        LOCAL, LAKE, f"{LAKE}\nblast_radius: {{merged: 1e999}}", "blast_radius.merged"
    ),
    "a secret in the open": (
        LOCAL, "path: var/drops", f"path: var/drops, password: {CANARY}", "is not a known key"
    ),
    "an encoding of host names": (
        SHOP, 'delimiter: ","', "encoding: idna", "format.encoding: is 'idna', no encoding"
    ),
    "a way out of the place": (SHOP, "shop/*.csv", "../../*.csv", "leads out of its place"),
}  # fmt: skip
"""File, what stands in it, what somebody wrote instead, and what is said of it."""


@pytest.fixture
def conf(tmp_path: Path) -> Conf:
    return Conf(tmp_path)


@pytest.fixture(autouse=True)
def _nothing_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    yield
    assert not Path("pwned").exists()


@pytest.mark.parametrize("name", ENTRIES)
def test_a_bad_declaration_is_named_and_nothing_else_is_wrong(
    conf: Conf, name: str, outcome: Callable[[str, str, str], None]
) -> None:
    file, old, new, says = ENTRIES[name]
    outcome("conf", name, f"DeclarationError: {says}")
    conf.change(file, old, new)
    problems = conf.problems()
    assert problems
    assert {problem.split(":")[0] for problem in problems} == {f"conf/{file}"}, problems
    assert says in problems[0]
    assert not any(CANARY in problem for problem in problems)


def test_a_country_called_no_stays_a_country(conf: Conf, outcome: Callable[..., None]) -> None:
    outcome("conf", "`NO` as a country", "accepted as text")
    conf.change("tables/gold.customers.yml", 'values: [GB, "NO"]', "values: [GB, NO]")
    rules = conf.load().tables["gold.customers"].rules
    assert rules[0].values == ["GB", "NO"]


#: What YAML, or a person who writes some, makes trouble with.
SPICE = st.sampled_from([
    "!!python/object:x ", "&a ", "*a", "<<: ", "? ", "- ", "{", "}", "[", "]", "|", ">", "---",
    "...", "%YAML 9.9", "\t", "\0", "\ufeff", "\ud7ff", "\x85", "\u2028", "'", '"', "\\", "#",
    ": ", "~", ".inf", "0x1F", "1e309", "9" * 400, "NO", "2024-13-45", "{since}", "${HOME}",
    "(?P<year>", "(" * 60, "\n", "\r", "  ", "null", "true", "-1", ADDRESS,
])  # fmt: skip


@st.composite
def spoilt(draw: st.DrawFn) -> tuple[str, str]:
    """A file of a sound installation with a few pieces put in, taken out or doubled."""
    file = draw(st.sampled_from(sorted(FILES)))
    text = FILES[file]
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 12)))
        piece = draw(SPICE | st.text(max_size=6) | st.just(text[start:end] * 2))
        text = text[:start] + piece + text[end:]
    return file, text


def problems_of(root: Path, file: str, content: bytes) -> list[Problem]:
    """What is wrong with the installation when one file has this content."""
    conf = Conf(root)
    (conf.path / file).write_bytes(content)
    try:
        return check_conf(conf.path)
    finally:
        conf.write(file, FILES[file])


def is_told_well(problems: list[Problem]) -> None:
    for problem in problems:
        assert problem.message
        assert problem.file.startswith("conf/")
        assert len(str(problem)) < 3_000


UNHURRIED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@settings(suppress_health_check=UNHURRIED, max_examples=40)
@given(spoilt())
def test_spoilt_declarations_are_sound_or_told(tmp_path: Path, found: tuple[str, str]) -> None:
    file, text = found
    is_told_well(problems_of(tmp_path, file, text.encode("utf-8", "surrogatepass")))


@pytest.mark.slow
@settings(suppress_health_check=UNHURRIED, max_examples=2_000)
@given(spoilt())
def test_many_spoilt_declarations_are_sound_or_told(tmp_path: Path, found: tuple[str, str]) -> None:
    file, text = found
    is_told_well(problems_of(tmp_path, file, text.encode("utf-8", "surrogatepass")))


@settings(suppress_health_check=UNHURRIED, max_examples=30)
@given(st.sampled_from(sorted(FILES)), st.binary(max_size=300))
def test_any_bytes_for_a_declaration_are_told(tmp_path: Path, file: str, content: bytes) -> None:
    is_told_well(problems_of(tmp_path, file, content))


@settings(max_examples=200)
@given(st.lists(SPICE | st.text(max_size=5), max_size=30).map("".join))
def test_any_text_is_a_document_or_told_to_be_none(text: str) -> None:
    document, problems = parse_document(text, file="a.yml")
    assert document.file == "a.yml"
    is_told_well([replace(problem, file=f"conf/{problem.file}") for problem in problems])
