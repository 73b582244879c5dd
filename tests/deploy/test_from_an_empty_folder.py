"""A person's way: a table, a study with its page, a model, answers for a second table."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pandas as pd
import pytest
from made_up_studies import leave_figures_empty

import remix_study
from remix_study.cli.main import main
from remix_study.errors import DataError, UsageError

STUDY = """
[study]
name = "churn"
[[problems]]
file = "customers.csv"
label = "churned"
[cv]
folds = 2
repeats = 1
[model]
hidden = [4]
[training]
epochs = 2
batch_size = 32
stop = "never"
[search]
estimators = ["logistic-regression", "hist-gradient-boosting"]
[search.space]
strategy = ["baseline"]
"""


def customers(n_rows: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": rng.normal(40, 12, n_rows).round(1),
            "city": rng.choice(["Rome", "Oslo", "Lima"], n_rows),
            "vip": rng.random(n_rows) < 0.3,
        }
    )
    score = (frame["age"] - 40) / 12 + 2 * (frame["city"] == "Oslo") + rng.normal(0, 0.3, n_rows)
    return frame.assign(churned=np.where(score > 1.5, "yes", "no"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The study after ``run --report``, the decision's model, and one of the network."""
    folder = tmp_path_factory.mktemp("customers")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        leave_figures_empty(patch)
        customers(240, 0).to_csv("customers.csv", index=False)
        (folder / "study.toml").write_text(STUDY)
        assert main(["run", "study.toml", "--report", "page"]) == 0
        assert main(["fit", "study.toml"]) == 0
        assert main(["fit", "churn", "--method", "baseline", "--output", "network"]) == 0
        yield folder


def test_the_model_is_that_of_the_decision(folder):
    (decision,) = json.loads((folder / "page" / "decision.json").read_text())
    manifest = json.loads((folder / "model" / "manifest.json").read_text())
    assert (manifest["method"], manifest["form"]) == (decision["method"], decision["form"])
    answers = json.loads((folder / "model" / "postprocessing.json").read_text())
    assert answers["threshold"] == decision["threshold"]
    assert answers["prior"] == decision["prior"]
    for name, digest in manifest["files"].items():
        assert hashlib.sha256((folder / "model" / name).read_bytes()).hexdigest() == digest
    assert sorted(manifest["files"]) == [
        "card.html", "card.md", "features.json", "model.skops", "postprocessing.json",
    ]  # fmt: skip


@pytest.mark.usefixtures("folder")
def test_answers_are_right_and_one_a_row(capsys):
    table = customers(300, 1)
    table.to_csv("new.csv", index=False)
    assert main(["predict", "model", "new.csv", "--output", "answers.csv"]) == 0
    answers = pd.read_csv("answers.csv", keep_default_na=False)
    assert list(answers) == ["probability no", "probability yes", "class", "mark"]
    assert len(answers) == 300
    assert (answers["class"] == table["churned"]).mean() > 0.85
    np.testing.assert_allclose(answers["probability no"] + answers["probability yes"], 1)
    assert capsys.readouterr().out.splitlines()[-1] == "300 rows: answers.csv"


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("model", ["model", "network"])
def test_order_of_columns_extra_ones_and_the_label_change_nothing(model):
    table = customers(20, 2)
    expected = remix_study.predict(model, table)
    changed = table.drop(columns="churned")[["vip", "city", "age"]].assign(more=1)
    pd.testing.assert_frame_equal(remix_study.predict(model, changed), expected)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("model", ["model", "network"])
def test_rows_alone_are_rows_among_others(model):
    table, loaded = customers(20, 2), remix_study.load(model)
    whole = loaded.predict_proba(table)
    alone = np.concatenate([loaded.predict_proba(table.iloc[[row]]) for row in range(20)])
    np.testing.assert_allclose(alone, whole, atol=1e-6)
    assert set(loaded.predict(table)) <= set(loaded.classes) == {"no", "yes"}


@pytest.mark.usefixtures("folder")
def test_what_was_never_seen_is_marked():
    table = customers(4, 2).astype({"age": float})
    table.loc[1, "city"] = "Paris"
    table.loc[2, "age"] = 200.0
    table.loc[3, ["city", "age"]] = ["Paris", -5]
    marks = remix_study.predict("model", table)["mark"].tolist()
    assert marks == ["", "unseen city", "outside age", "unseen city; outside age"]


@pytest.mark.usefixtures("folder")
def test_tables_that_do_not_fit_are_refused_by_name():
    table = customers(4, 2)
    with pytest.raises(DataError, match='column "age", which the model needs, is missing; did'):
        remix_study.predict("model", table.rename(columns={"age": "aged"}))
    with pytest.raises(DataError, match='column "age" and 1 more, which'):
        remix_study.predict("model", table[["vip"]])
    with pytest.raises(DataError, match='row 0, column "age": "old" is no number'):
        remix_study.predict("model", table.assign(age="old"))
    with pytest.raises(DataError, match=r"X has shape \(2, 7\), and the model takes rows of 3"):
        remix_study.predict("model", np.zeros((2, 7)))


def test_folders_that_are_no_model_or_were_changed_are_refused(folder, capsys):
    assert main(["predict", "page", "new.csv"]) == 2
    assert "page/manifest.json: not of a model" in capsys.readouterr().err
    assert main(["predict", "nowhere", "new.csv"]) == 2
    assert "nowhere/manifest.json: No such file" in capsys.readouterr().err
    path = folder / "network" / "postprocessing.json"
    content = path.read_bytes()
    path.write_bytes(content + b"\n")
    with pytest.raises(UsageError, match=r"postprocessing\.json: changed since it was written"):
        remix_study.load("network")
    path.write_bytes(content)


@pytest.mark.usefixtures("folder")
def test_choices_that_are_not_there_are_refused_by_name(capsys):
    for words, reason in (
        (["--method", "base"], 'problem customers: no method "base"; did you mean "baseline"?'),
        (["--trial", "7"], "problem customers: trial 7 is not there, or not complete"),
        (["--problem", "x"], 'no problem "x" in the study'),
        (["--output", "page"], "page holds files that are no model's"),
        (["--output", "study.toml"], "study.toml is a file; name a folder for the model"),
    ):
        assert main(["fit", "study.toml", *words]) == 2
        assert reason in capsys.readouterr().err
    assert main(["fit", "customers.csv"]) == 2
    assert "customers.csv is a table; name its study file" in capsys.readouterr().err


def test_changed_data_and_settings_are_refused(folder, capsys):
    (folder / "other.toml").write_text(STUDY.replace("hidden = [4]", "hidden = [5]"))
    assert main(["fit", "other.toml", "--output", "other"]) == 2
    assert "problem customers was run with other settings (model.hidden" in capsys.readouterr().err
    content = (folder / "customers.csv").read_bytes()
    (folder / "customers.csv").write_bytes(content + b"40.0,Rome,True,no\n")
    assert main(["fit", "study.toml", "--output", "other"]) == 2
    assert "are not those of the study" in capsys.readouterr().err
    (folder / "customers.csv").write_bytes(content)
    assert not (folder / "other").exists()


def test_the_same_rows_make_the_same_model_again(folder, capsys):
    (folder / "again").mkdir()
    table = (folder / "customers.csv").read_bytes()
    (folder / "again" / "customers.csv").write_bytes(table)
    for model in ("model", "network"):
        words = ["fit", "--from", model, "again/customers.csv", "--output", f"{model}-2"]
        assert main(words) == 0
        again, first = remix_study.load(f"{model}-2"), remix_study.load(model)
        np.testing.assert_array_equal(
            again.predict_proba(customers(50, 3)), first.predict_proba(customers(50, 3))
        )
        assert again.answers == first.answers
        assert again.manifest["recipe"]["shares"] == first.manifest["recipe"]["shares"]
    assert "never seen before" in capsys.readouterr().out


def test_new_rows_are_learned_from_and_their_drift_is_shown(folder, capsys):
    table = customers(200, 4)
    table["age"] += 40
    table.loc[table["city"] == "Rome", "city"] = "Bern"
    table.to_csv("older.csv", index=False)
    assert main(["fit", "--from", "model", "older.csv", "--output", "older", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    lines = {line["name"]: line for line in facts["drift"]}
    shares = table["churned"].value_counts(normalize=True)
    assert lines["share of yes"]["now"] == f"{shares['yes']:.3f}"
    assert lines["age"]["now"] == f"{table['age'].min():.6g} to {table['age'].max():.6g}"
    before = pd.read_csv(folder / "customers.csv")["age"]
    assert lines["age"]["before"] == f"{before.min():.6g} to {before.max():.6g}"
    assert lines["age"]["unseen"].startswith(f"{(table['age'] > before.max()).sum()} (")
    assert lines["city"]["unseen"].startswith(f"{(table['city'] == 'Bern').sum()} (")
    assert set(remix_study.predict("older", table)["mark"]) == {""}
    card = (folder / "older" / "card.md").read_text()
    assert "study's cross-validation of the earlier rows" in card
    assert f"| city |  |  | {lines['city']['unseen']} |" in card


@pytest.mark.usefixtures("folder")
def test_new_rows_that_do_not_fit_the_model_are_refused_by_name(capsys):
    table = customers(60, 5)
    for changed, reason in (
        (table.drop(columns="age"), 'new.csv: column "age" is missing'),
        (
            table.assign(more=range(60), most=1),
            'column "more" and 1 more is not the model\'s; lea',
        ),
        (
            table.assign(age=table["city"]),
            'column "age" is of the kind category, and the model ha',
        ),
        (table.replace({"yes": "maybe"}), 'class "maybe", which the model does not have; the mod'),
    ):
        changed.to_csv("new.csv", index=False)
        assert main(["fit", "--from", "network", "new.csv", "--output", "x"]) == 2
        assert reason in capsys.readouterr().err
    for words, reason in (
        (["network", "new.csv", "--trial", "1"], "--trial: the model of --from has it; leave it"),
        (["model", "new.csv"], "model would be replaced; name the new folder by --output"),
        (["page", "new.csv", "--output", "x"], "page/manifest.json: not of a model"),
        (["network", "none.csv", "--output", "x"], "none.csv"),
    ):
        assert main(["fit", "--from", *words]) == 2
        assert reason in capsys.readouterr().err


def test_the_card_says_what_a_stranger_must_know(folder):
    card = (folder / "model" / "card.md").read_text()
    for heading in (
        "Model Details", "Uses", "Bias, Risks, and Limitations",
        "How to Get Started with the Model", "Training Details", "Evaluation", "Citation",
    ):  # fmt: skip
        assert f"\n## {heading}\n" in card
    page = (folder / "model" / "card.html").read_text()
    assert page.count("<h2>") == 7
    assert "```" not in page
    scores = json.loads((folder / "model" / "manifest.json").read_text())["scores"]
    assert {"g_mean", "bbs"} <= scores.keys()
    assert all(s["low"] <= s["mean"] <= s["high"] for s in scores.values())
