"""Studies whose data say how they are split: keys, what contradicts them, what is recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tiny_studies import tiny

from remix_study.data.arrays import from_arrays
from remix_study.errors import RemixStudyError
from remix_study.study.fingerprint import problem_facts, resolved_settings, study_changes
from remix_study.study.task import Task
from remix_study.study.task_preparation import prepare_tasks, search_tasks
from remix_study.studyfile.parsing import parse_study

ROWS = 90


@pytest.fixture(autouse=True)
def tables(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name, rows in (("train", ROWS), ("test", 40)):
        lines = ["size,part,day,molecule,class"] + [
            f"{size:.3f},{'abc'[row % 3]},{row},{row // 6},{'rare' if row % 4 == 1 else 'usual'}"
            for row, size in enumerate(rng.normal(size=rows))
        ]
        (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n")


def tasks_of(folder: Path, keys: str, cv: str = "", *more: tuple[str, str]) -> list[Task]:
    problem = f'file = "train.csv"\nlabel = "class"\n{keys}'
    text = tiny(
        ('dataset = "wine"', problem), ("folds = 2\nrepeats = 1\n", cv), ("size = 16", "size = 8"),
        *more,
    )  # fmt: skip
    return prepare_tasks(parse_study(text, str(folder / "mine.toml")))


@pytest.mark.parametrize(
    ("keys", "cv", "folds", "repeats", "kind"),
    [
        ('fold = "part"', "", 3, 1, "fold"),
        ('fold = "part"', "folds = 3\nrepeats = 1", 3, 1, "fold"),
        ('test_file = "test.csv"', "", 1, 10, "test"),
        ('test_file = "test.csv"', "repeats = 2", 1, 2, "test"),
        ('time = "day"', "", 2, 1, "time"),
        ('time = "day"', "folds = 3\nrepeats = 2", 3, 2, "time"),
        ('fold = "part"\nminority = ["rare"]\nimbalance = [0.2]', "", 3, 1, "fold"),
        ('time = "day"\nminority = ["rare"]\nimbalance = [0.2]', "", 2, 1, "time"),
    ],
)
def test_a_split_settles_folds_and_repeats(
    tmp_path: Path, keys: str, cv: str, folds: int, repeats: int, kind: str
) -> None:
    (task,) = tasks_of(tmp_path, keys, cv)
    assert [(f.repeat, f.fold) for f in task.folds] == [
        (repeat, fold) for repeat in range(repeats) for fold in range(folds)
    ]
    facts, settings = problem_facts(task), resolved_settings(task)
    assert (facts["folds"], facts["repeats"], facts["split"]) == (folds, repeats, kind)
    assert (settings["cv"]["folds"], settings["cv"]["repeats"]) == (folds, repeats)
    key, _, value = keys.splitlines()[0].partition(" = ")
    if kind == "test":
        assert (settings["problem"]["test_rows"], facts["n_rows"]) == (40, ROWS + 40)
    else:
        assert settings["problem"][key] == value.strip('"')
        assert value.strip('"') not in task.problem.dataset.features


SEARCH = ("[search.space]\n", '[search]\nalgorithm = "tpe"\ntrials = 2\nKEY\n[search.space]\n')


@pytest.mark.parametrize(
    ("keys", "cv", "search", "message"),
    [
        (
            'fold = "part"',
            "folds = 2",
            "",
            r"fold: the data have a fold column, 3 folds, and cv.fo",
        ),
        (
            'fold = "part"',
            "repeats = 10",
            "",
            r"one repeat, and cv.repeats is 10; leave cv.repeats",
        ),
        (
            'test_file = "test.csv"',
            "folds = 2",
            "",
            r"test_file: .* 1 fold, and cv.folds is 2; lea",
        ),
        (
            'fold = "part"\ntime = "day"',
            "",
            "",
            r"problems\[0\].time: fold splits the rows alread",
        ),
        ("keep_time = true", "", "", r"keep_time: there is no time"),
        (
            'time = "day"\ngroups = "molecule"',
            "grouped = true",
            "",
            r"an order in time, so groups ",
        ),
        (
            'test_file = "test.csv"\nminority = ["rare"]\nimbalance = [0.1]',
            "",
            "",
            "leave imbalan",
        ),
        ('time = "day"\nminority = ["rare"]\nimbalance = [0.1]', "redraw = true", "", "cv.redraw"),
        (
            'fold = "part"',
            "",
            "outer = 3",
            r"fold column, so there are no other folds .* search.o",
        ),
        ('time = "day"', "", "outer = 3", r"leave search.outer out"),
        (
            'time = "day"',
            "repeats = 3",
            "prune = true",
            r"6 folds in all, too few to stop between",
        ),
        ('test_file = "none.csv"', "", "", r"none.csv: no such file"),
        (
            'fold = "parts"',
            "",
            "",
            r'fold column "parts" is not in the header; did you mean "part',
        ),
        ('time = "class"', "", "", r'"class": is the label; leave it out of fold and time'),
        (
            'groups = "molecule"\nfold = "part"',
            "grouped = true",
            "",
            r"groups have rows in two par",
        ),
    ],
)
def test_what_contradicts_a_split_is_refused_in_one_line(
    tmp_path: Path, keys: str, cv: str, search: str, message: str
) -> None:
    objective = ('objectives = ["g_mean", "bbs"]', 'objectives = ["g_mean"]')
    changes = [objective, (SEARCH[0], SEARCH[1].replace("KEY", search))] if search else []
    with pytest.raises(RemixStudyError, match=message) as error:
        tasks_of(tmp_path, keys, cv, *changes)
    assert "\n" not in str(error.value)


def test_keys_of_a_split_need_a_table() -> None:
    for keys in ('dataset = "wine"\nfold = "part"', 'images = "a.npz"\ntest_file = "test.csv"'):
        with pytest.raises(RemixStudyError, match="only a file or query has "):
            parse_study(tiny(('dataset = "wine"', keys)))
    sql = 'sql = "sqlite:///a.db"\nquery = "select 1"\nlabel = "a"\ntest_file = "test.csv"'
    with pytest.raises(RemixStudyError, match=r"test_file: goes with file or files"):
        parse_study(tiny(('dataset = "wine"', sql)))


@pytest.mark.parametrize("keys", ['fold = "part"', 'test_file = "test.csv"', 'time = "day"'])
def test_searches_run_on_given_folds(tmp_path: Path, keys: str) -> None:
    (task,) = tasks_of(tmp_path, keys, "", (SEARCH[0], SEARCH[1].replace("KEY", "")))
    assert [part.folds for part in search_tasks(task)] == [task.folds]


def test_a_search_with_a_test_file_may_prune_repeats(tmp_path: Path) -> None:
    objective = ('objectives = ["g_mean", "bbs"]', 'objectives = ["g_mean"]')
    pruning = (SEARCH[0], SEARCH[1].replace("KEY", "prune = true"))
    (task,) = tasks_of(tmp_path, 'test_file = "test.csv"', "", objective, pruning)
    assert [len(block) for block in task.blocks] == [5, 5]


def test_a_change_of_the_split_changes_the_fingerprint(tmp_path: Path) -> None:
    def changes(before: str, after: str) -> list[str]:
        (began,), (task,) = tasks_of(tmp_path, before), tasks_of(tmp_path, after)
        settings: Any = resolved_settings(began)
        return study_changes(task, settings, [], 0)

    assert changes('time = "day"', 'time = "day"') == []
    assert "problem.keep_time: false -> true" in changes(
        'time = "day"', "time = 3\nkeep_time = true"
    )
    assert any(line.startswith("problem.fold: ") for line in changes("", 'fold = "part"'))
    assert "problem.test_rows: 0 -> 40" in changes("", 'test_file = "test.csv"')
    (plain,) = tasks_of(tmp_path, "")
    assert not {"fold", "time", "test_rows", "keep_time"} & set(
        resolved_settings(plain)["problem"]
    )
    assert "split" not in problem_facts(plain)


def test_a_test_part_from_python_takes_the_place_of_folds() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(ROWS, 2)), np.arange(ROWS) % 3
    data = from_arrays(X, y, X_test=X[:20], y_test=y[:20])
    text = tiny(
        ('[[problems]]\ndataset = "wine"\n', ""), ("folds = 2\nrepeats = 1", "repeats = 3")
    )
    (task,) = prepare_tasks(parse_study(text), data)
    assert [fold.test.tolist() for fold in task.folds] == [list(range(ROWS, ROWS + 20))] * 3
    assert msgspec.to_builtins(task.study.cv)["folds"] == 1
