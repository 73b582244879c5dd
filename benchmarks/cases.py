"""Networks, data and folds of the benchmarks, and their work counted in operations."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

FOLDS, REPEATS = 2, 10
MEMBERS = FOLDS * REPEATS
DROPOUT = 0.1


@dataclass(frozen=True)
class Case:
    """A dense network on a problem of a certain width."""

    features: int
    hidden: tuple[int, ...]
    batch: int

    @property
    def name(self) -> str:
        """Its name in the tables, such as 36/128-64-32 B128."""
        return f"{self.features}/{'-'.join(map(str, self.hidden))} B{self.batch}"


CASES = (
    Case(36, (128, 64, 32), 128),
    Case(178, (256, 128, 64), 128),
    # The paper's own widths, int(2 (d + K) / 3), and batch size on its satimage.
    Case(36, (25, 25, 25), 64),
)


@dataclass(frozen=True)
class Size:
    """Rows, epochs and rounds of a benchmark; ``--quick`` lowers these, never the folds."""

    rows: int
    epochs: int
    rounds: int


FULL, QUICK = Size(rows=6400, epochs=10, rounds=5), Size(rows=3000, epochs=3, rounds=4)


def make_task(case: Case, size: Size, **training: Any) -> Any:
    """Make the task of a case as a study does: two classes, one of 5 % of the rows."""
    from sklearn.datasets import make_classification

    from remix_study.data.arrays import from_arrays
    from remix_study.study.task_preparation import prepare_tasks

    X, y = make_classification(
        size.rows,
        case.features,
        n_informative=10,
        n_redundant=4,
        weights=[0.95],
        class_sep=0.8,
        random_state=0,
    )
    study = make_study(case, size, **training)
    return prepare_tasks(study, from_arrays(X, y, name="synthetic"))[0]


def make_study(case: Case, size: Size, **training: Any) -> Any:
    """Make a study that watches the validation part every epoch and never stops early."""
    from remix_study.studyfile.parsing import parse_study

    keys = {
        "epochs": size.epochs,
        "batch_size": case.batch,
        "stop": "early",
        "start_from_epoch": 0,
        "patience": size.epochs,
    } | training
    lines = "\n".join(
        f"{key} = {value!r}".replace("'", '"').replace("True", "true")
        for key, value in keys.items()
    )
    return parse_study(
        f"""
        [study]
        name = "benchmark"
        seed = 1
        objectives = ["g_mean"]
        [[problems]]
        kind = "binary"
        minority = [1]
        [cv]
        folds = {FOLDS}
        repeats = {REPEATS}
        validation = 0.3
        [model]
        name = "mlp"
        hidden = {list(case.hidden)}
        dropout = {DROPOUT}
        [training]
        preset = "quick"
        {lines}
        [search.space]
        strategy = ["baseline", "remix", "smote"]
        alpha.remix = [0.1, 0.3]
        """
    )


def make_configuration(task: Any, strategy: str) -> Any:
    """Make the study's configuration of a strategy."""
    from remix_study.batches.strategies import make_strategy
    from remix_study.study.configurations import Configuration

    return Configuration(make_strategy(strategy), task.spec.training, task.study.model)


def operations_per_fold_epoch(case: Case, task: Any, n_classes: int = 2) -> float:
    """Count the floating-point operations of a fold's epoch, of matrix products alone.

    Forward 2 B i o a layer; backward twice that (weights and inputs), but without the inputs of
    the first layer; validation forward. The mean over folds.
    """
    widths = (case.features, *case.hidden, n_classes)
    products = [i * o for i, o in itertools.pairwise(widths)]
    forward = 2 * sum(products)
    step = 3 * forward - 2 * products[0]
    total = 0.0
    for fold in task.folds:
        trained_rows = len(fold.train) // case.batch * case.batch
        total += trained_rows * step + len(fold.validation) * forward
    return total / len(task.folds)
