"""Damaged folders of models: refused in one line that names a file, or the answers of before."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
import math
import random
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
from fuzz.draws import both_lengths, draws
from fuzz.random_tables import damaged

from remix_study.cli.main import main
from remix_study.data.table_file import load_file
from remix_study.deploy.estimator_file import save_estimator
from remix_study.deploy.records import MARK, Answers, FeatureFile, ModelFeature, as_json

HEADER = "age,since,city,vip,y\n"
ROWS = [
    f"{n / 3:.1f},202{n % 4}-01-{n + 1:02},{'AB'[n % 2]},{n % 3 > 1},{n % 5 > 2}"
    for n in range(24)
]
FILES = ("features.json", "postprocessing.json", "card.md")
ODD = (
    None,
    -1,
    0,
    1e300,
    2**63,
    "",
    "x",
    "../x",
    "\ud7ff",
    [],
    {},
    [[]],
    True,
    "a\0b",
    "/dev/zero",
)


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    """A folder with two models of one table, ``network`` and ``estimator``, and the table."""
    import keras
    from sklearn.linear_model import LogisticRegression

    root = tmp_path_factory.mktemp("models")
    (root / "new.csv").write_text(HEADER + "\n".join(ROWS))
    dataset = load_file(root / "new.csv", label="y")
    features = tuple(ModelFeature(name, 0.0, scale=1e9) for name in dataset.features)
    none = dict.fromkeys(("decide_by", "costs"))
    shares = {"divide_by": (0.5, 0.5), "multiply_by": (0.6, 0.4)}
    answers = Answers(
        ("F", "T"), ("T",), "natural", rule="threshold", threshold=0.5, **shares, **none
    )
    keras.utils.set_random_seed(0)
    layers = [keras.Input((len(features),)), keras.layers.Dense(2, activation="softmax")]
    estimator = LogisticRegression().fit(dataset.X / 1e9, dataset.y)
    saves = {
        "network": ("model.keras", keras.Sequential(layers).save),
        "estimator": ("model.skops", lambda path: save_estimator(estimator, path)),
    }
    for name, (file, save) in saves.items():
        folder = root / name
        folder.mkdir()
        save(folder / file)
        (folder / "features.json").write_bytes(as_json(FeatureFile(dataset.table, features)))
        (folder / "postprocessing.json").write_bytes(as_json(answers))
        (folder / "card.md").write_text(f"# The card of the {name}")
        write_manifest(folder)
    return root


def write_manifest(folder: Path) -> None:
    """Write the hashes of the files that are there."""
    paths = sorted(path for path in folder.iterdir() if path.name != "manifest.json")
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
    facts = {"made_by": MARK, "study": "s", "recipe": {"label": "baseline"}, "files": files}
    (folder / "manifest.json").write_bytes(as_json(facts))


def change_one_value(draw: random.Random, node: Any) -> Any:
    """JSON with one value, key or entry anywhere changed, left out or put twice."""
    if isinstance(node, dict | list) and node and draw.random() < 0.8:
        place = draw.choice(list(node) if isinstance(node, dict) else range(len(node)))
        match draw.randrange(5):
            case 0:
                del node[place]
            case 1 if isinstance(node, dict):
                node[f"{place}x"] = node.pop(place)
            case 1:
                node.append(node[place])
            case _:
                node[place] = change_one_value(draw, node[place])
        return node
    return draw.choice(ODD)


def change_json(draw: random.Random, content: bytes) -> bytes:
    return json.dumps(change_one_value(draw, json.loads(content))).encode()


def damage(draw: random.Random, folder: Path, other: Path) -> bool:
    """Damage one file; returns whether the manifest has the hash of what came of it."""
    path = draw.choice(sorted(folder.iterdir()))
    content = path.read_bytes()
    match draw.randrange(8):
        case 0:
            path.unlink()
        case 1:
            path.unlink()
            path.mkdir()
        case 2:
            path.write_bytes((other / draw.choice(FILES)).read_bytes())
        case 3 if path.suffix == ".json":
            path.write_bytes(change_json(draw, content))
        case 4 if path.suffix == ".json" and path.name != "manifest.json":
            path.write_bytes(change_json(draw, content))
            write_manifest(folder)
            return True
        case 5 if path.suffix == ".keras":
            with zipfile.ZipFile(path) as archive:
                parts = {name: archive.read(name) for name in archive.namelist()}
            parts["config.json"] = change_json(draw, parts["config.json"])
            with zipfile.ZipFile(path, "w") as archive:
                for name, part in parts.items():
                    archive.writestr(name, part)
            write_manifest(folder)
            return True
        case 6 if path.name != "manifest.json":
            path.write_bytes(damaged(draw, content))
            write_manifest(folder)
            return True
        case _:
            path.write_bytes(damaged(draw, content))
    return False


def predict(folder: Path) -> tuple[int, str, str]:
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        code = main(["predict", str(folder), str(folder.parent / "new.csv")])
    return code, out.getvalue(), errors.getvalue()


@both_lengths
def test_a_damaged_model_is_refused_or_answers_as_before(models: Path, seconds: float) -> None:
    names = ("network", "estimator")
    before = {name: predict(models / name) for name in names}
    assert [code for code, _, _ in before.values()] == [0, 0]
    for draw in draws(60, seconds):
        name, other = draw.sample(names, 2)
        folder = models / "damaged"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(models / name, folder)
        has_new_hash = damage(draw, folder, models / other)
        code, out, errors = predict(folder)
        if code:
            assert code == 2
            assert errors.count("\n") == 1
            assert str(folder) in errors or str(models / "new.csv") in errors
            assert out == ""
        elif not has_new_hash:
            assert (code, out, errors) == before[name]
        else:
            rows = list(csv.DictReader(io.StringIO(out)))
            assert len(rows) == len(ROWS)
            for row in rows:
                shares = [float(v) for key, v in row.items() if key.startswith("probability")]
                assert math.fsum(shares) == pytest.approx(1, abs=1e-5)
                assert min(shares) >= 0
