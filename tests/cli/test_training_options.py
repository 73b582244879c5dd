"""Options of ``run`` and ``worker`` that choose which processes train."""

from __future__ import annotations

import pytest

from remix_study.cli.main import parser
from remix_study.cli.run import training_function
from remix_study.errors import UsageError
from remix_study.study import runner
from remix_study.workers import dask_pool
from remix_study.workers.pool import DEFAULT_RECYCLE, WorkerPool, run_worker_pool


def function_of(*words: str):
    """The function that a command line chooses to run its study."""
    return training_function(parser().parse_args(words))


def test_the_command_line_chooses_the_pool():
    assert function_of("run", "x.toml") is runner.run
    pools = {
        ("run", "x.toml", "--workers", "2"): WorkerPool(2),
        ("run", "--workers=3", "--devices=0,1"): WorkerPool(3, ("0", "1")),
        ("run", "--workers=1", "--recycle=0"): WorkerPool(1, recycle=0),
        ("worker", "x.toml"): WorkerPool(1, wait=True),
        ("worker", "x.toml", "--no-wait", "--devices=cpu"): WorkerPool(1, ("cpu",)),
    }
    for words, pool in pools.items():
        function = function_of(*words)
        assert (function.func, function.keywords) == (run_worker_pool, {"pool": pool}), words
    assert WorkerPool(1).recycle == DEFAULT_RECYCLE > 0
    function = function_of("run", "--dask", "tcp://h:1")
    assert function.func is dask_pool.run_on_dask
    assert function.keywords == {"pool": WorkerPool(0), "address": "tcp://h:1"}


@pytest.mark.parametrize(
    "words",
    [
        *("--workers=0", "--workers=-1", "--workers=x", "--recycle=-1", "--recycle=x"),
        *("--stack=0", "--stack=all", "--stack=10001"),
    ],
)
def test_numbers_that_cannot_be_are_refused(words, capsys):
    with pytest.raises(SystemExit) as caught:
        function_of("run", words)
    assert caught.value.code == 2
    assert "write how many" in capsys.readouterr().err


def test_recycling_without_workers_is_refused():
    with pytest.raises(UsageError, match="give --workers, too"):
        function_of("run", "--recycle", "5")
