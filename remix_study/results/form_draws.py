"""Draws of test rows for the forms of a decision: the same rows for every form and method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from remix_study.results.bootstrap import Bootstrap, Correction, DecideRows
from remix_study.results.forms import Decide, Form
from remix_study.results.probabilities import to_prior


def bootstrap_of_forms(bootstrap: Bootstrap | None, forms: Sequence[Form]) -> Bootstrap | None:
    """The draws of test rows for forms by their labels; None where the problem has none."""
    if bootstrap is None:
        return None

    def correction(form: Form) -> Correction:
        def correct(place: tuple[int, int]) -> dict[str, NDArray[np.float64]]:
            _, _, p, _ = bootstrap.probabilities(form.method.run, *place, "test")
            return {form.label: to_prior(p, *form.moves[place])}

        return correct

    def decision(form: Form, decide: Decide) -> DecideRows:
        def decided(place: tuple[int, int]) -> NDArray[np.intp]:
            return decide(place, bootstrap.probabilities(form.method.run, *place, "test")[2])

        return decided

    runs = dict(bootstrap.runs) | {form.label: form.method.run for form in forms}
    corrections = {f.label: (f.method.run, correction(f)) for f in forms if f.moves}
    decisions = {f.label: decision(f, f.decide) for f in forms if f.decide}
    return replace(bootstrap, runs=runs, corrections=corrections, decisions=decisions, _cache={})
