"""Checks of a study file that need data, batches, models or Optuna's algorithms."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from remix_study.batches.strategies import DEFAULT_STRATEGIES, takes_alpha
from remix_study.data.dataset import Dataset
from remix_study.errors import DataError, StudyFileError, UsageError, did_you_mean
from remix_study.models.building import check_input_shape
from remix_study.study.algorithms import PACKAGES, UNCONDITIONAL
from remix_study.study.balance_checks import check_class_weights, check_ratio_is_used
from remix_study.study.configurations import augmenting, configuration_of, grid_configurations
from remix_study.study.constraints import parse_constraint
from remix_study.study.fold_blocks import MIN_FOLDS
from remix_study.study.scoring import check_metrics
from remix_study.study.search_parameters import all_choices, any_alpha
from remix_study.studyfile.features import FEATURE_KEYS, Features
from remix_study.studyfile.model_options import BUILT_IN_AUGMENTATION, BUILT_IN_MODELS
from remix_study.studyfile.schema import Study
from remix_study.studyfile.search_space import Choice, Domain, Range, SearchSpace
from remix_study.studyfile.training_keys import DEPENDENT_KEYS
from remix_study.training.estimators import check_estimator

_INSTEAD = 'use "tpe"'


def check_study(study: Study) -> None:
    """Check a study file against the package, before any data are read.

    Raises:
        StudyFileError: An unknown metric, strategy or part, a training or model value out of
            range, values that contradict each other, or a key that has no effect.
    """
    try:
        _check_parts(study)
        _check_features(study)
        check_class_weights(study)
    except StudyFileError as error:
        raise StudyFileError(f"{study.source}: {error}") from error
    if study.following is not None:
        try:
            _check_parts(study.following)
            _check_baseline(study)
        except StudyFileError as error:
            text = str(error).replace("search.", "search.then.", 1)
            raise StudyFileError(f"{study.source}: {text}") from error


def _check_parts(study: Study) -> None:
    try:
        _check_names(study)
        check_metrics(study)
        _check_alpha(study.search.space, grid=study.search.algorithm == "grid")
        _check_values(study)
        check_ratio_is_used(study.search.space)
        for estimator in study.estimators:
            check_estimator(
                estimator,
                allow_plugins=study.allow_plugins,
                has_row_weights=any(spec.weights is not None for spec in study.problems),
            )
        if study.search.algorithm != "grid":
            _check_search(study)
    except UsageError as error:
        raise StudyFileError(f"search.space: {error}") from error


def _check_baseline(study: Study) -> None:
    """Refuse bounds relative to a baseline that the grid before the search does not train."""
    space, advice = study.search.space, "add it to search.space.strategy"
    if space.parts:
        advice = "name strategies in search.space in place of parts, baseline among them"
    if space.settings:
        varied = next(iter(space.settings))
        advice = f"search.space would have one for each {varied}; write the bound as a number"
    for text in study.then.constraints if study.then else ():
        is_there = {"strategy": "baseline"} in grid_configurations(space)
        if parse_constraint(text).relative and not is_there:
            raise StudyFileError(f'search.constraints: "{text}" needs the baseline; {advice}')


def _check_features(study: Study) -> None:
    """Refuse keys of encodings where no column is encoded."""
    features, searches = study.model.features, [study.search, *filter(None, [study.then])]
    varied = {key for search in searches for key in search.space.settings}
    written = [k for k in ("bins", "mix") if getattr(features, k) != getattr(Features(), k)]
    keys = [f"features.{k}" for k in written] + [f"search.space.{k}" for k in sorted(varied)]
    keys = [key for key in keys if key.endswith(FEATURE_KEYS)]
    if keys and features.numeric == "standard" and "features.numeric" not in varied:
        raise StudyFileError(
            f"{keys[0]}: has no effect on standardised columns; set features.numeric, or leave it "
            "out"
        )


def _check_names(study: Study) -> None:
    if not study.allow_plugins:
        _check_built_in("model", study.model.name, list(BUILT_IN_MODELS))
        _check_built_in("augmentation", study.augmentation.name, [BUILT_IN_AUGMENTATION])
    space, choices = study.search.space, all_choices()
    for key, kind, names, known_names in (
        ("search.space.strategy", "strategy", space.strategy, choices["strategy"]),
        *((f"search.space.{p}", p, c.values, choices[p]) for p, c in space.parts.items()),
    ):
        for name in names:
            if name not in known_names:
                raise StudyFileError(f'{key}: no {kind} "{name}"{did_you_mean(name, known_names)}')


def _check_built_in(section: str, name: str, built_in: Sequence[str]) -> None:
    """Refuse a model or an augmentation that is not built in."""
    if name not in built_in:
        raise StudyFileError(
            f'{section}.name: "{name}" would run code of its own, which --no-plugins forbids; '
            f'write "{built_in[0]}", or leave --no-plugins out'
        )


def check_kind(study: Study, dataset: Dataset) -> None:
    """Refuse a network or strategies for the other kind of data: tables or images.

    Raises:
        DataError: Names the data set and what to write.
    """
    try:
        check_input_shape(study.model.name, dataset.row_shape)
    except UsageError as error:
        raise DataError(f"data set {dataset.name}: {error}") from error
    searches = [study.search, *([study.then] if study.then else [])]
    names = list(dict.fromkeys(name for search in searches for name in augmenting(search.space)))
    varied = {key for search in searches for key in search.space.settings}
    if dataset.has_images and (study.model.features != Features() or varied & set(FEATURE_KEYS)):
        raise DataError(
            f"data set {dataset.name} holds images, which have no columns to encode; leave "
            "[features] and features.* of search.space out"
        )
    if names and not dataset.has_images:
        raise DataError(
            f"data set {dataset.name} is a table, and {' and '.join(names)} turn and shift "
            "images; leave them out of search.space.strategy"
        )


def _check_alpha(space: SearchSpace, *, grid: bool) -> None:
    """Refuse alpha where nothing is mixed, and values that a search cannot hold together."""
    if space.parts:
        mixed = set(space.parts.get("mixing", Choice(())).values) - {"none"}
        mixing, known_names = [""] if mixed else [], []
    else:
        known_names = list(space.strategy or DEFAULT_STRATEGIES)
        mixing = [name for name in known_names if takes_alpha(name)]
    for name in filter(None, space.alpha):
        where = f"search.space.alpha.{name}"
        if name not in known_names:
            reason = (
                "a space of parts has no named strategies"
                if space.parts
                else "search.space.strategy does not name it"
            )
            raise StudyFileError(f"{where}: {reason}{did_you_mean(name, mixing)}")
        if name not in mixing:
            raise StudyFileError(f"{where}: {name} mixes nothing; leave it out")
    if space.alpha and not mixing:
        raise StudyFileError("search.space.alpha: nothing here is mixed; leave it out")
    if grid:
        if not grid_configurations(space):
            raise StudyFileError(
                "search.space: no configuration is left, as smote is not mixed; add another "
                'sampler, or "none" to mixing'
            )
        return
    shapes = {_shape(space.alpha_of(name)) for name in mixing} - {None}
    if len(shapes) > 1:
        raise StudyFileError(
            "search.space.alpha: a search needs the same list for every strategy, or ranges that "
            "are all log or all not"
        )


def _shape(domain: Domain | None) -> Any:
    """What Optuna requires to be equal wherever a parameter is suggested."""
    return domain.log if isinstance(domain, Range) else domain


def _check_values(study: Study) -> None:
    """Refuse bounds and listed values that the study file itself could not give."""
    ends = {name: values_to_check(domain) for name, domain in study.search.space.settings.items()}
    tied = {name: ends[name] for name in DEPENDENT_KEYS if name in ends}
    # Of numbers the smallest and the largest contradict others if any do.
    extremes = [v if isinstance(v[0], str) else (min(v), max(v)) for v in tied.values()]
    cases = [dict(zip(tied, values, strict=True)) for values in itertools.product(*extremes)]
    for name, values in ends.items():
        cases += [(cases[0] if name in tied else {}) | {name: value} for value in values]
    for case, training in itertools.product(cases, {spec.training for spec in study.problems}):
        configuration_of(case, training, study.model)


def values_to_check(domain: Domain) -> tuple[Any, ...]:
    """The values of a list, or the ends of a range."""
    if isinstance(domain, Choice):
        return domain.values
    ends = (domain.low, domain.high)
    return tuple(int(end) for end in ends) if domain.integer else ends


def check_batch_size(space: SearchSpace, batch_size: int, rows: int, problem: str) -> None:
    """Refuse batches that the training rows of a fold do not fill.

    Args:
        space: May vary the batch size.
        batch_size: The size where it does not.
        rows: Training rows of the smallest fold.
        problem: Its name.
    """
    largest, source = batch_size, ""
    if domain := space.settings.get("batch_size"):
        largest, source = max(values_to_check(domain)), " of search.space"
    if largest > rows:
        raise StudyFileError(
            f"batch_size: {largest}{source} exceeds the {rows} training rows of a fold of "
            f"{problem}; lower it"
        )


def _check_search(study: Study) -> None:
    """Refuse what a search's algorithm cannot do, and an algorithm without its package."""
    search = study.search
    texts = [parse_constraint(text).text for text in search.constraints]
    if len(set(texts)) < len(texts):
        raise StudyFileError("search.constraints: one is there twice; leave one out")
    if search.outer and study.cv.redraw:
        raise StudyFileError(
            "search.outer: rows that are drawn anew for every repeat have no outer folds; leave "
            "it or cv.redraw out"
        )
    _check_prune(study)
    if search.algorithm in UNCONDITIONAL:
        _check_one_alpha(search.algorithm, search.space)
    if search.algorithm == "cmaes":
        _check_cmaes(study)
    package = PACKAGES.get(search.algorithm)
    if package and find_spec(package) is None:
        raise StudyFileError(
            f'search.algorithm: "{search.algorithm}" needs {package}, which is not installed; '
            f'pip install "remix-study[{search.algorithm}]"'
        )


def _check_prune(study: Study) -> None:
    if not study.search.prune:
        return
    if len(study.objectives) > 1:
        raise StudyFileError(
            "search.prune: needs one objective; of several, none alone decides what is pruned"
        )
    folds = study.cv.folds * study.cv.repeats
    if study.cv.repeats < 2 or folds < 2 * MIN_FOLDS:
        raise StudyFileError(
            f"search.prune: needs cv.repeats of 2 or more and {2 * MIN_FOLDS} folds in all, to "
            f"stop between two blocks (found {folds})"
        )


def _check_one_alpha(algorithm: str, space: SearchSpace) -> None:
    if space.parts:
        return
    mixing = [name for name in space.strategy or DEFAULT_STRATEGIES if takes_alpha(name)]
    if len({space.alpha_of(name) for name in mixing} - {None}) > 1:
        raise StudyFileError(
            f'search.space.alpha: "{algorithm}" needs the same alpha for every strategy, or '
            f"{_INSTEAD}"
        )


def _check_cmaes(study: Study) -> None:
    """Refuse what CMA-ES cannot search: names, constraints, several objectives, one range."""
    space = study.search.space
    if len(study.objectives) > 1:
        raise StudyFileError(f'search.algorithm: "cmaes" takes one objective only; {_INSTEAD}')
    if study.search.constraints:
        raise StudyFileError(f'search.constraints: "cmaes" ignores them; {_INSTEAD}')
    if not space.parts and len(space.strategy) != 1:
        raise StudyFileError(
            f'search.space.strategy: "cmaes" chooses numbers only; name one, or {_INSTEAD}'
        )
    domains = {**space.parts, "alpha": any_alpha(space), **space.settings, "ratio": space.ratio}
    ranges = [name for name, domain in domains.items() if isinstance(domain, Range)]
    for name, domain in domains.items():
        if isinstance(domain, Choice) and len(domain.values) > 1:
            raise StudyFileError(
                f'search.space.{name}: "cmaes" chooses numbers only; give one value or a range '
                f"{{low, high}}, or {_INSTEAD}"
            )
    if len(ranges) < 2:
        raise StudyFileError(f'search.space: "cmaes" needs two ranges or more; {_INSTEAD}')
