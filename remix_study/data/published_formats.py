"""Parse the published files of each data set, every one in its makers' own format."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from remix_study.data.dataset import encode_groups, encode_labels
from remix_study.data.file_contents import decode, first_cells, read_table
from remix_study.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

# Part of the cache's key; to be raised whenever a parser returns other arrays than before.
VERSION = 1


@dataclass(frozen=True, eq=False)
class Parsed:
    """The arrays and names in a data set's files; see ``Dataset`` for the fields."""

    X: NDArray[Any]
    y: NDArray[np.intp]
    classes: tuple[str, ...]
    features: tuple[str, ...]
    groups: NDArray[np.intp] | None


@dataclass(frozen=True)
class Text:
    """The content of one file, and its path for error messages."""

    text: str
    path: Path


def parse(name: str, contents: Sequence[bytes], paths: Sequence[Path]) -> Parsed:
    """Parse the files of a data set.

    Args:
        name: The data set.
        contents: The unpacked bytes of its files, in the catalogue's order.
        paths: The same files, for error messages.

    Raises:
        DataError: A file is not in its makers' format.
    """
    texts = [
        Text(decode(content, path), path) for content, path in zip(contents, paths, strict=True)
    ]
    return _PARSERS[name](texts)


def _musk(files: Sequence[Text]) -> Parsed:
    """Parse lines of molecule, conformation, 166 features and class ``0.`` or ``1.``."""
    features = [f"f{i}" for i in range(1, 163)] + ["OXY-DIS", "OXY-X", "OXY-Y", "OXY-Z"]
    names = ["molecule", "conformation", *features, "class"]
    frame = _read(files[0], ",", names, ["molecule", "conformation", "class"])
    return _parsed(files[0], frame, features, frame["class"], frame["molecule"])


def _segment(files: Sequence[Text]) -> Parsed:
    """Parse files with five lines of header, the fourth with names; the class comes first."""
    header = files[0].text.splitlines()[3:4]
    features = [name.strip() for name in header[0].split(",")] if header else []
    return _joined(files, ",", ["class", *features], skip=5)


def _satimage(files: Sequence[Text]) -> Parsed:
    """Parse lines of nine pixels in four spectral bands and the class, separated by spaces."""
    features = [f"pixel{pixel}_band{band}" for pixel in range(1, 10) for band in range(1, 5)]
    return _joined(files, " ", [*features, "class"])


def _seizure(files: Sequence[Text]) -> Parsed:
    """Parse lines of a row id, 178 samples and the class.

    A row id such as ``X21.V1.791`` is second 21 of the recording ``V1.791``, which is the group.
    """
    features = [f"X{i}" for i in range(1, 179)]
    frame = _read(files[0], ",", ["id", *features, "class"], ["id", "class"], skip=1)
    recordings = [re.sub(r"^X\d+\.", "", str(row)) for row in frame["id"]]
    return _parsed(files[0], frame, features, frame["class"], recordings)


def _coil2000(files: Sequence[Text]) -> Parsed:
    """Parse training rows with their class, and evaluation rows whose class is in a third file."""
    import pandas as pd

    train, evaluation, targets = files
    features = _COIL_FEATURES.split()
    frames = [
        _read(train, "\t", [*features, "class"], ["class"]),
        _read(evaluation, "\t", features),
    ]
    labels = _read(targets, "\t", ["class"], ["class"])["class"]
    if len(labels) != len(frames[1]):
        raise DataError(
            f"{targets.path}: {len(labels)} labels for the {len(frames[1])} rows of "
            f"{evaluation.path.name}"
        )
    frame = pd.concat(frames, ignore_index=True)
    return _parsed(train, frame, features, [*frames[0]["class"], *labels])


def _ozone(files: Sequence[Text]) -> Parsed:
    """Parse lines of a date, 72 readings with ``?`` where missing, and class ``0.`` or ``1.``."""
    hours = [*map(str, range(24)), "_PK", "_AV"]
    features = [f"{quantity}{hour}" for quantity in ("WSR", "T") for hour in hours]
    quantities = ("T", "RH", "U", "V", "HT")
    features += [f"{quantity}{hpa}" for hpa in (85, 70, 50) for quantity in quantities]
    features += ["KI", "TT", "SLP", "SLP_", "Precp"]
    frame = _read(files[0], ",", ["date", *features, "class"], ["date", "class"], missing=("?",))
    return _parsed(files[0], frame, features, frame["class"])


def _aps(files: Sequence[Text]) -> Parsed:
    """Parse a file that may begin with its licence; class first, ``na`` where missing."""
    file = files[0]
    start = re.search(r"^class,", file.text, re.MULTILINE)
    if start is None:
        raise DataError(f"{file.path}: no header line (class,aa_000,...); download it again")
    file = Text(file.text[start.start() :], file.path)
    names = first_cells(file.text, ",", file.path)
    frame = _read(file, ",", names, ["class"], skip=1, missing=("na",))
    return _parsed(file, frame, names[1:], frame["class"])


def _optdigits(files: Sequence[Text]) -> Parsed:
    """Parse lines of 8 x 8 counts of dark pixels and the digit."""
    features = [f"pixel_{row}_{column}" for row in range(8) for column in range(8)]
    return _joined(files, ",", [*features, "class"])


def _joined(files: Sequence[Text], separator: str, names: Sequence[str], skip: int = 0) -> Parsed:
    """Parse files of the same columns, features and class, one after the other."""
    import pandas as pd

    frames = [_read(file, separator, names, ["class"], skip) for file in files]
    frame = pd.concat(frames, ignore_index=True)
    features = [name for name in names if name != "class"]
    return _parsed(files[0], frame, features, frame["class"])


def _read(
    file: Text,
    separator: str,
    names: Sequence[str],
    as_text: Iterable[str] = (),
    skip: int = 0,
    missing: Sequence[str] = (),
) -> pd.DataFrame:
    """Read one file; features must be numbers, and columns of text must have no gap."""
    frame = read_table(
        file.text,
        file.path,
        separator=separator,
        names=names,
        skip=skip,
        as_text=as_text,
        missing=missing,
    )
    for name in names:
        values = frame[name]
        if name in as_text:
            if (values.isna() | (values == "")).any():
                raise DataError(
                    f'{file.path}, column "{name}": empty in some rows; download it again'
                )
        elif values.dtype.kind not in "iuf":
            raise DataError(
                f'{file.path}, column "{name}": text instead of numbers; download it again'
            )
    return frame


def _parsed(
    file: Text,
    frame: pd.DataFrame,
    features: Sequence[str],
    labels: Iterable[object],
    groups: Iterable[object] | None = None,
) -> Parsed:
    """Turn a data frame into arrays."""
    X = np.ascontiguousarray(frame[list(features)].to_numpy(dtype=np.float64))
    if np.isinf(X).any():
        raise DataError(f"{file.path}: holds infinite values; download it again")
    y, classes = encode_labels(labels)
    group_codes = None if groups is None else encode_groups(groups)
    return Parsed(X, y, classes, tuple(features), group_codes)


# Column names from the makers' description of the data.
_COIL_FEATURES = """
    MOSTYPE MAANTHUI MGEMOMV MGEMLEEF MOSHOOFD MGODRK MGODPR MGODOV MGODGE MRELGE MRELSA MRELOV
    MFALLEEN MFGEKIND MFWEKIND MOPLHOOG MOPLMIDD MOPLLAAG MBERHOOG MBERZELF MBERBOER MBERMIDD
    MBERARBG MBERARBO MSKA MSKB1 MSKB2 MSKC MSKD MHHUUR MHKOOP MAUT1 MAUT2 MAUT0 MZFONDS MZPART
    MINKM30 MINK3045 MINK4575 MINK7512 MINK123M MINKGEM MKOOPKLA PWAPART PWABEDR PWALAND PPERSAUT
    PBESAUT PMOTSCO PVRAAUT PAANHANG PTRACTOR PWERKT PBROM PLEVEN PPERSONG PGEZONG PWAOREG PBRAND
    PZEILPL PPLEZIER PFIETS PINBOED PBYSTAND AWAPART AWABEDR AWALAND APERSAUT ABESAUT AMOTSCO
    AVRAAUT AAANHANG ATRACTOR AWERKT ABROM ALEVEN APERSONG AGEZONG AWAOREG ABRAND AZEILPL APLEZIER
    AFIETS AINBOED ABYSTAND
"""

_PARSERS: dict[str, Callable[[Sequence[Text]], Parsed]] = {
    "musk": _musk,
    "segment": _segment,
    "satimage": _satimage,
    "seizure": _seizure,
    "coil2000": _coil2000,
    "ozone": _ozone,
    "aps": _aps,
    "optdigits": _optdigits,
}
