import pytest

pytest.importorskip("numba", reason="matching needs numba: run `make setup`")
