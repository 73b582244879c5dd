"""``run`` with a table: the planned study is printed, kept beside the report, and resumed."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from remix_study.cli.main import main
from remix_study.study import default_study
from remix_study.studyfile.parsing import load_study, parse_study

pytestmark = pytest.mark.usefixtures("unrendered_figures")


@pytest.fixture
def table(here):
    """A table of 200 rows, a fifth of which are of the rare class."""
    rng = np.random.default_rng(0)
    churn = np.where(np.arange(200) % 5 == 0, "yes", "no")
    frame = pd.DataFrame({"age": rng.normal(size=200) + (churn == "yes"), "churn": churn})
    frame.to_csv("customers.csv", index=False)
    (here / "plain.csv").write_text("0,0,1\n" * 9)
    return here


@pytest.fixture
def shortened(monkeypatch):
    """Fewer methods, trials and folds than the default study has."""
    text = default_study._METHODS.replace('"smote", "balance", "logit-adjusted", "mixup", ', "")
    monkeypatch.setattr(default_study, "_METHODS", text.replace("trials = 12", "trials = 3"))
    monkeypatch.setattr(default_study, "_SIZES", ((1000, 1, 200, 16),))


@pytest.mark.usefixtures("table", "simulated")
def test_a_dry_run_prints_a_study_file(capfd):
    assert main(["run", "customers.csv", "--label", "churn", "--dry-run"]) == 0
    text = capfd.readouterr().out
    study = parse_study(text, "customers.toml")
    assert study.problems[0].file == "customers.csv"
    assert "# customers: grid, 460 fits in all" in text.splitlines()
    main(["run", "customers.csv", "--label", "churn", "--dry-run", "--json"])
    assert study.text.startswith(json.loads(capfd.readouterr().out)["study_file"])


@pytest.mark.usefixtures("simulated", "shortened")
def test_the_study_is_kept_beside_its_page_and_resumed(table, capfd):
    words = ["run", "customers.csv", "--label", "churn", "--report", "pages/customers"]
    assert main(words) == 0
    out = capfd.readouterr().out
    study = load_study(table / "pages" / "customers.toml")
    assert study.problems[0].file == "../customers.csv"
    assert study.text in out
    assert "10 of 10 configurations complete, 10 of them new" in out
    assert "Then Optuna tried 3 configurations; the best by g-mean on validation is" in out
    assert (table / "pages" / "customers" / "index.html").exists()
    assert main(words) == 0
    assert "10 of 10 configurations complete, 0 of them new" in capfd.readouterr().out
    # The study file that was kept is the same study.
    assert main(["run", "pages/customers.toml"]) == 0
    assert "0 of them new" in capfd.readouterr().out

    (table / "pages" / "customers.toml").write_text(study.text + "# mine\n")
    assert main(words) == 2
    assert "pages/customers.toml is there and differs from the plan" in capfd.readouterr().err
    frame = pd.read_csv("customers.csv")
    frame.assign(age=frame["age"] * 2).to_csv("customers.csv", index=False)
    assert main(words[:4]) == 2
    assert "customers/customers-yes began with other settings" in capfd.readouterr().err


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "customers.csv"], "likely: churn (no 160, yes 40); columns: age, churn"),
        (["run", "customers.csv", "--label", "chrun"], '"chrun" is not in the header; did you'),
        (
            ["run", "quickstart", "--label", "y"],
            "--label is for tables, and quickstart is",
        ),
        (["run", "quickstart", "--no-header"], "--no-header is for tables, and quickstart is"),
        (["run", "plain.csv"], "(header = false is --no-header here)"),
        (["run", "nothing.csv", "--label", "y"], "nothing.csv: no such file\n"),
        (["run", "custmers.csv", "--label", "y"], 'no such file; did you mean "customers.csv"?'),
        (["worker", "customers.csv"], "customers.csv is a table: a worker joins a study file"),
    ],
)
def test_mistakes_are_named_in_one_line(words, message, capfd):
    assert main(words) == 2
    out, errors = capfd.readouterr()
    assert out == ""
    assert len(errors.splitlines()) == 1
    assert message in errors


@pytest.mark.slow
def test_three_words_train_and_report(table):
    """The whole default study of a small table, as a command of its own."""
    words = ["run", "customers.csv", "--label", "churn", "--report", "out"]
    subprocess.run([sys.executable, "-m", "remix_study", *words], cwd=table, check=True)
    page = (table / "out" / "index.html").read_text(encoding="utf-8")
    for shown in ("hist-gradient-boosting-weighted", "12 complete trials", "ReMix (0.1)"):
        assert shown in page
