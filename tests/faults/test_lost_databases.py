"""A database or study that goes away while a run works on it, by the hand of somebody else."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import optuna
import pytest
from made_up_data import make_up_data
from recorded_runs import DATABASE, RecordingReporter, at_call, run
from tiny_studies import complete_values, query, tiny, trials

from remix_study.cli.main import main
from remix_study.errors import StorageError
from remix_study.study.task import Task

URL = f"sqlite:///{DATABASE}"
TWO = tiny(('dataset = "wine"\n', 'dataset = "wine"\n[[problems]]\ndataset = "breast_cancer"\n'))

pytestmark = pytest.mark.usefixtures("simulated")


@pytest.fixture(autouse=True)
def _database(here, _blank, monkeypatch):
    """An empty database in an empty folder, and data that need no scikit-learn."""
    make_up_data(monkeypatch.setattr)
    shutil.copy(_blank, here / DATABASE)


def delete_study() -> None:
    optuna.delete_study(study_name="tiny/wine", storage=URL)


def rename_study() -> None:
    """Rename the study as the dashboard does: by a copy, under new ids."""
    study = optuna.load_study(study_name="tiny/wine", storage=URL)
    copy = optuna.create_study(study_name="mine", directions=study.directions, storage=URL)
    copy.add_trials(study.get_trials(deepcopy=False))
    for key, value in study.user_attrs.items():
        copy.set_user_attr(key, value)
    delete_study()


def replace_file() -> None:
    shutil.copy(DATABASE, "other.db")
    os.replace("other.db", DATABASE)


def rename_folder() -> None:
    here = Path.cwd()
    here.rename(here.with_name(f"{here.name}-moved"))


LOSSES = {
    "was deleted or moved away": (
        lambda: DATABASE.unlink(),
        lambda: DATABASE.rename("moved.db"),
        lambda: [path.unlink() for path in list(Path().glob("x.db*"))],
        rename_folder,
    ),
    "was replaced by another one": (replace_file,),
}


@pytest.mark.parametrize(
    ("what", "lose"), [(what, lose) for what, actions in LOSSES.items() for lose in actions]
)
def test_a_lost_file_ends_the_run_and_a_copy_goes_on(here, what, lose):
    reporter = RecordingReporter(trial=at_call(2, lose))
    with pytest.raises(StorageError) as raised:
        run(reporter=reporter)
    message = str(raised.value)
    assert message.startswith(f"{here / DATABASE}: the file {what} while the run worked; ")
    before, _, copy = message.partition(": go on with --storage sqlite:///")
    assert before.endswith(f"all results are in {copy}")
    # Also the trial that was training then.
    assert [state for *_, state in trials(Path(copy))] == ["COMPLETE"] * 2
    first = complete_values(Path(copy))
    shutil.move(copy, DATABASE)
    assert run().completed == 1
    assert {state for *_, state in trials(DATABASE)} == {"COMPLETE"}
    assert first.items() <= complete_values(DATABASE).items()


def test_a_file_lost_in_the_last_trial_is_noticed(capsys, monkeypatch):
    Path("tiny.toml").write_text(
        tiny(('["baseline", "remix"]\nalpha.remix = [0.0, 0.1]', '["cost"]'))
    )
    fit = Task.fit
    monkeypatch.setattr(Task, "fit", lambda *words: [DATABASE.unlink(), fit(*words)][1])
    assert main(["run", "tiny.toml", "--storage", URL]) == 3
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "the file was deleted or moved away while the run worked; all results are in" in error
    assert not DATABASE.exists()


@pytest.mark.parametrize(
    ("lose", "how"), [(delete_study, "deleted"), (rename_study, 'renamed "mine"')]
)
def test_a_lost_study_ends_its_problem_alone(lose, how):
    reporter = RecordingReporter(trial=at_call(2, lose))
    summary = run(TWO, reporter=reporter)
    reason = f"the study was {how} while the run worked, which ends this problem"
    assert [vars(failure)["reason"] for failure in summary.failures] == [reason]
    assert (summary.configurations, summary.complete, summary.open) == (6, 3, 0)
    failed = [event for event in reporter.events if event[0] == "failed"]
    assert failed == [("failed", "all others", f"tiny/wine: {reason}")]
    assert len([study for study, *_ in trials(DATABASE) if study == "tiny/breast_cancer"]) == 3
    assert query(DATABASE, "SELECT * FROM remix_claims") == []


@pytest.mark.parametrize("lose", [delete_study, rename_study])
def test_a_command_whose_only_study_is_lost_says_so(lose, capsys, monkeypatch):
    Path("tiny.toml").write_text(tiny())
    fit, act = Task.fit, at_call(2, lose)
    monkeypatch.setattr(Task, "fit", lambda *words: [act(), fit(*words)][1])
    assert main(["run", "tiny.toml", "--storage", URL]) == 1
    out, error = capsys.readouterr()
    assert error == ""
    assert "while the run worked, which ends this problem" in out
    assert "0 of 3 configurations complete" in out


def test_no_trial_of_another_study_takes_a_lost_ones_place():
    """SQLite gives the ids of a deleted study and of its trials out again."""

    def replace_study() -> None:
        delete_study()
        study = optuna.create_study(study_name="other", directions=["maximize"] * 2, storage=URL)
        for _ in range(2):
            study.ask()

    summary = run(reporter=RecordingReporter(trial=at_call(2, replace_study)))
    assert len(summary.failures) == 1
    assert query(DATABASE, "SELECT trial_id, state FROM trials") == [
        (1, "RUNNING"),
        (2, "RUNNING"),
    ]
    assert query(DATABASE, "SELECT * FROM trial_user_attributes") == []


def test_status_and_export_tell_two_studies_of_one_name_apart(capsys):
    run()
    rename_study()
    run(tiny(("[0.0, 0.1]", "[0.0]")))
    capsys.readouterr()
    assert main(["status", "--storage", URL]) == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:3]]
    assert names == ["mine", "tiny/wine"]
    assert main(["export", "tiny", "--storage", URL, "--output", "out"]) == 0
    assert len(Path("out/trials.csv").read_text().splitlines()) == 3
    assert main(["export", "mine", "--storage", URL, "--output", "mine"]) == 0
    assert len(Path("mine/trials.csv").read_text().splitlines()) == 4
    assert main(["export", "--storage", URL, "--output", "both"]) == 0
    assert len(Path("both/problems.csv").read_text().splitlines()) == 3
    assert "mine" in capsys.readouterr().out
