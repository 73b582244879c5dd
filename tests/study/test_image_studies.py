"""Studies of images: data, networks and strategies that fit, and one that really runs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_studies import query

from remix_study.api import run
from remix_study.cli.main import main
from remix_study.errors import DataError, StudyFileError, UsageError
from remix_study.study.checks import check_study
from remix_study.study.fingerprint import (
    definition,
    problem_facts,
    resolved_settings,
    study_changes,
)
from remix_study.study.planned_work import planned_work
from remix_study.study.task_preparation import prepare_tasks
from remix_study.study.upgrade import settings_of_version_1
from remix_study.studyfile.parsing import parse_study
from remix_study.version import ENGINE_VERSION

IMAGES = """
[study]
name = "images"
note = "one repeat: a look"

[[problems]]
dataset = "digits-images"
kind = "binary"
minority = [8]
imbalance = [0.25]

[cv]
folds = 2
repeats = 1

[model]
name = "cnn"
filters = [4, 4]
dense = 6

[augmentation]
rotation = 10

[training]
epochs = 1
batch_size = 32
stop = "never"

[search.space]
strategy = ["smote", "augment", "remix-aug"]
"""


def study(*changes: tuple[str, str]):
    text = IMAGES
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return parse_study(text, "my.toml")


@pytest.mark.usefixtures("unrendered_figures")
def test_it_runs_to_a_report(here: Path, capsys):
    (here / "images.toml").write_text(IMAGES)
    assert main(["run", "images.toml"]) == 0
    assert main(["run", "images.toml", "--json"]) == 0
    answer = capsys.readouterr().out
    assert json.loads(answer[answer.index("{") :])["completed"] == 0
    assert main(["report", "--output", "report"]) == 0
    page = (here / "report" / "index.html").read_text()
    for word in ("remix-aug", "augment", "one repeat: a look", "exceeds the natural 0.107"):
        assert word in page
    runs = query(
        here / "remix-study.db", "SELECT strategy, sampler, mixing, alpha FROM remix_runs"
    )
    assert runs == [
        ("smote", "smote", "none", None),
        ("augment", "balanced", "none", None),
        ("remix-aug", "balanced", "beta", 0.1),
    ]


def test_what_a_study_of_images_depends_on():
    (task,) = prepare_tasks(study())
    began = resolved_settings(task)
    assert began["augmentation"] == {
        "name": "rotate-shift",
        "rotation": 10.0,
        "shift": 0.2,
        "fill": "nearest",
    }
    # Two convolutions with pooling leave nothing of 8 x 8 pixels unless they are padded.
    assert began["model"]["padding"] == "same"
    earlier = settings_of_version_1(definition(task), problem_facts(task))
    assert study_changes(task, earlier, [], 0) == [f"engine_version: 1 -> {ENGINE_VERSION}"]
    assert problem_facts(task)["n_features"] == 64
    assert problem_facts(task)["notes"][-1] == "one repeat: a look"
    (changed,) = prepare_tasks(study(("rotation = 10", "rotation = 20")))
    planned = planned_work(task)["planned"]
    assert study_changes(changed, began, planned, 3) == ["augmentation.rotation: 10.0 -> 20.0"]
    # Studies of tables do not have the key, so that those that began without it continue.
    table = parse_study('[study]\nname = "a"\n[[problems]]\ndataset = "digits"\n')
    assert "augmentation" not in resolved_settings(prepare_tasks(table)[0])


def test_data_and_members_share_the_pixels():
    """Members hold row numbers; SMOTE gets a view that makes rows one by one."""
    (task,) = prepare_tasks(study())
    members = task.members.members
    for fold, member in zip(task.folds, members, strict=True):
        pixels = member.training.features()
        assert pixels.images is task.problem.dataset.X
        selected = pixels[np.array([[0, 3]])]
        rows = task.problem.rows[fold.train][[0, 3]]
        np.testing.assert_array_equal(selected[0], task.problem.dataset.X[rows] / np.float32(255))
        assert pixels.shape == (len(fold.train), 8, 8, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ('dataset = "digits-images"', 'dataset = "digits"'),
            'data set digits: model "cnn" takes images, and these are rows of 64 numbers: set '
            'model.name to "mlp"',
        ),
        (
            ('name = "cnn"\nfilters = [4, 4]\ndense = 6', 'name = "mlp"'),
            'data set digits-images: model "mlp" takes tables, and these are images of 8 x 8 x 1: '
            'set model.name to "cnn"',
        ),
    ],
)
def test_the_other_kind_of_network_is_refused_before_any_training(change, message):
    with pytest.raises(DataError) as caught:
        prepare_tasks(study(change))
    assert str(caught.value).startswith(f"my.toml: problems[0]: {message}")


def test_tables_are_not_augmented():
    text = (
        '[study]\nname = "a"\n[[problems]]\ndataset = "wine"\n[search.space]\n'
        'strategy = ["baseline", "augment", "remix-aug"]\n'
    )
    with pytest.raises(DataError) as caught:
        prepare_tasks(parse_study(text, "my.toml"))
    assert str(caught.value) == (
        "my.toml: problems[0]: data set wine is a table, and augment and remix-aug turn and shift "
        "images; leave them out of search.space.strategy"
    )
    # The default strategies never augment.
    prepare_tasks(parse_study('[study]\nname = "a"\n[[problems]]\ndataset = "digits"\n'))


def test_a_network_for_colours_refuses_a_grey_data_set():
    changed = study(
        ('name = "cnn"\nfilters = [4, 4]\ndense = 6', 'name = "small_images:rgb_only"')
    )
    (task,) = prepare_tasks(changed)
    with pytest.raises(
        UsageError, match=r"digits-images: .*\(8, 8, 3\), but the data.s rows .* \(8, 8, 1\)"
    ):
        task.network_size(changed.model)


def refusal(*change: tuple[str, str]) -> str:
    with pytest.raises(StudyFileError) as caught:
        check_study(study(*change))
    return str(caught.value).removeprefix("my.toml: ")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("rotation = 10", "rotations = 10"), "augmentation.rotations: unknown key; did you mean"),
        (
            ("rotation = 10", "rotation = 200"),
            "augmentation.rotation: expected a number",
        ),
        (
            ("rotation = 10", 'fill = "mirror"'),
            'augmentation.fill: expected "constant" or "nearest"',
        ),
        (("rotation = 10", 'name = "turn"'), 'augmentation.name: "turn" is unknown; write'),
        (("dense = 6", "hidden = [6]"), "model.hidden: unknown key"),
        (("filters = [4, 4]", "filters = []"), "model.filters: expected a list with at least one"),
        (("filters = [4, 4]", 'padding = "half"'), 'model.padding: expected "same" or "valid"'),
        (
            ('dataset = "digits-images"', 'dataset = "digits-images"\nimages = "x"'),
            "problems[0]: give dataset or images, not both",
        ),
        (
            ('dataset = "digits-images"', 'images = "x"\nlabel = "y"'),
            "problems[0]: only a file or query has label",
        ),
        (("strategy = [", "alpha.augment = [0.1]\nstrategy = ["), "augment mixes nothing"),
        (
            ('strategy = ["smote", "augment", "remix-aug"]', "alpha.remix-aug = [0.1]"),
            "search.space.alpha.remix-aug: search.space.strategy does not name it",
        ),
    ],
)
def test_study_files_that_are_refused(change, message):
    assert message in refusal(change)


def test_images_of_ones_own(here: Path):
    """A folder beside the study file, and arrays from Python."""
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (here / "pets" / name).mkdir(parents=True)
        for number in range(12):
            pixels = rng.integers(0, 256, (12, 12, 3), np.uint8)
            Image.fromarray(pixels).save(here / "pets" / name / f"{number}.png")
    folder = (
        'dataset = "digits-images"\nkind = "binary"\nminority = [8]\nimbalance = [0.25]',
        'images = "pets"',
    )
    (task,) = prepare_tasks(study(folder, ("batch_size = 32", "batch_size = 4")))
    assert task.problem.name == "pets"
    assert task.problem.counts.tolist() == [12, 12]
    (here / "pets" / "dog" / "3.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    with pytest.raises(DataError, match=r"my.toml: problems\[0\]: .*pets/dog/3.png: cannot be"):
        prepare_tasks(study(folder))
    arrays = study((folder[0], ""), ("batch_size = 32", "batch_size = 4"))
    X = rng.integers(0, 256, (24, 12, 12, 3), np.uint8)
    summary = run(arrays, X, ["a", "b"] * 12, name="mine", storage="sqlite:///mine.db")
    assert (summary.completed, summary.failures) == (3, [])
