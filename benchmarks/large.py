"""Large tables: peak memory above the bare process, and epochs against plain Keras.

python benchmarks/large.py [--rows 1000000] [--features 50] [--dtype float32] [--keras]
"""

from __future__ import annotations

import argparse
import gc
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

HIDDEN = (128, 64)
STRATEGIES = ("remix", "baseline", "smote")
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_MIB = 2**20


def resident(field: str) -> float:
    """MiB that are resident now (VmRSS), or were at most since :func:`forget_peak` (VmHWM)."""
    lines = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
    return int(lines[field].split()[0]) / 1024


def forget_peak() -> None:
    """Begin to measure the peak anew."""
    gc.collect()
    _CLEAR.write_text("5")


def make_rows(rows: int, features: int, dtype: str) -> tuple[Any, Any]:
    """Normal features of two classes, one of 2 %, a block at a time so as to need no copy."""
    rng = np.random.default_rng(0)
    y = (rng.random(rows) < 0.02).astype(np.int32)
    X = np.empty((rows, features), dtype)
    for start in range(0, rows, 50_000):
        block = X[start : start + 50_000]
        block[:] = rng.standard_normal(block.shape, np.float32)
        block[:, :5] += y[start : start + 50_000, None]
    return X, y


def make_task(data: Any, batch: int, folds: int, epochs: int) -> Any:
    """A task of one repeat, which watches the validation part every epoch."""
    from remix_study.study.task_preparation import prepare_tasks
    from remix_study.studyfile.parsing import parse_study

    study = parse_study(
        f"""
        [study]
        name = "large"
        objectives = ["g_mean"]
        [[problems]]
        minority = [1]
        [cv]
        folds = {folds}
        repeats = 1
        validation = 0.3
        [model]
        hidden = {list(HIDDEN)}
        dropout = 0.1
        [training]
        epochs = {epochs}
        batch_size = {batch}
        stop = "early"
        start_from_epoch = 0
        patience = {epochs}
        [search.space]
        strategy = {list(STRATEGIES)}
        """
    )
    return prepare_tasks(study, data)[0]


def configuration(task: Any, strategy: str) -> Any:
    """The study's configuration of a strategy."""
    from remix_study.batches.strategies import make_strategy
    from remix_study.study.configurations import Configuration

    return Configuration(make_strategy(strategy), task.spec.training, task.study.model)


def epoch_times(task: Any, strategy: str) -> float:
    """Milliseconds per fold and epoch, without the first epoch of all folds."""
    marks: list[tuple[int, float]] = []

    def mark(folds: int) -> None:
        marks.append(((marks[-1][0] if marks else 0) + folds, time.perf_counter()))

    task.fit(configuration(task, strategy), mark)
    first = next(place for place, (done, _) in enumerate(marks) if done >= len(task.folds))
    (done, began), (total, ended) = marks[first], marks[-1]
    return (ended - began) * 1e3 / (total - done)


def keras_times(task: Any, batch: int, epochs: int) -> float:
    """Milliseconds per epoch of plain Keras on arrays of the first fold, after its first epoch."""
    import keras

    fold = task.folds[0]
    prepared = task.members.preprocessing
    X, X_validation = (prepared.apply(0, task.problem.X[r]) for r in (fold.train, fold.validation))
    y, y_validation = (task.problem.y[rows] for rows in (fold.train, fold.validation))
    dense, dropout = keras.layers.Dense, keras.layers.Dropout
    model = keras.Sequential(
        [dense(HIDDEN[0], "relu"), dropout(0.1), dense(HIDDEN[1], "relu"), dense(2)]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss)
    marks: list[float] = []
    model.fit(
        X,
        y,
        batch_size=batch,
        epochs=epochs,
        validation_data=(X_validation, y_validation),
        validation_batch_size=1024,
        callbacks=[
            keras.callbacks.EarlyStopping(patience=epochs, restore_best_weights=True),
            keras.callbacks.LambdaCallback(
                on_epoch_end=lambda *_: marks.append(time.perf_counter())
            ),
        ],
        verbose=0,
    )
    return (marks[-1] - marks[0]) * 1e3 / (len(marks) - 1)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--features", type=int, default=50)
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--keras", action="store_true", help="epochs of plain Keras, too")
    options = parser.parse_args()
    from remix_study.data.arrays import from_arrays
    from remix_study.data.memory import pool_tensors, share_heap

    # As a run does.
    share_heap()
    pool_tensors()
    # A small task first: what a process has before it sees a large table.
    small = from_arrays(*make_rows(4 * options.batch * options.folds, options.features, "float32"))
    task = make_task(small, options.batch, options.folds, 2)
    epoch_times(task, "remix")
    del task, small
    forget_peak()
    bare = resident("VmRSS")
    dataset = from_arrays(*make_rows(options.rows, options.features, options.dtype))
    matrix = options.rows * options.features * 4 / _MIB
    table = f"{options.rows} x {options.features}, {options.dtype}"
    print(f"{table}: a float32 matrix of {matrix:.0f} MiB")

    def report(what: str) -> None:
        peak, now = (resident(field) - bare for field in ("VmHWM", "VmRSS"))
        print(f"{what}: peak {peak:.0f} MiB above the bare process's {bare:.0f}, ", end="")
        print(f"{peak / matrix:.2f} times the matrix; {now:.0f} after it", flush=True)
        forget_peak()

    report("reading")
    task = make_task(dataset, options.batch, options.folds, options.epochs)
    report("folds")
    task.members.features()
    report("preprocessing")
    for strategy in STRATEGIES:
        ms = epoch_times(task, strategy)
        report(f"{strategy}, {ms:.0f} ms per fold and epoch")
    if options.keras:
        ms = keras_times(task, options.batch, options.epochs)
        report(f"plain Keras, {ms:.0f} ms per fold and epoch")


if __name__ == "__main__":
    main()
