"""Checks of a study file that need data, batches, models or Optuna's algorithms."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from remix_study.batches.strategies import DEFAULT_STRATEGIES, STRATEGIES, takes_alpha
from remix_study.data.dataset import Dataset
from remix_study.errors import DataError, StudyFileError, UsageError, did_you_mean
from remix_study.metrics import EXTRA_METRICS, METRICS
from remix_study.models.building import check_input_shape
from remix_study.study.configurations import configuration_of, grid_configurations
from remix_study.study.optuna_parameters import all_choices
from remix_study.study.search_checks import check_search
from remix_study.studyfile.model_options import BUILT_IN_AUGMENTATION, BUILT_IN_MODELS
from remix_study.studyfile.parsing import DEPENDENT_KEYS
from remix_study.studyfile.schema import Study
from remix_study.studyfile.search_space import Choice, Domain, Range, SearchSpace


def check_study(study: Study) -> None:
    """Check a study file against the package, before any data are read.

    Raises:
        StudyFileError: An unknown metric, strategy or part, a training or model value out of
            range, values that contradict each other, or a key that has no effect.
    """
    try:
        _check_names(study)
        _check_alpha(study.search.space, grid=study.search.algorithm == "grid")
        _check_values(study)
        check_search(study)
    except UsageError as error:
        raise StudyFileError(f"{study.source}: search.space: {error}") from error
    except StudyFileError as error:
        raise StudyFileError(f"{study.source}: {error}") from error


def _check_names(study: Study) -> None:
    if not study.allow_plugins:
        _check_built_in("model", study.model.name, list(BUILT_IN_MODELS))
        _check_built_in("augmentation", study.augmentation.name, [BUILT_IN_AUGMENTATION])
    for name in study.objectives:
        if name not in METRICS:
            raise StudyFileError(
                f'study.objectives: no metric "{name}"{did_you_mean(name, METRICS)}'
            )
    for name in study.extra_metrics:
        if name not in EXTRA_METRICS:
            raise StudyFileError(
                f'study.extra_metrics: no extra metric "{name}"{did_you_mean(name, EXTRA_METRICS)}'
            )
    space = study.search.space
    used = {"strategy": space.strategy, **{p: c.values for p, c in space.parts.items()}}
    for part, names in used.items():
        known_names = all_choices()[part]
        for name in names:
            if name not in known_names:
                raise StudyFileError(
                    f'search.space.{part}: no {part} "{name}"{did_you_mean(name, known_names)}'
                )


def _check_built_in(section: str, name: str, built_in: Sequence[str]) -> None:
    """Refuse a model or an augmentation that is not built in."""
    if name not in built_in:
        raise StudyFileError(
            f'{section}.name: "{name}" would run code of its own, which --no-plugins forbids; '
            f'write "{built_in[0]}", or leave --no-plugins out'
        )


def augmenting(space: SearchSpace) -> list[str]:
    """The strategies of a space that augment images."""
    return [name for name in space.strategy if name in STRATEGIES and STRATEGIES[name].augment]


def check_kind(study: Study, dataset: Dataset) -> None:
    """Refuse a network or strategies for the other kind of data: tables or images.

    Raises:
        DataError: Names the data set and what to write.
    """
    try:
        check_input_shape(study.model.name, dataset.row_shape)
    except UsageError as error:
        raise DataError(f"data set {dataset.name}: {error}") from error
    names = augmenting(study.search.space)
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
    ends = {name: _values_to_check(domain) for name, domain in study.search.space.settings.items()}
    tied = [[(name, value) for value in ends[name]] for name in DEPENDENT_KEYS if name in ends]
    cases = [dict(case) for case in itertools.product(*tied)]
    cases += [{name: value} for name in ends if name not in DEPENDENT_KEYS for value in ends[name]]
    for case in cases:
        for training in {spec.training for spec in study.problems}:
            configuration_of(case, training, study.model)


def _values_to_check(domain: Domain) -> tuple[Any, ...]:
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

    Raises:
        StudyFileError: Batches are larger.
    """
    largest, source = batch_size, ""
    if domain := space.settings.get("batch_size"):
        largest, source = max(_values_to_check(domain)), " of search.space"
    if largest > rows:
        raise StudyFileError(
            f"batch_size: {largest}{source} exceeds the {rows} training rows of a fold of "
            f"{problem}; lower it"
        )
