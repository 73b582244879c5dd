"""The best methods with fewer rare rows: chosen by validation, trained after all else, resumed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_studies import assert_clean, query, tiny

from remix_study.cli.main import main
from remix_study.errors import DataError, StudyFileError
from remix_study.results.comparison import comparisons
from remix_study.results.frames import load_frames
from remix_study.study import runner
from remix_study.study.balance_checks import check_rare_classes
from remix_study.study.rare_rows import (
    TrainedMethod,
    best_of_kinds,
    compared_kinds,
    kind_of_method,
)
from remix_study.study.signals import Signals, Stopped
from remix_study.study.storage import open_reader
from remix_study.study.task_preparation import prepare_tasks, search_tasks
from remix_study.studyfile.parsing import parse_study

DATABASE = Path("x.db")
URL = f"sqlite:///{DATABASE}"
RARE = 'dataset = "wine"\nminority = ["class_2"]\nkind = "binary"'
GRID = tiny(('dataset = "wine"', RARE))
STUDY = GRID.replace('name = "tiny"', 'name = "tiny"\nrare_rows = true')
NAME = "tiny/wine-class_2"


def run(text: str, **options):
    return runner.run(parse_study(text, "tiny.toml"), storage=URL, **options)


def runs_of(part: str) -> list[tuple]:
    """(label, share, repeat, fold, metric, value) of the scores of one part of the study."""
    return query(
        DATABASE,
        "SELECT label, json_extract(remix_runs.facts, '$.rare_share'), repeat, fold, metric, "
        "value "
        "FROM remix_scores JOIN remix_runs ON remix_runs.id = run_id "
        f"JOIN remix_studies ON remix_studies.uuid = study_uuid WHERE name = '{NAME}{part}' "
        "ORDER BY 1, 2, 3, 4, 5",
    )


@pytest.mark.usefixtures("storage", "simulated")
def test_the_best_methods_are_trained_with_fewer_rare_rows_after_a_complete_grid():
    assert run(GRID).completed == 3
    before = runs_of("")
    summary = run(STUDY)
    # Baseline, ReMix and balance, each with three shares.
    assert (summary.configurations, summary.complete_before, summary.completed) == (12, 3, 9)
    assert runs_of("") == before
    shares = {(label, share) for label, share, *_ in runs_of("/rare-rows")}
    assert shares == {
        (label, share)
        for label in ("baseline", "balance", "remix (0.1)")
        for share in (0.25, 0.5, 0.75)
    }
    counts = query(
        DATABASE,
        "SELECT json_extract(remix_runs.facts, '$.rare_share'), fold, "
        "json_extract(counts, '$.train[0]'), json_extract(counts, '$.train[1]') "
        "FROM remix_folds JOIN remix_runs ON remix_runs.id = run_id WHERE label = 'baseline'",
    )
    full = {fold: (common, rare) for share, fold, common, rare in counts if share is None}
    for share, fold, common, rare in counts:
        assert (common, rare) == (full[fold][0], round((share or 1) * full[fold][1]))
    assert run(STUDY).completed == 0
    assert_clean(DATABASE)


@pytest.mark.usefixtures("storage", "simulated")
def test_no_result_takes_them_for_trials_of_the_study():
    run(STUDY)
    engine = open_reader(URL)
    frames = load_frames(engine, ["tiny"])
    engine.dispose()
    (comparison,) = comparisons(frames)
    assert [m.label for m in comparison.methods] == ["baseline", "balance", "remix (0.1)"]
    assert len(frames.runs) == 3
    # Optuna has no parameters of theirs to learn from.
    of_rare_rows = (
        "SELECT count(*) FROM trial_params JOIN trials USING (trial_id) "
        f"JOIN studies USING (study_id) WHERE study_name = '{NAME}/rare-rows'"
    )
    assert query(DATABASE, of_rare_rows) == [(0,)]


@pytest.mark.usefixtures("storage", "simulated")
def test_status_counts_them(capsys):
    run(STUDY)
    assert main(["status", "--storage", URL, "--json"]) == 0
    entries = json.loads(capsys.readouterr().out)
    counts = {entry["name"]: (entry["complete"], entry["planned"]) for entry in entries}
    assert counts == {NAME: (3, 3), f"{NAME}/rare-rows": (9, 9)}


@pytest.mark.slow
@pytest.mark.usefixtures("storage", "simulated")
def test_a_run_that_was_stopped_goes_on_to_the_same_numbers(here):
    class Interrupting(runner.Reporter):
        count = 0

        def trial(self, *_):
            self.count += 1
            if self.count == 7:
                stop.received = 2
                raise Stopped(2)

    stop = Signals()
    with pytest.raises(Stopped):
        run(STUDY, reporter=Interrupting(), signals=stop)
    assert run(STUDY).completed == 12 - 6
    continued = runs_of("/rare-rows")
    for path in here.glob("x.db*"):
        path.unlink()
    run(STUDY)
    assert continued == runs_of("/rare-rows")


@pytest.mark.slow
@pytest.mark.usefixtures("storage", "simulated")
def test_added_repeats_and_configurations_are_followed():
    run(STUDY)
    grown = STUDY.replace("repeats = 1", "repeats = 2")
    grown = grown.replace('["baseline", "remix"]', '["baseline", "cost", "smote", "remix"]')
    run(grown)
    assert run(grown).completed == 0
    assert {repeat for _, _, repeat, *_ in runs_of("/rare-rows")} == {0, 1}
    assert_clean(DATABASE)


@pytest.mark.slow
@pytest.mark.usefixtures("storage", "simulated")
def test_a_search_that_follows_the_grid_has_candidates_too():
    then = '[search.then]\nalgorithm = "random"\ntrials = 3\n{}\n[search.then.space]\n'
    then += 'strategy = ["smote", "mixup"]\nlearning_rate = {{ low = 0.001, high = 0.01 }}\n'
    summary = run(STUDY.replace("[0.0, 0.1]", "[0.1]") + then.format(""))
    # Two methods and three trials; baseline, ReMix and the best trial at three shares.
    assert (summary.configurations, summary.complete) == (2 + 3 + 9, 2 + 3 + 9)
    labels = {label for label, *_ in runs_of("/rare-rows")}
    assert {"baseline", "remix (0.1)"} < labels
    (searched,) = labels - {"baseline", "remix (0.1)"}
    assert "learning_rate" in searched
    # A search under constraints chooses by rules of its own.
    bounded = STUDY.replace("[0.0, 0.1]", "[0.1]")
    bounded += then.format('constraints = ["brier <= 1"]')
    (task,) = prepare_tasks(parse_study(bounded))
    assert compared_kinds(task) == ("baseline", "ReMix")


def test_a_search_without_a_grid_is_refused():
    search = '[search]\nalgorithm = "random"\ntrials = 3\n[search.space]'
    with pytest.raises(StudyFileError, match=r"study.rare_rows: .* follow a grid"):
        parse_study(STUDY.replace("[search.space]", search))


def test_a_problem_without_rare_classes_is_refused():
    study = parse_study(STUDY, "tiny.toml")
    (task,) = prepare_tasks(study)
    with pytest.raises(DataError, match=r"wine-class_2: study.rare_rows .* name them in minority"):
        check_rare_classes(study, replace(task.problem, minority=()))


def test_batches_that_fewer_rare_rows_do_not_fill_are_refused():
    text = STUDY.replace("batch_size = 16", "batch_size = 60")
    with pytest.raises(StudyFileError, match=r"batch_size"):
        prepare_tasks(parse_study(text, "tiny.toml"))
    prepare_tasks(parse_study(text.replace("rare_rows = true", ""), "tiny.toml"))


def test_the_tasks_of_a_problem_end_with_fewer_rare_rows():
    (task,) = prepare_tasks(parse_study(STUDY, "tiny.toml"))
    _, rare = search_tasks(task)
    assert (rare.role, rare.name) == ("rare-rows", f"{NAME}/rare-rows")
    assert rare.blocks == ((0, 1), (2, 3), (4, 5))
    assert [task.folds[0].repeat, task.folds[1].fold] == [0, 1]


def test_the_best_of_each_kind_is_chosen_by_all_objectives():
    def trained(name, g_mean, bbs):
        parameters = {"estimator": name} if name == "random-forest" else {"strategy": name}
        return TrainedMethod(parameters, (g_mean, bbs))

    methods = [
        trained("baseline", 0.5, 0.2),
        trained("cost", 0.71, 0.20),
        # A hundredth of the g-mean counts as much as half a hundredth of the balanced Brier score.
        trained("smote", 0.70, 0.19),
        trained("remix", 0.6, 0.3),
        trained("random-forest", 0.4, 0.2),
    ]
    kinds = ("baseline", "ReMix", "reference estimator", "other network")
    chosen = best_of_kinds(methods, kinds, ("g_mean", "bbs"))
    assert chosen == [methods[0], methods[3], methods[4], methods[2]]
    # Of a kind that has none, the best one that is left.
    assert best_of_kinds(methods[:3], kinds[:2], ("g_mean", "bbs")) == [methods[0], methods[2]]


def test_kinds():
    kinds = {
        "baseline": {"strategy": "baseline"},
        "ReMix": {"sampler": "balanced", "mixing": "beta", "alpha": 0.3},
        "other network": {"strategy": "mixup", "alpha": 0.1},
        "reference estimator": {"estimator": "random-forest"},
    }
    for kind, parameters in kinds.items():
        assert kind_of_method(parameters) == kind
