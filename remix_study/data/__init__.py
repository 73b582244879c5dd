"""Data sets, problems made of them, folds, and the preprocessing of each fold."""

from __future__ import annotations

from remix_study.data.datasets import (
    Dataset,
    dataset_names,
    from_arrays,
    load_dataset,
    load_file,
    load_images,
)
from remix_study.data.folds import Fold, make_folds
from remix_study.data.preprocessing import CLIP, Preprocessing, fit_preprocessing
from remix_study.data.problems import Problem, make_problem
from remix_study.data.redraw import make_redrawn_problem

__all__ = [
    "CLIP",
    "Dataset",
    "Fold",
    "Preprocessing",
    "Problem",
    "dataset_names",
    "fit_preprocessing",
    "from_arrays",
    "load_dataset",
    "load_file",
    "load_images",
    "make_folds",
    "make_problem",
    "make_redrawn_problem",
]
