"""How long a fuzzer goes on: a few cases in the suite, some time where it is asked for."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator

import pytest

SECONDS = float(os.environ.get("REMIX_STUDY_FUZZ_SECONDS", "30"))
START = int(os.environ.get("REMIX_STUDY_FUZZ_SEED", "0"))

both_lengths = pytest.mark.parametrize(
    "seconds",
    [pytest.param(0, id="short"), pytest.param(SECONDS, id="long", marks=pytest.mark.slow)],
)
"""A test runs briefly, and as a slow one for ``REMIX_STUDY_FUZZ_SECONDS``."""


def draws(few: int, seconds: float) -> Iterator[random.Random]:
    """Generators, one a case: of the seeds below ``few``, or as many as some seconds allow.

    The last seed that is printed is that of the case that failed.
    """
    seed, end = START if seconds else 0, time.monotonic() + seconds
    while time.monotonic() < end if seconds else seed < few:
        print("seed", seed)
        yield random.Random(seed)
        seed += 1
