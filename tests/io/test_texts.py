"""All that a file says, as text."""

import codecs
import gzip
import io
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldenlake.columns.traces import Traces
from goldenlake.io import texts as module
from goldenlake.io.texts import raw_texts, texts

ANN = "änn@example.com"
CODINGS = [
    "utf-8",
    "utf-8-sig",
    "utf-16",
    "utf-16-le",
    "utf-16-be",
    "utf-32",
    "utf-32-le",
    "utf-32-be",
    "latin-1",
    "cp1252",
]
BOMS = [
    ("utf-16-be", codecs.BOM_UTF16_BE),
    ("utf-16-le", codecs.BOM_UTF16_LE),
    ("utf-32-be", codecs.BOM_UTF32_BE),
]


def _tells(content: bytes) -> bool:
    return any(Traces.of([ANN]).found_in(text) for text in texts(io.BytesIO(content)))


@pytest.mark.parametrize(("coding", "bom"), [*((each, b"") for each in CODINGS), *BOMS])
@pytest.mark.parametrize("lines", [1, 2**20 + 1])
def test_a_file_is_read_in_whatever_encoding(coding: str, bom: bytes, lines: int) -> None:
    content = bom + ("a;x\n" * lines + f"{ANN};1\n").encode(coding)

    assert _tells(content)
    assert _tells(gzip.compress(content, 1))


@pytest.mark.parametrize("coding", ["utf-8", "utf-16-le"])
@given(
    words=st.lists(st.sampled_from(["änn@example.com", "jo", "x", "ä", "€"]), max_size=40),
    marks=st.lists(st.sampled_from([" ", ",", "\n", '"', ";"]), min_size=40, max_size=40),
    size=st.integers(min_value=1, max_value=60),
)
def test_words_are_whole_wherever_a_piece_ends(
    coding: str, words: list[str], marks: list[str], size: int
) -> None:
    text = "".join(word + mark for word, mark in zip(words, marks, strict=False))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "_OVERLAP", 64)
        pieces = list(
            raw_texts(
                _Small(
                    (codecs.BOM_UTF8 if coding == "utf-8" else b"\xff\xfe") + text.encode(coding),
                    size,
                )
            )
        )

    found = [Traces.of([ANN]).found_in(piece) for piece in pieces]
    assert any(found) == (ANN in words)


class _Small(io.BytesIO):
    """Gives a few bytes at a time, but the first."""

    def __init__(self, content: bytes, size: int) -> None:
        super().__init__(content)
        self._most = size

    def read(self, size: int | None = -1) -> bytes:
        return super().read(max(self._most, 4) if self.tell() == 0 else self._most)


def test_names_and_comments_in_an_archive_are_read() -> None:
    for name, comment, of_member in [
        (f"export_{ANN}.csv", "", ""),
        ("a.csv", f"for {ANN}", ""),
        ("a.csv", "", f"for {ANN}"),
        (f"{ANN}/", "", ""),
    ]:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            info = zipfile.ZipInfo(name)
            info.comment = of_member.encode()
            archive.writestr(info, "" if name.endswith("/") else "a,b\n1,2\n")
            archive.comment = comment.encode()
        assert _tells(packed.getvalue())


def test_a_comment_in_an_archive_that_is_not_all_utf_8_is_read_byte_by_byte() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.comment = "für ".encode("latin-1") + ANN.encode()

    assert _tells(packed.getvalue())


def test_the_name_that_a_gzip_was_made_of_is_read() -> None:
    packed = io.BytesIO()
    with gzip.GzipFile("orders_ann@example.com.csv", "wb", fileobj=packed) as file:
        file.write(b"a,b\n")

    assert any(
        Traces.of(["ann@example.com"]).found_in(t) for t in texts(io.BytesIO(packed.getvalue()))
    )


@pytest.mark.parametrize(
    "table",
    [
        pa.table({"a": [1]}).replace_schema_metadata({"author": ANN}),
        pa.table([[1]], schema=pa.schema([pa.field("a", pa.int64(), metadata={"of": ANN})])),
        pa.table({ANN: [1]}),
        pa.table(
            {"a": [[("n", f"Hi\n{ANN}")]]},
            schema=pa.schema([("a", pa.map_(pa.string(), pa.string()))]),
        ),
        pa.table({"a": [f"Hi\n{ANN}"]}),
    ],
)
def test_what_parquet_says_beside_its_rows_is_read(table: pa.Table) -> None:
    written = io.BytesIO()
    pq.write_table(table, written)

    assert _tells(written.getvalue())
