"""Small searches of ``x.db`` in the current folder: their text, their trials, interrupted ones."""

from __future__ import annotations

import signal
from pathlib import Path

import optuna
from tiny_studies import tiny

from remix_study.study import runner
from remix_study.study.reporter import Reporter
from remix_study.studyfile.parsing import parse_study

DATABASE = Path("x.db")
URL = f"sqlite:///{DATABASE}"
MIXED = (
    'strategy = ["baseline", "remix"]\nalpha.remix = [0.0, 0.1]',
    'sampler = ["natural", "balanced", "smote"]\nmixing = ["none", "beta"]\n'
    "alpha = {low = 0.01, high = 1, log = true}\nlearning_rate = {low = 1e-4, high = 0.1}",
)
NUMBERS = (
    MIXED[0],
    'sampler = ["balanced"]\nmixing = ["beta"]\nalpha = {low = 0.05, high = 1.0}\n'
    "learning_rate = {low = 1e-4, high = 0.1}",
)
ONE = ('objectives = ["g_mean", "bbs"]', 'objectives = ["balanced_accuracy"]')


def text_of(algorithm: str, *changes, trials: int = 20, more: str = "", space=MIXED) -> str:
    head = f'[search]\nalgorithm = "{algorithm}"\ntrials = {trials}\n{more}\n[search.space]'
    return tiny(space, ("[search.space]", head), *changes)


def run(text: str, **options):
    return runner.run(parse_study(text, "tiny.toml"), storage=URL, **options)


def study(name: str = "tiny/wine"):
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.load_study(study_name=name, storage=URL)


def scored_trials(name: str = "tiny/wine") -> list[tuple[int, dict, list[float]]]:
    """(slot, parameters, values) of the COMPLETE and PRUNED trials, by slot."""
    states = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    trials = [
        (t.user_attrs["slot"], t.params, t.values) for t in study(name).get_trials(states=states)
    ]
    return sorted(trials, key=lambda trial: trial[0])


class InterruptingReporter(Reporter):
    """Interrupts the n-th trial after it has begun."""

    def __init__(self, count: int) -> None:
        self.remaining = count

    def trial(self, *_):
        self.remaining -= 1
        if self.remaining == 0:
            signal.raise_signal(signal.SIGINT)
