"""Images: the engine against a fresh ``model.fit`` a fold, and against the bare network.

python benchmarks/images.py [--rounds 3] [--epochs 10] [--strategy NAME] [--json FILE]

Three processes take turns on the small CIFAR-10 (REMIX_STUDY_DATA must name its folder): the
engine; the loop a careful user writes, with a fresh Keras model a fold, tf.data and Keras'
augmentation layers; and forward and backward passes of the same network over one batch again
and again, which no training can beat.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import os
import platform
import statistics
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

BATCH = 64
STRATEGIES = ("balance", "remix", "augment", "remix-aug")
# Steps of a round of the bare network.
STEPS = 40

STUDY = """
[study]
name = "benchmark"
objectives = ["g_mean"]
[[problems]]
dataset = "cifar10-small"
kind = "multi-class"
minority = ["automobile", "bird", "cat"]
imbalance = [0.25]
[cv]
folds = 2
repeats = 1
[model]
name = "cnn"
[training]
epochs = {epochs}
start_from_epoch = 0
patience = {epochs}
[search.space]
strategy = {strategies}
"""

Round = dict[str, float]
Work = Callable[[str], Round]
Kind = Callable[[int, tuple[str, ...]], Work]


def make_bench(epochs: int) -> Any:
    """The problem with its folds, as a study makes it."""
    from remix_study.study.bench import prepare
    from remix_study.studyfile import parse_study

    text = STUDY.format(epochs=epochs, strategies=json.dumps(STRATEGIES))
    return prepare(parse_study(text))[0]


def timed(images: int, work: Callable[[], Any]) -> Round:
    """Images trained a second, by the wall clock and by the CPU time of the process."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"wall": images / wall, "cpu": images / cpu}


def trained(bench: Any, epochs: int) -> int:
    """Images that all folds train on; those that are only scored are not counted."""
    return sum(len(fold.train) // BATCH * BATCH for fold in bench.folds) * epochs


def engine(epochs: int, strategies: tuple[str, ...]) -> Work:
    """A trial of the study, after one that compiled."""
    from remix_study.batches.strategies import make_strategy
    from remix_study.study.points import Setting

    bench = make_bench(epochs)

    def fit(name: str) -> None:
        bench.fit(Setting(make_strategy(name), bench.spec.training, bench.study.model))

    for name in strategies:
        fit(name)
    return lambda name: timed(trained(bench, epochs), lambda: fit(name))


def loop(epochs: int, strategies: tuple[str, ...]) -> Work:  # noqa: ARG001
    """What a careful user writes; the same batches, best weights, validation and test scores."""
    import keras
    import numpy as np
    import tensorflow as tf

    from remix_study.batches.plan import plan_epoch
    from remix_study.batches.strategies import make_strategy

    bench = make_bench(epochs)
    _, members = bench._members()
    problem = bench.problem
    X, Y = problem.X, np.eye(problem.K, dtype=np.float32)[problem.y]

    def batches(member: Any, name: str) -> Any:
        strategy, turn = make_strategy(name), itertools.count()

        def plan() -> Any:
            made = plan_epoch(
                strategy, member.training, batch_size=BATCH, seed=member.seed, epoch=next(turn)
            )
            yield from zip(made.first, made.second, made.weight, strict=True)

        augment = keras.Sequential(
            [
                keras.layers.RandomRotation(20 / 360, fill_mode="nearest"),
                keras.layers.RandomTranslation(0.2, 0.2, fill_mode="nearest"),
            ]
        )
        pixels, labels = tf.constant(X), tf.constant(Y)

        def images(rows: Any) -> Any:
            x = tf.cast(tf.gather(pixels, rows), tf.float32)
            return (augment(x, training=True) if strategy.augment else x) / 255

        def blend(first: Any, second: Any, share: Any) -> tuple[Any, Any]:
            if not strategy.mixes:
                return images(first), tf.gather(labels, first)
            y = share[:, None] * tf.gather(labels, first)
            y += (1 - share[:, None]) * tf.gather(labels, second)
            share = share[:, None, None, None]
            return share * images(first) + (1 - share) * images(second), y

        kinds = [tf.TensorSpec((BATCH,), kind) for kind in (tf.int32, tf.int32, tf.float32)]
        rows = tf.data.Dataset.from_generator(plan, output_signature=tuple(kinds))
        return rows.map(blend, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)

    def fold(position: int, name: str) -> None:
        layers = keras.layers
        part, member = bench.folds[position], members[position]
        model = keras.Sequential(
            [
                keras.Input(X.shape[1:]),
                layers.Conv2D(32, 3, activation="relu"),
                layers.MaxPooling2D(2),
                layers.Conv2D(64, 3, activation="relu"),
                layers.MaxPooling2D(2),
                layers.Flatten(),
                layers.Dense(64, activation="relu"),
                layers.Dense(problem.K),
            ]
        )
        model.compile("adam", keras.losses.CategoricalCrossentropy(from_logits=True))
        held = X[part.validation] / np.float32(255), Y[part.validation]
        model.fit(
            batches(member, name),
            epochs=epochs,
            validation_data=held,
            validation_batch_size=256,
            callbacks=[keras.callbacks.EarlyStopping(patience=epochs, restore_best_weights=True)],
            verbose=0,
        )
        for rows in (part.validation, part.test):
            model.predict(X[rows] / np.float32(255), batch_size=256, verbose=0)

    def fit(name: str) -> None:
        for position in range(len(bench.folds)):
            fold(position, name)

    return lambda name: timed(trained(bench, epochs), lambda: fit(name))


def bare(epochs: int, strategies: tuple[str, ...]) -> Work:  # noqa: ARG001
    """Forward and backward of the network over one batch, in one graph; nothing else."""
    import numpy as np
    import tensorflow as tf

    from remix_study.models import build

    network = build("cnn", stack=1, input_shape=(32, 32, 3), n_classes=10, options={})
    rng = np.random.default_rng(0)
    x = tf.constant(rng.random((BATCH, 32, 32, 3), np.float32))
    y = tf.one_hot(rng.integers(0, 10, BATCH), 10)
    variables = network.train.trainable_variables

    @tf.function(autograph=False)
    def passes() -> Any:
        def body(step: Any, total: Any) -> tuple[Any, Any]:
            with tf.GradientTape() as tape:
                z = network.train(x + total, training=True)
                loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(y, z))
            gradients = tape.gradient(loss, variables)
            # Used, so that no pass can be left out.
            used = tf.add_n([tf.reduce_sum(gradient) for gradient in gradients])
            return step + 1, total + 1e-12 * used

        return tf.while_loop(lambda step, _: step < STEPS, body, (0, 0.0))[1]

    passes()
    return lambda _: timed(STEPS * BATCH, lambda: passes().numpy())


KINDS: dict[str, Kind] = {"engine": engine, "loop": loop, "bare": bare}


def serve(pipe: Connection, kind: str, epochs: int, strategies: tuple[str, ...]) -> None:
    """Answer rounds until None is asked for."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    work = KINDS[kind](epochs, strategies)
    pipe.send("ready")
    try:
        while (name := pipe.recv()) is not None:
            pipe.send(work(name))
    except EOFError:
        # Whoever asked has gone.
        return


def measure(rounds: int, epochs: int, strategies: tuple[str, ...]) -> list[dict[str, Any]]:
    """Let the processes take turns; medians, and the range of the ratios round by round."""
    context = multiprocessing.get_context("spawn")
    pipes: dict[str, Connection] = {}
    processes = []
    for kind in KINDS:
        pipes[kind], other = context.Pipe()
        processes.append(context.Process(target=serve, args=(other, kind, epochs, strategies)))
        processes[-1].start()
        other.close()
        pipes[kind].recv()
    found: dict[str, list[dict[str, Round]]] = {name: [] for name in strategies}
    for _ in range(rounds):
        for name, own in found.items():
            own.append({})
            for kind, pipe in pipes.items():
                pipe.send(name)
                own[-1][kind] = pipe.recv()
    for pipe, process in zip(pipes.values(), processes, strict=True):
        pipe.send(None)
        process.join()
    return [_row(name, own) for name, own in found.items()]


def _row(name: str, own: list[dict[str, Round]]) -> dict[str, Any]:
    row: dict[str, Any] = {"strategy": name}
    for clock in ("wall", "cpu"):
        for kind in KINDS:
            row[f"{kind}_{clock}"] = round(statistics.median(r[kind][clock] for r in own))
        for over in ("loop", "bare"):
            ratios = [r["engine"][clock] / r[over][clock] for r in own]
            row[f"engine/{over}_{clock}"] = round(statistics.median(ratios), 2)
            row[f"engine/{over}_{clock}_range"] = [round(min(ratios), 2), round(max(ratios), 2)]
    return row


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown: images a second of wall and of CPU time, and the ratios."""
    heads = [key for key in rows[0] if not key.endswith("range")]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for row in rows:
        cells = []
        for key in heads:
            span = row.get(f"{key}_range")
            cells.append(f"{row[key]}" + (f" ({span[0]} to {span[1]})" if span else ""))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Run, print, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=10, help="of every fold in a round")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table")
    parser.add_argument("--strategy", action="append", choices=STRATEGIES, help="only this one")
    options = parser.parse_args()
    rows = measure(options.rounds, options.epochs, tuple(options.strategy or STRATEGIES))
    text = (
        f"Images a second; 2 folds, {options.epochs} epochs, {options.rounds} rounds; "
        f"{platform.machine()}, {multiprocessing.cpu_count()} cores\n\n{table(rows)}"
    )
    print(text)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    if options.markdown:
        options.markdown.write_text(text + "\n")


if __name__ == "__main__":
    main()
