"""How the makers of each data set wrote it down, and how their files become arrays."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from remix_study.data.dataset import encode_groups, encode_labels
from remix_study.data.delimited_text import first_cells, read_table
from remix_study.data.file_bytes import decode
from remix_study.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

# Part of the key of the cache: raise it whenever a file becomes other arrays than before.
VERSION = 1


@dataclass(frozen=True, eq=False)
class Parsed:
    """What a data set's files hold: see ``Dataset`` for the fields."""

    X: NDArray[Any]
    y: NDArray[np.intp]
    classes: tuple[str, ...]
    features: tuple[str, ...]
    groups: NDArray[np.intp] | None


@dataclass(frozen=True)
class Text:
    """The content of one file and the path that messages name."""

    text: str
    path: Path


def parse(name: str, contents: Sequence[bytes], paths: Sequence[Path]) -> Parsed:
    """Turn the unpacked files of a data set into arrays, in the order of the facts' files.

    Raises:
        DataError: A file is not in its makers' format.
    """
    texts = [
        Text(decode(content, path), path) for content, path in zip(contents, paths, strict=True)
    ]
    return _FORMATS[name](texts)


def _musk(files: Sequence[Text]) -> Parsed:
    """Molecule, conformation, 166 features, class ``0.`` or ``1.``."""
    features = [f"f{i}" for i in range(1, 163)] + ["OXY-DIS", "OXY-X", "OXY-Y", "OXY-Z"]
    names = ["molecule", "conformation", *features, "class"]
    frame = _read(files[0], ",", names, ["molecule", "conformation", "class"])
    return _parsed(files[0], frame, features, frame["class"], frame["molecule"])


def _segment(files: Sequence[Text]) -> Parsed:
    """Five lines of header, of which the fourth names the features; the class comes first."""
    import pandas as pd

    header = files[0].text.splitlines()[3:4]
    features = [name.strip() for name in header[0].split(",")] if header else []
    frames = [_read(file, ",", ["class", *features], ["class"], skip=5) for file in files]
    frame = pd.concat(frames, ignore_index=True)
    return _parsed(files[0], frame, features, frame["class"])


def _satimage(files: Sequence[Text]) -> Parsed:
    """Nine pixels in four spectral bands, then the class, parted by spaces."""
    import pandas as pd

    features = [f"pixel{pixel}_band{band}" for pixel in range(1, 10) for band in range(1, 5)]
    frames = [_read(file, " ", [*features, "class"], ["class"]) for file in files]
    frame = pd.concat(frames, ignore_index=True)
    return _parsed(files[0], frame, features, frame["class"])


def _seizure(files: Sequence[Text]) -> Parsed:
    """A row id such as ``X21.V1.791``, 178 samples, the class; chunk 21 of one recording."""
    features = [f"X{i}" for i in range(1, 179)]
    frame = _read(files[0], ",", ["id", *features, "class"], ["id", "class"], skip=1)
    recordings = [re.sub(r"^X\d+\.", "", str(row)) for row in frame["id"]]
    return _parsed(files[0], frame, features, frame["class"], recordings)


def _coil2000(files: Sequence[Text]) -> Parsed:
    """The training file ends with the class; that of the evaluation rows is a file of its own."""
    import pandas as pd

    train, evaluation, targets = files
    features = _COIL.split()
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
    """A date, 72 readings with ``?`` where missing, class ``0.`` or ``1.``."""
    hours = [*map(str, range(24)), "_PK", "_AV"]
    features = [f"{what}{hour}" for what in ("WSR", "T") for hour in hours]
    features += [f"{what}{hpa}" for hpa in (85, 70, 50) for what in ("T", "RH", "U", "V", "HT")]
    features += ["KI", "TT", "SLP", "SLP_", "Precp"]
    frame = _read(files[0], ",", ["date", *features, "class"], ["date", "class"], missing=("?",))
    return _parsed(files[0], frame, features, frame["class"])


def _aps(files: Sequence[Text]) -> Parsed:
    """The whole file begins with its licence; ``na`` is missing; the class comes first."""
    file = files[0]
    start = re.search(r"^class,", file.text, re.MULTILINE)
    if start is None:
        raise DataError(f"{file.path}: there is no line of column names, class,aa_000,...")
    file = Text(file.text[start.start() :], file.path)
    names = first_cells(file.text, ",", file.path)
    frame = _read(file, ",", names, ["class"], skip=1, missing=("na",))
    return _parsed(file, frame, names[1:], frame["class"])


def _optdigits(files: Sequence[Text]) -> Parsed:
    """8 x 8 counts of dark pixels, then the digit."""
    import pandas as pd

    features = [f"pixel_{row}_{column}" for row in range(8) for column in range(8)]
    frames = [_read(file, ",", [*features, "class"], ["class"]) for file in files]
    frame = pd.concat(frames, ignore_index=True)
    return _parsed(files[0], frame, features, frame["class"])


def _read(
    file: Text,
    separator: str,
    names: Sequence[str],
    as_text: Iterable[str] = (),
    skip: int = 0,
    missing: Sequence[str] = (),
) -> pd.DataFrame:
    """Read one file, in which no text column may have a gap."""
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
                raise DataError(f"{file.path}: column {name!r} is empty in some rows")
        elif values.dtype.kind not in "iuf":
            raise DataError(
                f"{file.path}: column {name!r} holds text where numbers belong; fetch it again"
            )
    return frame


def _parsed(
    file: Text,
    frame: pd.DataFrame,
    features: Sequence[str],
    labels: Iterable[object],
    groups: Iterable[object] | None = None,
) -> Parsed:
    """The arrays of a data frame."""
    X = np.ascontiguousarray(frame[list(features)].to_numpy(dtype=np.float64))
    if np.isinf(X).any():
        raise DataError(f"{file.path}: holds infinite values; fetch it again")
    y, classes = encode_labels(labels)
    members = None if groups is None else encode_groups(groups)
    return Parsed(X, y, classes, tuple(features), members)


# The makers' names, in their description of the data.
_COIL = """
    MOSTYPE MAANTHUI MGEMOMV MGEMLEEF MOSHOOFD MGODRK MGODPR MGODOV MGODGE MRELGE MRELSA MRELOV
    MFALLEEN MFGEKIND MFWEKIND MOPLHOOG MOPLMIDD MOPLLAAG MBERHOOG MBERZELF MBERBOER MBERMIDD
    MBERARBG MBERARBO MSKA MSKB1 MSKB2 MSKC MSKD MHHUUR MHKOOP MAUT1 MAUT2 MAUT0 MZFONDS MZPART
    MINKM30 MINK3045 MINK4575 MINK7512 MINK123M MINKGEM MKOOPKLA PWAPART PWABEDR PWALAND PPERSAUT
    PBESAUT PMOTSCO PVRAAUT PAANHANG PTRACTOR PWERKT PBROM PLEVEN PPERSONG PGEZONG PWAOREG PBRAND
    PZEILPL PPLEZIER PFIETS PINBOED PBYSTAND AWAPART AWABEDR AWALAND APERSAUT ABESAUT AMOTSCO
    AVRAAUT AAANHANG ATRACTOR AWERKT ABROM ALEVEN APERSONG AGEZONG AWAOREG ABRAND AZEILPL APLEZIER
    AFIETS AINBOED ABYSTAND
"""

_FORMATS: dict[str, Callable[[Sequence[Text]], Parsed]] = {
    "musk": _musk,
    "segment": _segment,
    "satimage": _satimage,
    "seizure": _seizure,
    "coil2000": _coil2000,
    "ozone": _ozone,
    "aps": _aps,
    "optdigits": _optdigits,
}
