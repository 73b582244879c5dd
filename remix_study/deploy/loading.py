"""Load a folder that ``fit`` wrote: every file as it was written, and all of one model."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from remix_study.deploy.estimator_file import load_estimator
from remix_study.deploy.network_file import load_network
from remix_study.deploy.records import (
    ANSWERS,
    ESTIMATOR,
    FEATURES,
    MANIFEST,
    MARK,
    NETWORK,
    Answers,
    FeatureFile,
)
from remix_study.deploy.saved_model import SavedModel
from remix_study.errors import UsageError, path_fault

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")
_REMEDY = "name a folder that remix_study fit wrote"


class _Written(Struct, frozen=True):
    """What every manifest says: who wrote the folder, and the sha256 of each file in it."""

    made_by: str
    files: dict[str, str]


def previous_folder(folder: Path) -> Path:
    """Where a model is while a new one takes its place."""
    return folder.absolute().with_name(f".{folder.absolute().name}.previous")


def present_folder(folder: Path) -> Path:
    """The folder of a model, or where it is while another one takes its place."""
    previous = previous_folder(folder)
    return previous if previous.exists() and not folder.exists() else folder


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read a model's manifest, in which ``files`` has the sha256 of each file of the folder.

    Raises:
        UsageError: The folder holds no model, or the manifest is damaged.
    """
    path = folder / MANIFEST
    manifest = _record(_read(path), path, dict[str, Any])
    try:
        written = msgspec.convert(manifest, _Written)
    except msgspec.ValidationError as error:
        raise UsageError(f"{path}: not of a model ({error}); {_REMEDY}") from None
    outside = [
        name
        for name in written.files
        if {"..", "/"}.intersection(PurePosixPath(name).parts) or not name
    ]
    if written.made_by != MARK or outside:
        raise UsageError(f"{path}: not of a model; {_REMEDY}")
    return manifest


def load(folder: str | Path) -> SavedModel:
    """Load a model that ``fit`` wrote, or the one before where ``fit`` was killed replacing it.

    Raises:
        UsageError: The folder holds no such model, a file was changed since, or files of
            different models are together.
    """
    folder = present_folder(Path(folder))
    manifest = read_manifest(folder)
    files: dict[str, str] = manifest["files"]
    contents: dict[str, bytes] = {}
    for name, digest in files.items():
        content = _read(folder / name)
        if hashlib.sha256(content).hexdigest() != digest:
            raise UsageError(f"{folder / name}: changed since it was written; fit it again")
        if name in (FEATURES, ANSWERS):
            contents[name] = content
    network = ESTIMATOR if ESTIMATOR in files else NETWORK
    for name in (FEATURES, ANSWERS, network):
        if name not in files:
            raise UsageError(f"{folder / MANIFEST}: does not name {name}; fit it again")
    features = _record(contents[FEATURES], folder / FEATURES, FeatureFile)
    answers = _record(contents[ANSWERS], folder / ANSWERS, Answers)
    for name, fault in ((FEATURES, features.fault), (ANSWERS, answers.fault)):
        if fault:
            raise UsageError(f"{folder / name}: {fault}; fit it again")
    is_network = network == NETWORK
    outputs = load_network(folder / NETWORK) if is_network else _estimator(folder / ESTIMATOR)
    model = SavedModel(folder, features, answers, manifest, outputs)
    _check_outputs(model, folder / network)
    return model


def _read(path: Path) -> bytes:
    """Read a file of the folder, which may have become a folder, a pipe or a device."""
    if fault := path_fault(path):
        raise UsageError(f"{path}: {fault}; {_REMEDY}")
    return path.read_bytes()


def _record(content: bytes, path: Path, kind: type[T]) -> T:
    """Parse JSON of a kind."""
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not of a model ({error}); {_REMEDY}") from None


def _check_outputs(model: SavedModel, path: Path) -> None:
    """Refuse a network that does not take the features, or does not give the classes."""
    shape = model.features.images or (len(model.features.features),)
    zeros = np.zeros((1, *shape), np.float32 if model.features.images else model.features.dtype)
    try:
        outputs = model.outputs(zeros)
        fault = f"gives outputs of shape {outputs.shape}"
        is_fitting = outputs.shape == (1, len(model.classes))
    except Exception as error:
        # Keras and scikit-learn raise many kinds of errors here.
        fault, is_fitting = " ".join(str(error).split())[:200], False
    if not is_fitting:
        raise UsageError(
            f"{path}: of another model than {FEATURES} and {ANSWERS}, which have inputs of shape "
            f"{shape} and {len(model.classes)} classes ({fault}); fit it again"
        )


def _estimator(path: Path) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """The outputs of an estimator, which takes inputs in double precision as in training."""
    estimator = load_estimator(path)
    return lambda inputs: np.asarray(estimator.predict_proba(inputs.astype(np.float64)))


def predict(model: str | Path | SavedModel, X: Any) -> pd.DataFrame:
    """Predict the rows of a table, such as ``predict("model", "new.csv")``.

    Args:
        model: A folder that ``fit`` wrote, or what :func:`load` returned.
        X: A path, a data frame, a dictionary of columns, or an array.

    Returns:
        One line a row: ``probability CLASS`` of each class, ``class``, and ``mark``, which says
        what of the row the model never saw.

    Raises:
        UsageError: The folder holds no model.
        DataError: A column is missing, or a cell is of another kind than in training.
    """
    import pandas as pd

    loaded = model if isinstance(model, SavedModel) else load(model)
    return pd.concat(list(loaded.frames(X)), ignore_index=True)
