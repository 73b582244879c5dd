"""Beginning a trial: planned parameters are written down, those of a search come from Optuna."""

from __future__ import annotations

from optuna.trial import Trial, TrialState, create_trial

from remix_study.study.algorithms import UNCONDITIONAL, FirstSampler, PlannedSampler, make_sampler
from remix_study.study.configurations import Parameters
from remix_study.study.finish_trial import fail_trial
from remix_study.study.optuna_parameters import distributions, suggest
from remix_study.study.trial_status import ASKED_FOR, NOT_FIRST
from remix_study.study.trials import Trials


def start_trial(trials: Trials, key: str) -> Trial:
    """Begin the trial of a leased configuration; a search's parameters are suggested later."""
    slot = trials.slot(key)
    return _start_planned(trials, key) if slot is None else _start_slot(trials, slot)


def suggest_parameters(trials: Trials, trial: Trial, key: str) -> Parameters:
    """Parameters of an open trial; for a search Optuna chooses them now."""
    if key in trials.planned:
        return trials.planned[key]
    search = trials.task.study.search
    return suggest(trial, search.space, everything=search.algorithm in UNCONDITIONAL)


def _start_planned(trials: Trials, key: str) -> Trial:
    """Begin a trial with all its parameters at once; Optuna's ``ask`` takes a transaction each."""
    study, parameters = trials.registered.optuna, trials.planned[key]
    study.sampler = PlannedSampler(parameters)
    fixed = distributions(parameters, trials.task.study.search.space, trials.registered.choices)
    running = create_trial(state=TrialState.RUNNING, params=parameters, distributions=fixed)
    return Trial(study, trials.storage.create_new_trial(study._study_id, running))


def _start_slot(trials: Trials, slot: int) -> Trial:
    study, search = trials.registered.optuna, trials.task.study.search
    algorithm = make_sampler(search.algorithm, trials.task.study.seed, trials.task.name, slot)
    parameters = trials.fixed.get(slot)
    if parameters is None:
        study.sampler = algorithm
    elif trials.task.role == "outer":
        study.sampler = PlannedSampler(parameters)
    else:
        study.sampler = FirstSampler(parameters, algorithm)
    while _is_enqueued(trial := study.ask()) and parameters is not None:
        # A person enqueued it; Optuna hands out such trials first.
        fail_trial(trials.storage, trial._trial_id, NOT_FIRST)
    trial.set_user_attr(ASKED_FOR, slot)
    return trial


def _is_enqueued(trial: Trial) -> bool:
    return "fixed_params" in trial._cached_frozen_trial.system_attrs
