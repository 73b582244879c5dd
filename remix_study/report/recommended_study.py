"""The configuration of a trial as a study file and as Python code, ready to paste."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from typing import Any

from remix_study.study.configurations import strategy_of
from remix_study.studyfile.schema import Training
from remix_study.studyfile.search_space import STRATEGY_PARTS
from remix_study.studyfile.validation import as_toml, key_as_toml

_LOSS_CODE = {
    "class-weighted": "counts = np.bincount(y)\n"
    "loss = keras.losses.CategoricalFocalCrossentropy("
    "alpha=len(y) / (len(counts) * counts), gamma=0.0)",
    "logit-adjusted": "offset = np.log(np.bincount(y) / len(y)).astype('float32')\n"
    "def loss(truth, logits):  # the last layer has no softmax\n"
    "    return keras.losses.categorical_crossentropy(truth, logits + offset, from_logits=True)",
}
"""Python code of the losses that Keras has no function for."""


def study_text(original: str, info: Mapping[str, Any], parameters: Mapping[str, Any]) -> str:
    """The text of a study file with one problem and one configuration in place of its search.

    Args:
        original: Text of the study file of the search.
        info: The problem's facts, as `Comparison.info` has them.
        parameters: Parameters of the trial.
    """
    tables = tomllib.loads(original)
    training = {k: v for k, v in parameters.items() if k in Training.__struct_fields__}
    options = {k[6:]: _parse_list(v) for k, v in parameters.items() if k.startswith("model.")}
    study = dict(tables["study"])
    study["name"] = f"{study['name']}-chosen"[:100]
    problem = _problem(tables.get("problems", [{}]), info)
    space: dict[str, Any] = {
        name: [parameters[name]] for name in ("strategy", *STRATEGY_PARTS) if name in parameters
    }
    for name in ("alpha", "ratio"):
        if name in parameters:
            space[name] = [parameters[name]]
    sections = {
        "study": study,
        "problems": {key: value for key, value in problem.items() if key not in training},
        "cv": tables.get("cv", {}),
        "model": tables.get("model", {}) | options,
        "training": tables.get("training", {}) | training,
        "search.space": space,
    }
    texts = []
    for name, table in sections.items():
        if not table and name != "problems":
            continue
        head = f"[[{name}]]" if name == "problems" else f"[{name}]"
        lines = [f"{key_as_toml(key)} = {as_toml(value)}" for key, value in table.items()]
        texts.append("\n".join([head, *lines]))
    return "\n\n".join(texts) + "\n"


def python_text(parameters: Mapping[str, Any], training: Mapping[str, Any]) -> str:
    """Python code for batches and compilation of a Keras model, from a trial's parameters."""
    strategy = strategy_of(parameters)
    keys = dict(training) | dict(parameters)
    # Without mixing, ReMix only samples.
    words = [f"alpha={strategy.alpha if strategy.has_mixing else 0.0!r}"]
    words.append(f"batch_size={keys['batch_size']}")
    if strategy.sampler != "balanced":
        words.append(f'sampler="{strategy.sampler}"')
    if strategy.mixing == "beta-sample":
        words.append("per_sample=True")
    loss_code = _LOSS_CODE.get(strategy.loss)
    loss = "loss" if loss_code else "keras.losses.CategoricalCrossentropy()"
    lines = (
        "import keras",
        "import numpy as np" if loss_code else None,
        "import remix_study",
        "",
        f"batches = remix_study.ReMix(X, y, {', '.join(words)})",
        loss_code,
        f"model.compile(keras.optimizers.Adam({keys['learning_rate']!r}), {loss})",
        f"model.fit(batches, epochs={keys['epochs']})",
    )
    return "\n".join(line for line in lines if line is not None) + "\n"


def _problem(entries: list[dict[str, Any]], info: Mapping[str, Any]) -> dict[str, Any]:
    """The entry of the study file that fits a problem best, with the problem's imbalance only."""
    imbalance = info["imbalance"]
    ratio = None if imbalance is None or imbalance != imbalance else imbalance

    def fits(entry: dict[str, Any]) -> int:
        """Score of how many facts of the problem an entry names."""
        names = str(entry.get("dataset", entry.get("file", "")))
        is_same = bool(names) and str(info["dataset"]) in names
        has_same_minority = [str(label) for label in entry.get("minority", [])] == list(
            info["minority"]
        )
        return 4 * is_same + 2 * has_same_minority + (ratio in entry.get("imbalance", [None]))

    # The first of the entries that fit best.
    best_entry = min(entries, key=lambda entry: -fits(entry))
    return best_entry | ({"imbalance": [ratio]} if ratio is not None else {})


def _parse_list(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) and value.startswith("[") else value
