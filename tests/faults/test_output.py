"""Output that nobody can take: training goes on, and the exit code says what became of it."""

from __future__ import annotations

import pytest
from run_folder import study_text


@pytest.mark.parametrize(
    ("redirection", "last_line"),
    [
        (">/dev/full", "remix-study: some output is lost, it could not be written (No space "
                       "left on device)\n"),
        pytest.param("<&- >&- 2>&-", "", marks=pytest.mark.slow),
        pytest.param("2>/dev/full >/dev/full --json", "", marks=pytest.mark.slow),
    ],
)  # fmt: skip
def test_a_run_whose_output_fails_is_complete(sqlite_folder, redirection, last_line):
    sqlite_folder.write(study_text(3))
    redirection, _, option = redirection.partition(" --")
    shell = ("sh", "-c", f'exec "$@" {redirection}', "sh")
    words = ("run", "tiny.toml", *(["--json"] if option else []))
    code, out, errors = sqlite_folder.run(*words, prefix=shell)
    # An answer in JSON that is lost is no success.
    assert (code, out, errors) == (2 if option else 0, "", last_line)
    sqlite_folder.assert_consistent(3)
