"""Images: the engine against one ``model.fit`` a fold, and against the bare network.

python benchmarks/images.py [--rounds 3] [--epochs 10] [--strategy NAME] [--json FILE]

Three processes take turns on the small CIFAR-10 (REMIX_STUDY_DATA must name its folder): the
engine; the loop a careful user writes, with a fresh Keras model a fold, tf.data and Keras'
augmentation layers; and forward and backward passes of the same network over one batch again
and again, which no training can beat. The clock runs over all that a trial needs: batches, models,
validation every epoch, best weights, probabilities of validation and test rows. Each has warmed
up before.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import statistics
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from image_sides import KINDS, STRATEGIES, Round

CLOCKS = {"wall": "wall clock", "cpu": "CPU time"}


def serve(pipe: Connection, kind: str, epochs: int, strategies: tuple[str, ...]) -> None:
    """Train rounds until None is received."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    work = KINDS[kind](epochs, strategies)
    pipe.send("ready")
    try:
        while (name := pipe.recv()) is not None:
            pipe.send(work(name))
    except EOFError:
        # The parent process has ended.
        return


def measure(rounds: int, epochs: int, strategies: tuple[str, ...]) -> list[dict[str, Any]]:
    """Let the processes take turns; return medians over rounds, and the range of the ratios."""
    context = multiprocessing.get_context("spawn")
    pipes: dict[str, Connection] = {}
    processes = []
    for kind in KINDS:
        pipes[kind], worker_end = context.Pipe()
        arguments = worker_end, kind, epochs, strategies
        processes.append(context.Process(target=serve, args=arguments))
        processes[-1].start()
        worker_end.close()
        pipes[kind].recv()
    by_strategy: dict[str, list[dict[str, Round]]] = {name: [] for name in strategies}
    for _ in range(rounds):
        for name, speeds in by_strategy.items():
            speeds.append({})
            for kind, pipe in pipes.items():
                pipe.send(name)
                speeds[-1][kind] = pipe.recv()
    for pipe, process in zip(pipes.values(), processes, strict=True):
        pipe.send(None)
        process.join()
    return [_row(name, speeds) for name, speeds in by_strategy.items()]


def _row(name: str, speeds: list[dict[str, Round]]) -> dict[str, Any]:
    row: dict[str, Any] = {"strategy": name}
    for clock in ("wall", "cpu"):
        for kind in KINDS:
            row[f"{kind}_{clock}"] = round(statistics.median(r[kind][clock] for r in speeds))
        for over in ("loop", "bare"):
            ratios = [r["engine"][clock] / r[over][clock] for r in speeds]
            row[f"engine/{over}_{clock}"] = round(statistics.median(ratios), 2)
            row[f"engine/{over}_{clock}_range"] = [round(min(ratios), 2), round(max(ratios), 2)]
    return row


def table(rows: list[dict[str, Any]]) -> str:
    """Return a Markdown table for each clock: images a second, ratios and their range."""
    heads = ["strategy", *KINDS, "engine / loop", "range", "engine / bare", "range"]
    parts = []
    for clock, words in CLOCKS.items():
        lines = [f"Images a second of {words}:", ""]
        lines += ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
        for row in rows:
            cells = [row["strategy"], *(f"{row[f'{kind}_{clock}']:,}" for kind in KINDS)]
            for over in ("loop", "bare"):
                low, high = row[f"engine/{over}_{clock}_range"]
                cells += [f"{row[f'engine/{over}_{clock}']:.2f}", f"{low:.2f} to {high:.2f}"]
            lines.append("| " + " | ".join(cells) + " |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def machine() -> dict[str, Any]:
    """Describe the machine, its packages and its load average now."""
    return {
        "machine": platform.machine(),
        "cores": multiprocessing.cpu_count(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in ("tensorflow", "keras")},
        "load": [round(load, 1) for load in os.getloadavg()],
    }


def main() -> None:
    """Measure, print the tables and write the files that the options name."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=10, help="of every fold in a round")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all of it")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables")
    parser.add_argument("--strategy", action="append", choices=STRATEGIES, help="only this one")
    options = parser.parse_args()
    before = machine()["load"][0]
    rows = measure(options.rounds, options.epochs, tuple(options.strategy or STRATEGIES))
    facts = {"rounds": options.rounds, "epochs": options.epochs, "load_before": before}
    facts |= machine()
    packages = ", ".join(f"{name} {number}" for name, number in facts["packages"].items())
    text = (
        f"2 folds, {options.epochs} epochs, {options.rounds} rounds; {facts['machine']}, "
        f"{facts['cores']} cores, Python {facts['python']}, {packages}; processes that wanted a "
        f"core {before:g} before and {facts['load'][0]:g} at the end\n\n{table(rows)}"
    )
    print(text)
    if options.json:
        options.json.write_text(json.dumps(facts | {"rows": rows}, indent=1) + "\n")
    if options.markdown:
        options.markdown.write_text(text + "\n")


if __name__ == "__main__":
    main()
