"""Checks of keys that say how classes are balanced: a key that nothing uses is refused."""

from __future__ import annotations

from remix_study.batches.losses import CLASS_WEIGHTED
from remix_study.batches.samplers import RATIO_SAMPLERS
from remix_study.batches.strategies import DEFAULT_STRATEGIES, STRATEGIES
from remix_study.data.problems import Problem
from remix_study.errors import DataError, StudyFileError
from remix_study.studyfile.schema import Study
from remix_study.studyfile.search_space import SearchSpace


def check_class_weights(study: Study) -> None:
    """Refuse class weights that no method of a study uses.

    Raises:
        StudyFileError: Names the key.
    """
    losses = {estimator.loss for estimator in study.estimators}
    for part in (study, study.following):
        if part is not None:
            space = part.search.space
            names = () if space.parts else space.strategy or DEFAULT_STRATEGIES
            losses |= {STRATEGIES[name].loss for name in names}
            losses |= set(space.parts["loss"].values if "loss" in space.parts else ())
    for position, spec in enumerate(study.problems):
        if spec.class_weights and CLASS_WEIGHTED not in losses:
            raise StudyFileError(
                f"problems[{position}].class_weights: nothing here uses them; add strategy "
                f'"cost" or loss "{CLASS_WEIGHTED}" to search.space, or leave them out'
            )


def check_ratio_is_used(space: SearchSpace) -> None:
    """Refuse a ratio where no strategy of a space balances batches.

    Raises:
        StudyFileError: Names the key.
    """
    if space.ratio is None:
        return
    names = space.strategy or DEFAULT_STRATEGIES
    samplers = {STRATEGIES[name].sampler for name in names}
    if space.parts:
        samplers = set(space.parts["sampler"].values if "sampler" in space.parts else ())
    if samplers.isdisjoint(RATIO_SAMPLERS):
        raise StudyFileError(
            "search.space.ratio: nothing here balances batches; leave it out, or add a sampler "
            f"that does ({', '.join(RATIO_SAMPLERS)}) or a strategy with one, such as balance"
        )


def check_rare_classes(study: Study, problem: Problem) -> None:
    """Refuse keys that are about rare classes for a problem without any.

    Raises:
        DataError: Names the problem.
    """
    if study.rare_rows and not problem.minority:
        raise DataError(
            f"problem {problem.name}: study.rare_rows trains with fewer rows of the rare classes, "
            "and all are equally large; name them in minority"
        )
    spaces = [part.search.space for part in (study, study.following) if part is not None]
    if any(space.ratio is not None for space in spaces) and not problem.minority:
        raise DataError(
            f"problem {problem.name}: search.space.ratio is the share of the rare classes, and "
            "all are equally large; name them in minority"
        )
