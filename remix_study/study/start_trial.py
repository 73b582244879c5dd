"""Beginning a trial: a point of a grid is laid down, a slot of a search is asked of Optuna."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remix_study.study.algorithms import UNCONDITIONAL, FirstSampler, PlannedSampler, make_sampler
from remix_study.study.configurations import Parameters
from remix_study.study.finish_trial import fail
from remix_study.study.optuna_parameters import distributions, suggest
from remix_study.study.trial_status import ASKED_FOR, NOT_FIRST
from remix_study.study.trials import Trials

if TYPE_CHECKING:
    from optuna.trial import Trial


def ask(trials: Trials, point: str) -> Trial:
    """Begin the trial of a claimed point; a search's parameters are yet to be suggested."""
    slot = trials.slot(point)
    return _ask_planned(trials, point) if slot is None else _ask_slot(trials, slot)


def suggested(trials: Trials, trial: Trial, point: str) -> Parameters:
    """What a trial is to train; for a search Optuna chooses it now."""
    if point in trials.planned:
        return trials.planned[point]
    search = trials.task.study.search
    return suggest(trial, search.space, everything=search.algorithm in UNCONDITIONAL)


def _ask_planned(trials: Trials, point: str) -> Trial:
    """Begin a trial with all its parameters at once; Optuna's ``ask`` takes a transaction each."""
    from optuna.trial import Trial, TrialState, create_trial

    study, parameters = trials.entry.optuna, trials.planned[point]
    study.sampler = PlannedSampler(parameters)
    fixed = distributions(parameters, trials.task.study.search.space, trials.entry.choices)
    begun = create_trial(state=TrialState.RUNNING, params=parameters, distributions=fixed)
    return Trial(study, trials.storage.create_new_trial(study._study_id, begun))


def _ask_slot(trials: Trials, slot: int) -> Trial:
    study, search = trials.entry.optuna, trials.task.study.search
    algorithm = make_sampler(search.algorithm, trials.task.study.seed, trials.task.name, slot)
    fixed = trials.given.get(slot)
    if fixed is None:
        study.sampler = algorithm
    elif trials.task.role == "outer":
        study.sampler = PlannedSampler(fixed)
    else:
        study.sampler = FirstSampler(fixed, algorithm)
    while _enqueued(trial := study.ask()) and fixed is not None:
        # By hand; Optuna gives out such trials first.
        fail(trials.storage, trial._trial_id, NOT_FIRST)
    trial.set_user_attr(ASKED_FOR, slot)
    return trial


def _enqueued(trial: Trial) -> bool:
    return "fixed_params" in trial._cached_frozen_trial.system_attrs
