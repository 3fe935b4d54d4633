import pytest

from goldenlake.declarations.documents import MOST_VALUES, parse_document, written
from support.growth import is_in_proportion


def told(text: str) -> list[str]:
    return [str(problem) for problem in parse_document(text, file="a.yml")[1]]


def read(text: str) -> object:
    document, problems = parse_document(text, file="a.yml")
    assert problems == []
    return document.data


def test_words_that_yaml_1_1_took_for_something_else_stay_text() -> None:
    assert read("NO: NO\non: off\nyes: y\nday: 2024-01-31\ntime: 12:30:00\nphone: 0044\n") == {
        "NO": "NO",
        "on": "off",
        "yes": "y",
        "day": "2024-01-31",
        "time": "12:30:00",
        "phone": "0044",
    }


def test_numbers_truth_and_nothing_are_what_yaml_1_2_says() -> None:
    assert read("[1, -2, 1.5, 1e3, true, False, null, ~, '1', 'true', '']") == [
        1, -2, 1.5, 1000.0, True, False, None, None, "1", "true", "",
    ]  # fmt: skip


def test_every_key_knows_its_line() -> None:
    document, _ = parse_document("a:\n  b:\n    - c: 1\n    - d: >-\n        long\n", file="a.yml")

    assert document.line(("a", "b", 1, "d")) == 4
    assert document.line(("a", "b", 0, "missing")) == 3
    assert document.line(("nowhere",)) == 1
    assert written(("a", "b", 1, "d")) == "a.b[1].d"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: 1\nb: 2\na: 3\n", "a.yml:3: a: stands twice; it is in line 1 already."),
        ("a: !!python/object/apply:os.system [ls]\n", "a.yml:1: has a tag"),
        ("a: !secret x\n", "a.yml:1: has a tag (!secret), which declarations do not use."),
        ("a: &x\n  b: *x\n", "a.yml:1: has an alias that contains itself."),
        ("a: 1\n---\nb: 2\n", "holds more than one YAML document"),
        ("a: 1\n\tb: 2\n", "a tab stands where blanks are needed"),
        ("a: [1, 2\n", "a.yml:2: is not YAML"),
        ("a: \x00\n", "is not YAML"),
        ("? [a]\n: b\n", "has a key that is not text"),
        ("<<: {a: 1}\n", "merge keys are not YAML 1.2. Write it out."),
        ("[" * 199_999, "is nested too deeply"),
        ("{a: " * 100 + "1" + "}" * 100, "is nested too deeply"),
        ("a: " + "x" * 200_000, "is larger than 200,000 characters"),
    ],
)
def test_hostile_or_broken_yaml_is_one_problem(text: str, says: str) -> None:
    (problem,) = told(text)

    assert says in problem


def test_a_wall_of_brackets_is_refused_before_it_costs_anything() -> None:
    assert is_in_proportion(lambda size: told("[" * size), 199_999)


def test_every_doubled_key_is_told() -> None:
    assert told("a: 1\na: 2\nb:\n  c: 1\n  c: 2\n") == [
        "a.yml:2: a: stands twice; it is in line 1 already.",
        "a.yml:5: b.c: stands twice; it is in line 4 already.",
    ]


def test_aliases_may_not_blow_a_file_up() -> None:
    layers = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    layers += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]

    (problem,) = told("\n".join(layers))

    assert f"holds more than {MOST_VALUES:,} values" in problem


def test_an_alias_that_is_used_soberly_is_fine() -> None:
    assert read("a: &x [1, 2]\nb: *x\n") == {"a": [1, 2], "b": [1, 2]}
