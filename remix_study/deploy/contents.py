"""What the files of a model's folder say of it: features, answers, how it was trained."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from remix_study.data.known_columns import number_columns
from remix_study.data.preprocessing import CLIP
from remix_study.deploy.choice import Choice
from remix_study.deploy.network_export import feature_order
from remix_study.deploy.records import Answers, FeatureFile, ModelFeature, Recipe
from remix_study.deploy.refit import Refit
from remix_study.errors import UsageError
from remix_study.results.aims import aim_of
from remix_study.results.forms import Form
from remix_study.results.probabilities import study_class_weights
from remix_study.studyfile.given_split import GivenSplit
from remix_study.studyfile.schema import ProblemSpec
from remix_study.training.members import far_origin

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
        problem=_without_data(task.study.problems[0], imbalance),
        parameters=dict(choice.form.method.parameters),
        training={"stop": training.stop, "epochs": training.epochs},
        label=choice.form.label,
        is_decided=choice.is_decided,
        n_train=round(folds["n_train"].mean()),
        classes=problem.dataset.classes,
        shares=tuple(refit.natural_shares.tolist()),
        tilt=_tilt_of(choice.form),
    )


def _without_data(spec: ProblemSpec, imbalance: tuple[float, ...]) -> ProblemSpec:
    """A problem of one ratio, without what names its data: another table may take their place."""
    split = GivenSplit() if spec.split.test_file else spec.split
    names = dict.fromkeys(("dataset", "file", "images", "sql", "query"))
    return msgspec.structs.replace(spec, **names, files=(), split=split, imbalance=imbalance)
