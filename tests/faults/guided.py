"""``python -m faults.guided TARGET SECONDS FOLDER``: fuzzing led by the branches that inputs reach.

Atheris (https://github.com/google/atheris) follows the readers and declarations, Python's own code
that they call (mail), and lets libFuzzer change what reached something new. A failure ends with
another code than 0, and leaves its input in FOLDER as ``crash-…``.
"""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import atheris

with atheris.instrument_imports(
    include=["goldenlake.io.readers", "goldenlake.declarations", "email"]
):
    from faults.test_bad_declarations import is_told_well, problems_of
    from faults.test_fuzz import SEEDS, is_read_or_refused
    from support.conf import FILES

DECLARED = "sources/shop.yml"


def main(target: str, seconds: str, folder: Path) -> None:
    """Fuzz one target for so long; the process ends inside."""
    corpus = folder / "corpus"
    corpus.mkdir()
    for at, content in enumerate(seeds(target)):
        (corpus / f"{at:04}").write_bytes(content)
    told = [f"-max_total_time={seconds}", "-timeout=20", "-rss_limit_mb=4096", "-max_len=20000"]
    atheris.Setup(
        [sys.argv[0], *told, f"-artifact_prefix={folder}/", str(corpus)], judge(target, folder)
    )
    atheris.Fuzz()


def seeds(target: str) -> list[bytes]:
    """What to begin with."""
    return [text.encode() for text in FILES.values()] if target == "declarations" else SEEDS[target]


def judge(target: str, folder: Path) -> Callable[[bytes], None]:
    """What raises where an input was neither read nor refused by name."""
    if target != "declarations":
        return partial(is_read_or_refused, target)
    root = folder / "conf"
    root.mkdir()
    return lambda content: is_told_well(problems_of(root, DECLARED, content))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
