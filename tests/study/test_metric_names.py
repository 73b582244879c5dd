"""Databases of the second schema, whose average precision is the mean over classes."""

from __future__ import annotations

import json
import lzma
import shutil
import tarfile
from pathlib import Path

import numpy as np
import optuna
import pytest
from earlier_engines import pretend_engine_version
from golden.report_tables import ADDED, REMOVED, report_tables, with_present_names
from sklearn.metrics import average_precision_score
from sqlalchemy import select
from tiny_studies import query

from remix_study.cli.main import main
from remix_study.metrics import score
from remix_study.results.frames import load_frames
from remix_study.study import tables
from remix_study.study.storage import open_reader, open_storage

FOLDER = Path(__file__).parent / "schema_2"
OLD = "sqlite:///old.db"
NEW_NAME = "average_precision_macro"


@pytest.fixture
def old(here) -> Path:
    """A copy of the database in the current folder, with its study files."""
    for path in FOLDER.glob("*.toml"):
        shutil.copy(path, here)
    path = here / "old.db"
    path.write_bytes(lzma.decompress((FOLDER / "database.xz").read_bytes()))
    return path


def upgrade() -> None:
    open_storage(OLD).engine.dispose()


@pytest.mark.parametrize("is_upgraded", [False, True])
def test_its_report_has_the_same_numbers_under_the_new_name(old, is_upgraded):
    if is_upgraded:
        upgrade()
    before = old.read_bytes()
    report = report_tables(old.resolve(), (), Path("report").resolve())
    with tarfile.open(FOLDER / "tables.tar.xz") as archive:
        stored = {
            name.removesuffix(".csv"): with_present_names(
                archive.extractfile(name).read().decode()
            )
            for name in archive.getnames()
        }
    assert NEW_NAME in stored["results-long"]
    assert report.keys() - {*ADDED} == stored.keys() - {*REMOVED}
    for name in stored.keys() - {*REMOVED}:
        assert report[name].text == stored[name], name
    assert old.read_bytes() == before


@pytest.mark.parametrize("is_upgraded", [False, True])
def test_readers_give_new_names_everywhere(old, is_upgraded):
    if is_upgraded:
        upgrade()
    before = old.read_bytes()
    frames = load_frames(open_reader(OLD))
    objectives = dict(zip(frames.problems["study"], frames.problems["objectives"], strict=True))
    assert objectives["grid"] == ("g_mean", NEW_NAME)
    assert set(frames.scores["metric"]) >= {NEW_NAME}
    assert "average_precision" not in set(frames.scores["metric"])
    (search,) = frames.searches
    assert search.constraints == [f"{NEW_NAME} >= 0.5 x baseline"]
    assert search.definition["search"]["constraints"] == search.constraints
    assert {trial.chosen_by for trial in search.outer} == {NEW_NAME, "baseline"}
    assert old.read_bytes() == before


def test_the_mean_over_classes_is_the_number_of_the_new_name(old):
    frames = load_frames(open_reader(f"sqlite:///{old}"), ["grid"])
    scores = frames.scores[frames.scores["metric"] == NEW_NAME]
    for row in scores.itertuples():
        _, y, p, _ = frames.probabilities(row.run, row.repeat, row.fold, row.part)
        of_classes = [average_precision_score(y == code, p[:, code]) for code in (0, 1)]
        assert row.value == pytest.approx(np.mean(of_classes), abs=1e-6)
        assert score(y, p, 2)["average_precision"] == pytest.approx(of_classes[1])


def test_optuna_has_the_new_names(old):
    upgrade()
    study = optuna.load_study(study_name="grid/wine-class_2", storage=OLD)
    assert study.metric_names == ["g-mean", "macro AP"]
    assert "validation macro AP" in study.trials[0].user_attrs
    search = optuna.load_study(study_name="search/wine-class_2", storage=OLD)
    bound = f"{NEW_NAME} >= 0.5 x baseline"
    for trial in search.trials:
        assert list(trial.constraints) == [bound]
        assert f"constraint {bound}" in trial.user_attrs
    text = "\n".join(map(str, all_rows(old)))
    # What a person wrote stays: texts of study files in the manifests.
    assert text.count('"average_precision"') == 0
    assert "average_precision >=" not in text


def all_rows(database: Path) -> list[tuple]:
    names = [
        name
        for (name,) in query(database, "SELECT name FROM sqlite_master WHERE type = 'table'")
        if name not in ("remix_manifests", "remix_probabilities")
    ]
    return [row for name in names for row in query(database, f"SELECT * FROM {name}")]


@pytest.mark.usefixtures("old")
def test_other_programs_studies_stay_as_they_are():
    foreign = optuna.create_study(study_name="theirs", storage=OLD)
    with pytest.warns(optuna.exceptions.ExperimentalWarning):
        foreign.set_metric_names(["AP"])
    foreign.enqueue_trial({}, user_attrs={"validation AP": 1})
    upgrade()
    study = optuna.load_study(study_name="theirs", storage=OLD)
    assert study.metric_names == ["AP"]
    assert study.trials[0].user_attrs == {"validation AP": 1}


def test_an_import_brings_new_names_and_leaves_the_source(old):
    before = old.read_bytes()
    assert main(["import", "old.db", "--storage", "sqlite:///new.db"]) == 0
    assert old.read_bytes() == before
    upgrade()
    for columns in (
        "name, definition, settings, facts FROM remix_studies",
        "uuid, facts FROM remix_runs",
        "metric, value FROM remix_scores",
        "key, value_json FROM trial_system_attributes",
        "key, value_json FROM trial_user_attributes",
        "key, value_json FROM study_system_attributes",
    ):
        rows = f"SELECT {columns}"
        # Ids are other ones, and so is the order.
        assert sorted(query(Path("new.db"), rows)) == sorted(query(old, rows)), columns


@pytest.mark.usefixtures("simulated")
def test_a_half_finished_study_goes_on_under_the_new_name(old, capsys, monkeypatch):
    pretend_engine_version(monkeypatch, 2)
    assert main(["run", "half.toml", "--storage", OLD]) == 2
    change = f'study.objectives: ["g_mean", "{NEW_NAME}"] -> ["g_mean", "average_precision"]'
    assert change in capsys.readouterr().err
    file = Path("half.toml")
    file.write_text(file.read_text().replace("average_precision", NEW_NAME))
    assert main(["run", "half.toml", "--storage", OLD, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["complete_before"], answer["completed"]) == (1, 1)
    frames = load_frames(open_reader(f"sqlite:///{old}"), ["half"])
    by_run = frames.scores[frames.scores["metric"] == NEW_NAME].groupby("run")["value"].count()
    assert by_run.to_list() == [4, 4]


def test_the_version_is_one_higher(old):
    upgrade()
    with open_reader(f"sqlite:///{old}").connect() as connection:
        assert connection.execute(select(tables.schema.c.version)).scalar_one() == 3
