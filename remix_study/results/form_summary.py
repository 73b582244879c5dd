"""Forms that compete for a decision as JSON, for databases that hold no probabilities."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd

from remix_study.results.forms import Form, FormName
from remix_study.results.methods import Method


def form_as_json(form: Form, metrics: Collection[str]) -> dict[str, Any]:
    """A form with its scores in some metrics."""
    return {
        "name": form.name,
        "prior": form.prior,
        "threshold": form.threshold,
        "has_floor": form.has_floor,
        "folds": [[int(number) for number in fold] for fold in form.scores["test"].index],
        "scores": {
            part: frame[[name for name in frame if name in metrics]].to_dict("list")
            for part, frame in form.scores.items()
        },
    }


def form_of(method: Method, content: Mapping[str, Any]) -> Form:
    """The form of a method that :func:`form_as_json` wrote."""
    index = pd.MultiIndex.from_tuples(map(tuple, content["folds"]), names=["repeat", "fold"])
    name: FormName = content["name"]
    return Form(
        method=method,
        name=name,
        prior=content["prior"],
        scores={
            part: pd.DataFrame(scores, index, dtype=np.float64)
            for part, scores in content["scores"].items()
        },
        threshold=content.get("threshold"),
        has_floor=content.get("has_floor", True),
    )
