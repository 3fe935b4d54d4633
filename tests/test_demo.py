"""A demonstration that is run again shows that nothing is done twice, or fails."""

from __future__ import annotations

import pytest

from goldenlake.demo import NOT_THE_SAME, Repetition, code_to_end_with
from goldenlake.errors import ExitCode


@pytest.mark.parametrize(
    ("code", "repetition", "ends"),
    [
        (ExitCode.OK, None, ExitCode.OK),
        (ExitCode.OK, Repetition(changed=0, sent=0), ExitCode.OK),
        (ExitCode.DEGRADED, Repetition(changed=0, sent=0), ExitCode.DEGRADED),
        (ExitCode.OK, Repetition(changed=1, sent=0), NOT_THE_SAME),
        (ExitCode.OK, Repetition(changed=0, sent=1), NOT_THE_SAME),
        (ExitCode.FAILED, Repetition(changed=1, sent=1), ExitCode.FAILED),
    ],
)
def test_a_second_run_fails_when_it_changed_an_id_or_sent_something(
    code: ExitCode, repetition: Repetition | None, ends: int
) -> None:
    assert code_to_end_with(code, repetition) == ends


def test_the_code_of_its_own_is_none_of_the_command_line_and_each_fault_is_told() -> None:
    assert NOT_THE_SAME not in set(ExitCode)
    changed, sent = Repetition(changed=1200, sent=3).faults
    assert changed.startswith("1,200 records changed their customer id")
    assert sent.startswith("3 records were sent")
