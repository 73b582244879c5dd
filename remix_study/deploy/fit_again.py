"""From a model and a new table to a model: the same method, trained on the new rows alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from remix_study.data.dataset import Dataset
from remix_study.data.known_columns import KnownTable
from remix_study.data.problem_data import load_problem_data
from remix_study.deploy.card import Card
from remix_study.deploy.contents import feature_file, moved_shares
from remix_study.deploy.drift import drift_of
from remix_study.deploy.loading import load
from remix_study.deploy.model_folder import check_output, write_folder
from remix_study.deploy.network_forms import check_export
from remix_study.deploy.records import MANIFEST, Answers, Recipe
from remix_study.deploy.refit import Refit, train
from remix_study.deploy.saved_model import SavedModel
from remix_study.errors import DataError, RemixStudyError, UsageError, join_names
from remix_study.models.custom import add_plugin_folder
from remix_study.study.fingerprint import problem_facts
from remix_study.study.task import Task
from remix_study.study.task_preparation import prepare_tasks
from remix_study.studyfile.parsing import parse_study
from remix_study.studyfile.schema import Study
from remix_study.studyfile.table_format import ClassChoice
from remix_study.training.backend import hidden_stderr, load_networks


def fit_again(
    model_folder: Path,
    data: Path,
    output: Path,
    *,
    export: str | None = None,
    allow_plugins: bool = True,
    command: str = "",
) -> Card:
    """Train the method of a model on a new table, and write its folder.

    Its threshold stays; what depends on class shares is computed for those of the new rows.

    Args:
        model_folder: A model that ``fit`` wrote.
        data: A table with the columns that the model's had, the label among them.
        output: The folder to write; it may be the model's.
        export: A further form of a network.
        allow_plugins: Whether code of the user's own may be imported.
        command: The command line, for the manifest.

    Raises:
        DataError: The table, or a column or class that is not the model's.
        UsageError: A folder that cannot be used, or a failed training.
    """
    check_output(output)
    model = load(model_folder)
    history = _history(model)
    recipe, form = history.recipe, history.form
    study = parse_study(history.file.text, f"{history.study}.toml")
    if allow_plugins:
        add_plugin_folder(study)
    else:
        study = study.without_plugins()
    with hidden_stderr():
        load_networks()
    if export:
        check_export(export, history.method, is_network=model.is_network)
    table = _table(study, model, recipe, data)
    _check_columns(data, model.features.table, table.table or KnownTable(()))
    problem = recipe.problem
    _check_classes(data, load_problem_data(study, problem, table).classes, recipe)
    try:
        (task,) = prepare_tasks(msgspec.structs.replace(study, problems=(problem,)), table)
    except RemixStudyError as error:
        raise DataError(
            f"{data}: its rows cannot take the place of the model's ({error}); give more of them, "
            "or run a study on this table"
        ) from error
    _check_rare(data, model, task)
    trained = _train(task, recipe)
    natural = trained.natural_shares
    later = msgspec.structs.replace(recipe, shares=tuple(natural.tolist()))
    drift = drift_of(
        dict(zip(model.classes, recipe.shares, strict=True)),
        dict(zip(model.classes, natural.tolist(), strict=True)),
        model.features,
        feature_file(trained),
        (mark for frame in model.frames(data) for mark in frame["mark"]),
    )
    card = Card(
        trained,
        _answers(trained, model.answers, recipe, form),
        later,
        history.method,
        _info(task),
        history.scores,
        drift,
    )
    write_folder(card, form, output, command=command, export=export)
    return card


class _Text(Struct, frozen=True):
    text: str


class _History(Struct, frozen=True):
    """What the manifest says of how a model was made: keys of its own and of a run's."""

    study: str
    method: str
    form: str
    file: _Text
    data: dict[str, Any]
    scores: dict[str, Any]
    recipe: Recipe


def _history(model: SavedModel) -> _History:
    """How a model was trained.

    Raises:
        UsageError: The model does not say so, or is of images.
    """
    if model.features.images:
        raise UsageError(f"{model.folder}: a model of images; run its study on the new images")
    if "recipe" not in model.manifest:
        raise UsageError(
            f"{model.folder}: written by an earlier version, which did not note how it was "
            "trained; fit it again from its study"
        )
    try:
        return msgspec.convert(model.manifest, _History)
    except msgspec.ValidationError as error:
        raise UsageError(
            f"{model.folder / MANIFEST}: damaged, or of a later version ({error}); fit the model "
            "again from its study"
        ) from None


def _table(study: Study, model: SavedModel, recipe: Recipe, data: Path) -> Dataset:
    """The new table, read as the model's was."""
    table, spec = model.features.table, recipe.problem
    label = table.label if spec.label is None else spec.label
    if label == "":
        raise UsageError(
            f"{model.folder}: learned from the data set {model.manifest['data']['name']}, which "
            "is no table of yours; run its study on the new table"
        )
    file = str(data.absolute())
    spec = msgspec.structs.replace(spec, file=file, label=label, classes=ClassChoice())
    return load_problem_data(study, spec, None)


def _check_columns(data: Path, before: KnownTable, now: KnownTable) -> None:
    """Refuse a table with other columns than the model's, or columns of another kind."""
    earlier, later = ({c.name: c.kind for c in table.columns} for table in (before, now))
    lacking = [name for name in earlier if name not in later]
    unknown = [name for name in later if name not in earlier]
    for names, reason in ((lacking, "is missing"), (unknown, "is not the model's; leave it out")):
        if names:
            several = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise DataError(f'{data}: column "{names[0]}"{several} {reason}')
    for name, kind in earlier.items():
        if later[name] != kind:
            raise DataError(
                f'{data}: column "{name}" is of the kind {later[name]}, and the model has it as '
                f"{kind}; correct it, or run the study on this table"
            )


def _check_classes(data: Path, classes: tuple[str, ...], recipe: Recipe) -> None:
    """Refuse a table with other classes than the model's."""
    differing = sorted({*classes} ^ {*recipe.classes})
    if differing:
        fault = "the model does not have" if differing[0] in classes else "the table lacks"
        raise DataError(
            f'{data}: class "{differing[0]}", which {fault}; the model has '
            f"{join_names(recipe.classes, 8)}: run the study on this table"
        )


def _check_rare(data: Path, model: SavedModel, task: Task) -> None:
    """Refuse a table whose rare classes, or whose order of classes, are not the model's."""
    problem, before = task.problem, model.answers.rare
    rare = tuple(problem.classes[code] for code in problem.minority)
    if problem.classes != model.classes or rare != before:
        rare_now, rare_before = join_names(rare) or "no class", join_names(before) or "none"
        raise DataError(
            f"{data}: rare is {rare_now} here and {rare_before} of the model: run a study on this "
            "table that names it by minority"
        )


def _train(task: Task, recipe: Recipe) -> Refit:
    configuration = task.configuration(recipe.parameters)
    training = msgspec.structs.replace(configuration.training, **recipe.training)
    return train(task, replace(configuration, training=training))


def _answers(trained: Refit, before: Answers, recipe: Recipe, form: str) -> Answers:
    """The answers of the model, by the class shares of what was trained now."""
    natural, problem = trained.natural_shares, trained.problem
    changes: dict[str, Any] = {}
    if before.divide_by is not None:
        weights = None if problem.class_weights is None else problem.class_weights.tolist()
        prior = trained.prior(trained.configuration.strategy.loss, weights)
        changes["divide_by"], changes["multiply_by"] = moved_shares(prior, natural, form)
    if before.decide_by is not None and recipe.tilt is not None:
        changes["decide_by"] = tuple((natural**recipe.tilt).tolist())
    return msgspec.structs.replace(before, **changes)


def _info(task: Task) -> Mapping[str, Any]:
    """What a card says of the problem, of the new rows."""
    facts, problem = problem_facts(task), task.problem
    counts = dict(zip(problem.classes, facts["counts"], strict=True))
    ratio = math.nan if facts["imbalance"] is None else facts["imbalance"]
    return facts | {"study": task.study.name, "counts": counts, "imbalance": ratio}
