"""Checks of a search against the abilities of its algorithm."""

from __future__ import annotations

from importlib.util import find_spec

from remix_study.batches.strategies import DEFAULT_STRATEGIES, takes_alpha
from remix_study.errors import StudyFileError
from remix_study.study.algorithms import PACKAGES, UNCONDITIONAL
from remix_study.study.constraints import parse_constraint
from remix_study.study.optuna_parameters import any_alpha
from remix_study.study.program_stack import MIN_FOLDS
from remix_study.studyfile.schema import Study
from remix_study.studyfile.search_space import Range, SearchSpace

_INSTEAD = 'use "tpe"'


def check_search(study: Study) -> None:
    """Check an algorithm, its package, constraints and pruning.

    Raises:
        StudyFileError: Something that the algorithm cannot do, or a package that it needs.
    """
    search = study.search
    if search.algorithm == "grid":
        return
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
    alpha = any_alpha(space)
    domains = {**space.parts, **({"alpha": alpha} if alpha else {}), **space.settings}
    ranges = [name for name, domain in domains.items() if isinstance(domain, Range)]
    for name, domain in domains.items():
        if not isinstance(domain, Range) and len(domain.values) > 1:
            raise StudyFileError(
                f'search.space.{name}: "cmaes" chooses numbers only; give one value or a range '
                f"{{low, high}}, or {_INSTEAD}"
            )
    if len(ranges) < 2:
        raise StudyFileError(f'search.space: "cmaes" needs two ranges or more; {_INSTEAD}')
