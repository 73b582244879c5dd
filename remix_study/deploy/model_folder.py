"""Write a trained model into a folder, as a whole or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remix_study.deploy.card import Card, card_html, card_markdown, make_card
from remix_study.deploy.choice import Choice
from remix_study.deploy.contents import answers_of, feature_file, recipe_of
from remix_study.deploy.estimator_file import save_estimator
from remix_study.deploy.loading import load, previous_folder, read_manifest
from remix_study.deploy.network_export import export_network
from remix_study.deploy.network_forms import write_form
from remix_study.deploy.records import (
    ANSWERS,
    CARD,
    CARD_PAGE,
    ESTIMATOR,
    FEATURES,
    MANIFEST,
    MARK,
    NETWORK,
    as_json,
)
from remix_study.deploy.refit import Refit
from remix_study.deploy.saved_model import SavedModel
from remix_study.errors import UsageError
from remix_study.study.record import manifest

# Largest difference between probabilities of the saved model and of training, in float32.
_TOLERANCE = 1e-4
# Rows that both are compared on.
_COMPARED = 4096


def write_model(
    refit: Refit, choice: Choice, output: Path, *, command: str, export: str | None = None
) -> Path:
    """Write what was trained; arguments and errors are those of :func:`write_folder`."""
    answers, recipe = answers_of(refit, choice), recipe_of(refit, choice)
    card = make_card(refit, choice, answers, recipe)
    return write_folder(card, choice.form.name, output, command=command, export=export)


def write_folder(
    card: Card, form: str, output: Path, *, command: str, export: str | None = None
) -> Path:
    """Write a model, its card and its manifest into a folder, in place of a model that is there.

    Args:
        card: The trained model, with what is said of it.
        form: Name of the form that its answers have.
        output: The folder.
        command: The command line or call, for the manifest.
        export: A further form of a network, a key of ``EXPORTS``.

    Raises:
        UsageError: As :func:`check_output`; the network or estimator cannot be saved, or the
            saved one does not give the probabilities of training.
    """
    refit = card.refit

    def write(folder: Path) -> None:
        outputs_of_form = None
        (folder / FEATURES).write_bytes(as_json(feature_file(refit)))
        (folder / ANSWERS).write_bytes(as_json(card.answers))
        if refit.estimator is not None:
            save_estimator(refit.estimator, folder / ESTIMATOR)
        else:
            network = export_network(refit)
            network.save(folder / NETWORK)
            if export:
                outputs_of_form = write_form(network, export, folder)
        facts = manifest(refit.task, command) | {"method": card.method, "form": form}
        facts |= {"epochs": refit.epochs, "scores": card.scores, "recipe": card.recipe}
        _write_manifest(folder, facts)
        model = load(folder)
        facts["difference"] = _difference(refit, model)
        if outputs_of_form:
            _difference(refit, replace(model, outputs=outputs_of_form))
        _write_cards(folder, card)
        _write_manifest(folder, facts)

    return publish_folder(output, write)


def _write_cards(folder: Path, card: Card) -> None:
    text = card_markdown(card)
    (folder / CARD).write_text(text, encoding="utf-8")
    (folder / CARD_PAGE).write_text(card_html(text), encoding="utf-8")


def _write_manifest(folder: Path, facts: dict[str, Any]) -> None:
    files = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }
    (folder / MANIFEST).write_bytes(as_json({"made_by": MARK, **facts, "files": files}))


def _difference(refit: Refit, model: SavedModel) -> float:
    """Largest difference of probabilities between the saved model and training.

    Raises:
        UsageError: It is too large, such as with a layer that behaves otherwise once it is loaded.
    """
    rows = refit.fold.test[:_COMPARED]
    outputs = model.raw_outputs(_inputs(refit, model, rows))
    difference = float(np.abs(outputs - refit.probabilities[:_COMPARED]).max())
    if difference > _TOLERANCE and refit.task.spec.training.precision == "float32":
        raise UsageError(
            f"the saved model's probabilities differ from those of training by {difference:.2g}: "
            "a layer behaves otherwise once it is loaded; choose another network"
        )
    return difference


def _inputs(refit: Refit, model: SavedModel, rows: NDArray[np.intp]) -> NDArray[Any]:
    X = refit.problem.X[rows]
    if model.features.images:
        return np.asarray(X, np.float32)
    places = {name: place for place, name in enumerate(refit.problem.dataset.features)}
    order = [places[feature.name] for feature in model.features.features]
    return model.features.inputs(np.asarray(X[:, order], np.float64))


def check_output(output: Path) -> None:
    """Refuse a folder that cannot become a model's, before anything is trained.

    Raises:
        UsageError: It is a file, or holds anything but a model that ``fit`` wrote.
    """
    if output.exists() and not output.is_dir():
        raise UsageError(f"{output} is a file; name a folder for the model")
    if not output.exists() or not any(output.iterdir()):
        return
    try:
        names = [name.partition("/")[0] for name in read_manifest(output)["files"]]
        is_model, model_files = True, {MANIFEST, *names}
    except UsageError:
        is_model, model_files = False, set()
    foreign = sorted(path.name for path in output.iterdir() if path.name not in model_files)
    if not is_model or foreign:
        shown = (foreign or [path.name for path in output.iterdir()])[0]
        raise UsageError(
            f"{output} holds files that are no model's ({shown}); name another folder"
        )


def publish_folder(output: Path, write: Callable[[Path], None]) -> Path:
    """Write a folder as a whole or not at all, in place of a model that is there.

    A process that is killed at any moment leaves the old model or the new one: until the new one
    has its place the old one is where :func:`remix_study.load` looks, too.

    Raises:
        UsageError: As :func:`check_output`, or the folder cannot be written.
    """
    check_output(output)
    previous = previous_folder(output)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            dir=output.absolute().parent, prefix=f".{output.name}-", ignore_cleanup_errors=True
        ) as scratch:
            new = Path(scratch) / "new"
            new.mkdir()
            write(new)
            if output.exists():
                shutil.rmtree(previous, ignore_errors=True)
                os.replace(output, previous)
            try:
                os.replace(new, output)
            except OSError:
                if previous.exists() and not output.exists():
                    os.replace(previous, output)
                raise
            shutil.rmtree(previous, ignore_errors=True)
    except OSError as error:
        raise UsageError(f"{output}: cannot write the model ({error.strerror})") from error
    return output
