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

import msgspec
import numpy as np
from numpy.typing import NDArray

from remix_study.data.known_columns import number_columns
from remix_study.data.preprocessing import CLIP
from remix_study.deploy.card import Card, card_html, card_markdown, make_card
from remix_study.deploy.choice import Choice
from remix_study.deploy.estimator_file import save_estimator
from remix_study.deploy.network_export import export_network, feature_order
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
    Answers,
    FeatureFile,
    ModelFeature,
    Recipe,
    as_json,
)
from remix_study.deploy.refit import Refit
from remix_study.deploy.saved_model import SavedModel, load, previous_folder
from remix_study.errors import UsageError
from remix_study.results.aims import aim_of
from remix_study.results.forms import Form
from remix_study.results.probabilities import study_class_weights
from remix_study.study.record import manifest
from remix_study.training.members import far_origin

# Largest difference between probabilities of the saved model and of training, in float32.
_TOLERANCE = 1e-4
# Rows that both are compared on.
_COMPARED = 4096
_QUANTITIES = ("number", "date", "duration")


def feature_file(refit: Refit) -> FeatureFile:
    """How rows of the data become what the trained model takes."""
    problem, task = refit.problem, refit.task
    dataset, prepared = problem.dataset, refit.task.members.preprocessing
    if prepared is None:
        return FeatureFile(images=dataset.row_shape)
    X = np.asarray(problem.X[refit.fold.test], np.float64)
    table = dataset.table or number_columns(dataset.features)
    quantities = {
        name for column in table.columns if column.kind in _QUANTITIES for name in column.features
    }
    estimator = refit.configuration.estimator
    encoder = task.members.encoder(refit.configuration.model.features) if not estimator else None
    fill, origin, scale = prepared.fill[0], far_origin(X), np.ones(X.shape[1])
    missing: list[float | None] = fill.tolist()
    if estimator:
        is_raw = estimator.rows == "raw"
        missing = [None] * len(missing) if is_raw else missing
        origin = np.zeros(X.shape[1]) if is_raw else prepared.centre[0]
        scale = scale if is_raw else prepared.scale[0]
    low, high = np.fmin.reduce(X, axis=0), np.fmax.reduce(X, axis=0)
    features = []
    for place in feature_order(encoder, X.shape[1]):
        name = dataset.features[place]
        has_range = name in quantities and np.isfinite(low[place])
        bounds = {"low": float(low[place]), "high": float(high[place])} if has_range else {}
        scaling = {"origin": float(origin[place]), "scale": float(scale[place])}
        features.append(ModelFeature(name, missing[place], **scaling, **bounds))
    is_prepared = estimator is not None and estimator.rows != "raw"
    return FeatureFile(
        table=table,
        features=tuple(features),
        clip=CLIP if is_prepared else None,
        dtype="float64" if estimator and not is_prepared else "float32",
    )


def answers_of(refit: Refit, choice: Choice) -> Answers:
    """How the chosen form makes answers of the model's outputs.

    Raises:
        UsageError: The database lacks what the form needs.
    """
    form, info, problem = choice.form, choice.comparison.info, refit.problem
    aim, shares = aim_of(info), refit.natural_shares
    rule: Any = "largest" if aim.costs is None else "least cost"
    source = target = decide_by = threshold = None
    if form.name in ("equal shares", "natural shares"):
        prior = refit.prior(form.method.loss, study_class_weights(info))
        source, target = moved_shares(prior, shares, form.name)
    if form.name == "threshold":
        rule = "threshold" if problem.K == 2 else "divided"
    if problem.K == 2:
        threshold = aim.usual_threshold if form.threshold is None else form.threshold
    elif rule == "divided":
        tilt = _tilt_of(form)
        if tilt is None:
            raise UsageError(
                f"{choice.comparison.name}: the database holds no probabilities, from which the "
                "decision rule of its classes comes; name the database that the study ran in"
            )
        decide_by = tuple((shares**tilt).tolist())
    return Answers(
        classes=problem.classes,
        rare=tuple(problem.classes[code] for code in problem.minority),
        prior=form.prior,
        divide_by=source,
        multiply_by=target,
        rule=rule,
        threshold=threshold,
        decide_by=decide_by,
        costs=None if aim.costs is None else tuple(map(tuple, aim.costs.tolist())),
    )


def moved_shares(
    prior: NDArray[np.float64], natural: NDArray[np.float64], form: str
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Class shares that outputs are divided by, and those that they are multiplied by.

    Args:
        prior: (K,) shares that the outputs are for.
        natural: (K,) shares of the training rows.
        form: ``equal shares`` or ``natural shares``.
    """
    target = np.full(len(prior), 1 / len(prior)) if form == "equal shares" else natural
    return tuple(prior.tolist()), tuple(target.tolist())


def _tilt_of(form: Form) -> float | None:
    """The median over folds of the tilt that validation rows chose; None without one."""
    return float(np.median([*form.tilts.values()])) if form.tilts else None


def recipe_of(refit: Refit, choice: Choice) -> Recipe:
    """How a model was trained, so that the same can be done with new rows."""
    task, training = refit.task, refit.configuration.training
    problem, ratio = refit.problem, refit.problem.imbalance
    imbalance = () if ratio is None else (ratio,)
    folds = choice.comparison.trained_folds(choice.form.method)
    return Recipe(
        problem=msgspec.structs.replace(task.study.problems[0], imbalance=imbalance),
        parameters=dict(choice.form.method.parameters),
        training={"stop": training.stop, "epochs": training.epochs},
        label=choice.form.label,
        is_decided=choice.is_decided,
        n_train=round(folds["n_train"].mean()),
        classes=problem.dataset.classes,
        shares=tuple(refit.natural_shares.tolist()),
        tilt=_tilt_of(choice.form),
    )


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
        facts = msgspec.json.decode((output / MANIFEST).read_bytes())
        is_model = facts["made_by"] == MARK
        model_files = {MANIFEST, *(name.partition("/")[0] for name in facts["files"])}
    except (OSError, msgspec.MsgspecError, KeyError, TypeError):
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
