"""What gives a person away in a text."""

import base64
import hashlib

import pytest

from goldenlake.columns.traces import Traces, pseudonym

ANN = "ann.lee@example.com"


@pytest.mark.parametrize(
    "text",
    [
        ANN,
        f"please write to {ANN.upper()}.",
        f'{{"email": "{ANN}"}}',
        "GET /unsubscribe?who=ann.lee%40example.com&list=3 HTTP/1.1",
        "GET /go/mailto%3Aann.lee%40example.com HTTP/1.1",
        f"/profile/{ANN}/orders",
        base64.b64encode(ANN.encode()).decode(),
        hashlib.sha256(ANN.encode()).hexdigest(),
        hashlib.md5(ANN.encode()).hexdigest().upper(),
    ],
)
def test_an_address_is_found_however_it_is_written(text: str) -> None:
    assert Traces.of([ANN]).found_in(text)


@pytest.mark.parametrize(
    "text", ["joann.lee@example.com", "ann.lee@example.com.au", "ann.lee", "x_ann.lee@example.com"]
)
def test_somebody_elses_address_is_not_taken_for_it(text: str) -> None:
    assert not Traces.of([ANN]).found_in(text)


@pytest.mark.parametrize("text", ["+442071838750", "tel:442071838750", "00 +442071838750;"])
def test_a_phone_number_is_found_with_and_without_its_plus(text: str) -> None:
    traces = Traces.of(["+442071838750"])

    assert traces.found_in(text)
    assert not traces.found_in("+4420718387501")


def test_a_value_that_stands_in_many_texts_by_chance_is_not_looked_for() -> None:
    assert not Traces.of(["42"]).found_in("the answer is 42")


def test_a_pseudonym_says_nothing_without_its_key() -> None:
    assert pseudonym(b"one", "email", ANN) != pseudonym(b"two", "email", ANN)
    assert pseudonym(b"one", "email", ANN) != pseudonym(b"one", "phone", ANN)
    assert len(pseudonym(b"one", "email", ANN)) == 32
