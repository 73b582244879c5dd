"""What a fold trains on and gives does not depend on how many repeats there are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from recorded_runs import DATABASE, run
from tiny_studies import query

from remix_study.data.arrays import from_arrays
from remix_study.study.task_preparation import prepare_tasks
from remix_study.studyfile.parsing import parse_study

TEXT = """
[study]
name = "tiny"
[[problems]]
{problem}
[cv]
folds = 2
repeats = {repeats}
{cv}
[model]
hidden = [4]
[training]
epochs = 3
batch_size = 16
stop = "never"
stack = 2
[search.space]
strategy = ["baseline", "remix", "smote"]
"""
RARE = 'minority = ["a"]\nimbalance = [0.25]'
KINDS = {"plain": "", "grouped": "grouped = true", "redraw": "redraw = true"}


def study(repeats: int, kind: str, problem: str = ""):
    text = TEXT.format(repeats=repeats, cv=KINDS[kind], problem=f"{problem}\n{RARE}")
    return parse_study(text, str(Path("tiny.toml").resolve()))


def rows(n: int = 160):
    rng = np.random.default_rng(0)
    y = np.where(rng.random(n) < 0.4, "a", "b")
    X = rng.normal(size=(n, 3)) + (y == "a")[:, None]
    X[:, 2] += 1e6  # Far from zero, which decides how the column becomes float32.
    return X, y, np.arange(n) // 2


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_fold_trains_on(kind):
    X, y, groups = rows()
    data = from_arrays(X, y, groups=groups, name="own")
    (two,), (five,) = (prepare_tasks(study(repeats, kind), data) for repeats in (2, 5))
    assert (len(two.folds), len(five.folds)) == (4, 10)
    if kind == "redraw":
        assert len(two.problem.rows) < len(five.problem.rows)
    prepared = [task.members.features() for task in (two, five)]
    for place, (fold, same) in enumerate(zip(two.folds, five.folds, strict=False)):
        assert (fold.repeat, fold.fold) == (same.repeat, same.fold)
        assert two.members.members[place].seed == five.members.members[place].seed
        for part in ("train", "validation", "test"):
            places = getattr(fold, part), getattr(same, part)
            (before, x), (after, larger_x) = (
                (task.problem.rows[at], features[0][at])
                for task, at, features in zip((two, five), places, prepared, strict=True)
            )
            assert np.array_equal(before, after)
            assert np.array_equal(x, larger_x)
        for ours, theirs in zip(prepared[0][1:], prepared[1][1:], strict=True):
            assert np.array_equal(ours[place], theirs[place])


@pytest.mark.slow
@pytest.mark.usefixtures("here", "kept_programs")
@pytest.mark.parametrize("kind", KINDS)
def test_a_study_that_grew_has_the_numbers_of_one_planned_at_once(kind):
    """Real training, to the last bit."""
    X, y, groups = rows()
    table = pd.DataFrame(X, columns=["p", "q", "far"]).round(3).assign(g=groups, y=y)
    table.to_csv("own.csv", index=False)
    problem = 'file = "own.csv"\nlabel = "y"\ngroups = "g"'
    stored = []
    for planned in ((2, 3), (3,)):
        DATABASE.unlink(missing_ok=True)
        for repeats in planned:
            run(study(repeats, kind, problem).text)
        select = "SELECT r.label, x.repeat, x.fold, {} FROM remix_{} x JOIN remix_runs r"
        stored.append(
            [
                sorted(query(DATABASE, f"{select.format(columns, table)} ON r.id = x.run_id"))
                for table, columns in (
                    ("folds", "epochs, curves, trained_on"),
                    ("scores", "part, metric, value"),
                    ("probabilities", "part, probabilities"),
                )
            ]
        )
        assert [len(of_table) for of_table in stored[-1]][::2] == [3 * 6, 3 * 12]
    assert stored[0] == stored[1]
