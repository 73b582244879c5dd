"""The commands ``fit`` and ``predict``: from a decision to a model, and from it to answers."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from remix_study.cli.arguments import add_json, add_storage, new_command, trial_count
from remix_study.errors import DONE, UsageError

if TYPE_CHECKING:
    from remix_study.deploy.refit import Refit, Stop
    from remix_study.study.signals import Signals

# Where a model is written unless a user says so.
_OUTPUT = Path("model")


def add_command(commands: Any) -> None:
    """Add both commands to the program's parser."""
    command = new_command(
        commands, "fit", "train what a study decided on all rows, for use",
        "fit customers.toml", 'fit customers.toml --method "remix (0.1)" --output remix-model',
        "fit --from model customers-2.csv --output model-2",
    )  # fmt: skip
    command.add_argument("study", metavar="STUDY",
                         help="a study file, or a study's name; with --from a table")  # fmt: skip
    command.add_argument("--from", dest="model", type=Path, metavar="MODEL",
                         help="train the method of this model on a new table")  # fmt: skip
    command.add_argument("--problem", metavar="NAME", help="a problem, where there are several")
    selection = command.add_mutually_exclusive_group()
    selection.add_argument(
        "--method", metavar="LABEL", help="a method, in place of the decision's"
    )
    selection.add_argument("--trial", type=trial_count, metavar="N", help="a trial, by its number")
    command.add_argument(
        "--stop", choices=("validation", "epochs"),
        help="how training ends where it stops early: by a validation part that is kept back, as "
        "on the folds (default), or on all rows after the median epochs of the folds",
    )  # fmt: skip
    command.add_argument("--output", type=Path, metavar="DIR",
                         help="folder to write (default: model)")  # fmt: skip
    command.add_argument("--export", choices=("savedmodel", "onnx"), metavar="FORM",
                         help="also write a network in this form: savedmodel or onnx")  # fmt: skip
    command.add_argument("--no-plugins", action="store_true",
                         help="refuse a study that names code of its own")  # fmt: skip
    add_storage(command)
    add_json(command)
    command.set_defaults(command=_fit)

    command = new_command(
        commands, "predict", "predict rows with a model that fit wrote",
        "predict model new-customers.csv --output answers.csv",
        "predict model new-customers.csv --keep customer_id --output answers.csv",
    )  # fmt: skip
    command.add_argument("model", type=Path, metavar="MODEL", help="the model's folder")
    command.add_argument("data", type=Path, metavar="DATA",
                         help="a table with its columns, or a folder of images")  # fmt: skip
    command.add_argument("--keep", action="append", default=[], metavar="COLUMN",
                         help="a column of DATA to write before the answers, such as an "
                         "identifier; may be given several times")  # fmt: skip
    command.add_argument("--output", type=Path, metavar="FILE",
                         help="CSV file to write (default: standard output)")  # fmt: skip
    command.set_defaults(command=_predict)


def _fit(options: argparse.Namespace, signals: Signals) -> int:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from remix_study.deploy.fit import Request, fit_study
    from remix_study.study.database_errors import url_without_password

    signals.check()
    if options.model:
        return _fit_again(options)
    output: Path = options.output or _OUTPUT
    stop: Stop = options.stop or "validation"
    words = {"--problem": options.problem, "--method": options.method, "--trial": options.trial}
    selected = [item for pair in words.items() if pair[1] is not None for item in pair]
    storage = url_without_password(options.storage)
    command = ["remix-study", "fit", options.study, *map(str, selected), "--stop", stop]
    request = Request(
        problem=options.problem,
        method=options.method,
        trial=options.trial,
        stop=stop,
        output=output,
        storage=options.storage,
        export=options.export,
        allow_plugins=not options.no_plugins,
        command=shlex.join([*command, "--storage", storage]),
    )
    choice, trained = fit_study(options.study, request)
    facts = {"problem": choice.comparison.name, "method": choice.form.label}
    return _show_model(options, choice.comparison.full_title, facts, trained, output)


def _fit_again(options: argparse.Namespace) -> int:
    from remix_study.deploy.drift import DriftLine
    from remix_study.deploy.fit_again import fit_again

    for name in ("problem", "method", "trial", "stop"):
        if getattr(options, name) is not None:
            raise UsageError(f"--{name}: the model of --from has it; leave it out")
    output, model, data = options.output or _OUTPUT, options.model, options.study
    if options.output is None and output.resolve() == model.resolve():
        raise UsageError(f"{model} would be replaced; name the new folder by --output")
    card = fit_again(
        model,
        Path(data),
        output,
        export=options.export,
        allow_plugins=not options.no_plugins,
        command=shlex.join(["remix-study", "fit", "--from", str(model), data]),
    )
    if not options.json:
        header = DriftLine("", "model's rows", "new rows", "never seen before")
        for line in (header, *card.drift):
            print(f"{line.name:<24}  {line.before:<24}  {line.now:<24}  {line.unseen}".rstrip())
    facts = {"problem": card.refit.problem.name, "method": card.recipe.label}
    drift = {"drift": [vars(line) for line in card.drift]}
    return _show_model(options, card.refit.problem.name, facts | drift, card.refit, output)


def _show_model(
    options: argparse.Namespace, title: str, facts: dict[str, Any], trained: Refit, output: Path
) -> int:
    """Print what was trained and where it is."""
    n_rows = len(trained.fold.train)
    if options.json:
        facts |= {"rows": n_rows, "epochs": trained.epochs, "output": str(output)}
        print(json.dumps(facts))
        return DONE
    epochs = f", {trained.epochs} epochs" if trained.epochs else ""
    print(f"{title}: {facts['method']}, trained on {n_rows:,} rows{epochs}")
    print(f"model: {output}, its card: {output / 'card.html'}")
    print(f"to use it: {shlex.join(['remix-study', 'predict', str(output)])} DATA")
    return DONE


def _predict(options: argparse.Namespace, signals: Signals) -> int:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from remix_study.deploy.loading import load
    from remix_study.results.export import without_formulas

    model = load(options.model)

    def note(text: str) -> None:
        print(f"note: {text}", file=sys.stderr)

    partial = options.output and options.output.with_name(f".{options.output.name}.part")
    n_rows = n_marked = 0
    try:
        with (
            partial.open("w", encoding="utf-8", newline="") if partial else nullcontext(sys.stdout)
        ) as out:
            for frame in model.frames(options.data, note, options.keep):
                signals.check()
                without_formulas(frame).to_csv(out, index=False, header=not n_rows)
                n_rows += len(frame)
                n_marked += int((frame["mark"] != "").sum())
            out.flush()
        if partial:
            partial.replace(options.output)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        target = options.output or "standard output"
        raise UsageError(f"{target}: cannot write ({error.strerror})") from error
    finally:
        if partial:
            partial.unlink(missing_ok=True)
    if n_marked:
        have = "has a mark: it is" if n_marked == 1 else "have a mark: they are"
        note(f"{n_marked:,} of {n_rows:,} rows {have} unlike all that the model learned from")
    if options.output:
        print(f"{n_rows:,} rows: {options.output}")
    return DONE
