"""Configurations as Optuna holds them: suggested conditionally, and stored without a loss."""

from __future__ import annotations

import optuna
import pytest

from remix_study.study.algorithms import PlannedSampler, make_sampler
from remix_study.study.checks import check_study
from remix_study.study.configurations import configuration_of, grid_configurations
from remix_study.study.search_parameters import all_choices, distributions, suggest
from remix_study.study.tables import configuration_key
from remix_study.studyfile.parsing import parse_study

HEAD = '[study]\nname = "a"\n'
SEARCH = '[search]\nalgorithm = "random"\ntrials = 3\n'


def study_of(text, search=False):
    study = parse_study(f"{HEAD}{SEARCH * search}[search.space]\n{text}")
    check_study(study)
    return study


def suggested(text, count=60):
    """Configurations that Optuna's random sampler draws from a space."""
    study = study_of(text, search=True)
    optuna_study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    configurations = []
    for _ in range(count):
        trial = optuna_study.ask()
        parameters = suggest(trial, study.search)
        assert parameters == trial.params
        configuration_of(parameters, study.training, study.model)
        configurations.append(parameters)
    return configurations


@pytest.fixture(autouse=True, scope="module")
def _quiet():
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def test_alpha_is_suggested_only_where_something_is_mixed():
    configurations = suggested(
        'sampler = ["natural", "balanced", "smote"]\nmixing = ["none", "beta"]\n'
        "alpha = {low = 0.01, high = 1, log = true}"
    )
    for parameters in configurations:
        assert ("mixing" in parameters) == (parameters["sampler"] != "smote")
        assert ("alpha" in parameters) == (parameters.get("mixing") == "beta")
    # Each case was drawn, so that the assertions above can fail.
    kinds = {(parameters["sampler"], parameters.get("mixing")) for parameters in configurations}
    assert len(kinds) == 5


def test_alpha_belongs_to_named_strategies_that_mix():
    configurations = suggested('strategy = ["cost", "remix", "mixup"]\nalpha.remix = [0.1, 0.2]')
    for parameters in configurations:
        assert ("alpha" in parameters) == (parameters["strategy"] == "remix")
    assert {parameters["strategy"] for parameters in configurations} == {"cost", "remix", "mixup"}


def test_values_keep_their_types():
    configurations = suggested(
        "batch_size = {low = 8, high = 64, log = true}\nlearning_rate = {low = 1, high = 2}\n"
        'model.hidden = ["paper", [8, 4]]\nschedule = ["constant", "plateau"]'
    )
    for parameters in configurations:
        assert type(parameters["batch_size"]) is int
        assert type(parameters["learning_rate"]) is float
        assert parameters["model.hidden"] in ("paper", "[8, 4]")
        assert parameters["schedule"] in ("constant", "plateau")


GRIDS = {
    "strategies": "alpha.remix = [0, 0.1, 0.30000000000000004, 1e-9, 100]",
    "parts": 'sampler = ["natural", "smote"]\nmixing = ["none", "beta"]\nalpha = [0.7]',
    "settings": (
        'strategy = ["remix"]\nlearning_rate = [0.1, 1, 3.3333333333333335e-5]\n'
        "batch_size = [16, 32]\nmodel.hidden = [[8], [8, 4]]\nmodel.dropout = [0.1]\n"
        'schedule = ["constant"]'
    ),
}


@pytest.mark.parametrize("text", GRIDS.values(), ids=GRIDS)
def test_a_configuration_is_stored_without_a_loss(text, storage):
    space = study_of(text).search.space
    study = optuna.create_study(storage=storage, study_name="stored")
    planned = grid_configurations(space)
    for parameters in planned:
        study.sampler = PlannedSampler(parameters)
        study.tell(study.ask(distributions(parameters, space, all_choices())), 0.0)
    again = optuna.load_study(storage="sqlite:///x.db", study_name="stored")
    assert [configuration_key(t.params) for t in again.trials] == [
        configuration_key(p) for p in planned
    ]


def test_numbers_may_be_added_to_a_grid_that_has_begun():
    study = optuna.create_study()
    for values in ("[0.1, 0.2]", "[0.1, 0.2, 5]"):
        space = study_of(f'strategy = ["cost"]\nlearning_rate = {values}').search.space
        for parameters in grid_configurations(space):
            study.sampler = PlannedSampler(parameters)
            study.ask(distributions(parameters, space, all_choices()))
    assert [trial.params["learning_rate"] for trial in study.trials] == [0.1, 0.2, 0.1, 0.2, 5.0]


def test_an_algorithm_draws_by_seed_study_and_slot():
    def drawn(*seeds):
        study = optuna.create_study(sampler=make_sampler("random", *seeds))
        return suggest(study.ask(), study_of("learning_rate = {low = 1, high = 2}", True).search)

    assert drawn(1, "a/wine", 0) == drawn(1, "a/wine", 0)
    others = [drawn(2, "a/wine", 0), drawn(1, "b/wine", 0), drawn(1, "a/wine", 1)]
    rates = {parameters["learning_rate"] for parameters in [drawn(1, "a/wine", 0), *others]}
    assert len(rates) == 4
