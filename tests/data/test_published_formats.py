"""Parsers of the published files, on a few lines of each format written by hand."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from remix_study.data.catalogue import CATALOGUE
from remix_study.data.published_formats import Parsed, parse
from remix_study.errors import DataError


def parse_texts(name: str, *texts: str) -> Parsed:
    paths = [Path(file.path) for file in CATALOGUE[name].files]
    return parse(name, [text.encode() for text in texts], paths)


def cells(start: int, count: int, separator: str = ",") -> str:
    return separator.join(str(start + i) for i in range(count))


def test_musk() -> None:
    parsed = parse_texts(
        "musk",
        f"MUSK-b,b_1,{cells(-5, 166)},1.\n"
        f"NON-a,a_1,{cells(0, 166)},0.\n"
        f"MUSK-b,b_2,{cells(9, 166)},1.\n",
    )
    np.testing.assert_array_equal(parsed.X[:, 0], [-5, 0, 9])
    np.testing.assert_array_equal(parsed.X[:, 165], [160, 165, 174])
    assert (parsed.classes, parsed.y.tolist()) == (("0", "1"), [1, 0, 1])
    assert parsed.features[-2:] == ("OXY-Y", "OXY-Z")
    assert parsed.groups is not None
    assert parsed.groups.tolist() == [0, 1, 0]


def test_segment() -> None:
    names = ",".join(f"F-{i}" for i in range(19))
    header = f";;; -*- Mode:Common-Lisp; Base:10 -*-\n;;; edit\n\n{names}\n\n"
    parsed = parse_texts(
        "segment",
        f"{header}SKY,{cells(1, 19)}\n",
        f"{header}GRASS,{cells(2, 19)}\nSKY,{cells(3, 19)}",
    )
    np.testing.assert_array_equal(parsed.X[:, 18], [19, 20, 21])
    assert (parsed.classes, parsed.y.tolist()) == (("GRASS", "SKY"), [1, 0, 1])
    assert parsed.features == tuple(names.split(","))


def test_satimage() -> None:
    parsed = parse_texts("satimage", f"{cells(0, 36, ' ')} 7\n", f"{cells(1, 36, ' ')} 1\n")
    np.testing.assert_array_equal(parsed.X, [np.arange(36), np.arange(1, 37)])
    assert (parsed.classes, parsed.y.tolist()) == (("1", "7"), [1, 0])
    assert parsed.features[4] == "pixel2_band1"


@pytest.mark.parametrize("header", ["", "Unnamed"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_seizure(header: str, newline: str) -> None:
    lines = [
        f"{header},{','.join(f'X{i}' for i in range(1, 179))},y",
        f"X21.V1.791,{cells(-9, 178)},4",
        f"X15.V1.924,{cells(0, 178)},1",
        f"X2.V1.791,{cells(5, 178)},4",
    ]
    parsed = parse_texts("seizure", newline.join(lines))
    np.testing.assert_array_equal(parsed.X[:, 177], [168, 177, 182])
    assert (parsed.classes, parsed.y.tolist()) == (("1", "4"), [1, 0, 1])
    assert parsed.groups is not None
    assert parsed.groups.tolist() == [0, 1, 0]


def test_coil2000() -> None:
    tab = "\t"
    train = f"{cells(0, 85, tab)}\t1\n{cells(1, 85, tab)}\t0\n"
    parsed = parse_texts("coil2000", train, f"{cells(2, 85, tab)}\n", "1\n")
    np.testing.assert_array_equal(parsed.X[:, 84], [84, 85, 86])
    assert parsed.y.tolist() == [1, 0, 1]
    assert (parsed.features[0], parsed.features[-1]) == ("MOSTYPE", "ABYSTAND")
    with pytest.raises(DataError, match=r"tictgts2000\.txt: 2 labels for the 1 rows"):
        parse_texts("coil2000", train, f"{cells(2, 85, tab)}\n", "1\n0\n")


def test_ozone() -> None:
    parsed = parse_texts("ozone", f"1/1/1998,?,{cells(1, 71)},0.\n1/2/1998,{cells(-3, 72)},1.")
    np.testing.assert_array_equal(parsed.X[:, :2], [[np.nan, 1], [-3, -2]])
    assert (parsed.classes, parsed.y.tolist()) == (("0", "1"), [0, 1])
    assert len(set(parsed.features)) == 72
    assert parsed.features[24:28] == ("WSR_PK", "WSR_AV", "T0", "T1")


@pytest.mark.parametrize("preamble", ["", "This file is part of it.\n\nclassless, free\n\n"])
def test_aps(preamble: str) -> None:
    names = [f"f{i:03}" for i in range(170)]
    text = f"{preamble}class,{','.join(names)}\nneg,na,{cells(1, 169)}\npos,{cells(0, 170)}\n"
    parsed = parse_texts("aps", text)
    np.testing.assert_array_equal(parsed.X[:, :2], [[np.nan, 1], [0, 1]])
    assert (parsed.classes, parsed.y.tolist()) == (("neg", "pos"), [0, 1])
    assert parsed.features == tuple(names)


def test_optdigits() -> None:
    parsed = parse_texts("optdigits", f"{cells(0, 64)},3\n", f"{cells(1, 64)},0\n")
    np.testing.assert_array_equal(parsed.X, [np.arange(64), np.arange(1, 65)])
    assert (parsed.classes, parsed.y.tolist()) == (("0", "3"), [1, 0])


GOOD = f"{cells(0, 64)},3\n"


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (f"{cells(0, 63)},3\n", "optdigits.tes, line 1: 64 cells instead of 65"),
        (f"{GOOD}{cells(0, 30)}", "optdigits.tes, line 2: 30 cells instead of 65"),
        (f"{cells(0, 63)},,3\n", 'optdigits.tes, column "pixel_7_7": text instead of numbers'),
        (f"{cells(0, 63)},x,3\n", 'optdigits.tes, column "pixel_7_7": text instead of numbers'),
        (f"{cells(0, 63)},inf,3\n", "holds infinite values"),
        (f"{cells(0, 64)},\n{GOOD}", 'optdigits.tes, column "class": empty in some rows'),
        ("<html>gone</html>\n", "optdigits.tes, line 1: 1 cells instead of 65"),
    ],
)
def test_a_file_in_another_format_is_refused_in_one_line(second: str, message: str) -> None:
    with pytest.raises(DataError, match=re.escape(message)) as caught:
        parse_texts("optdigits", GOOD, second)
    assert "\n" not in str(caught.value)


def test_a_missing_header_is_refused() -> None:
    with pytest.raises(DataError, match=r"training_set\.csv: no header line"):
        parse_texts("aps", f"neg,{cells(0, 170)}\n")
    with pytest.raises(DataError, match="segmentation"):
        parse_texts("segment", "nothing\n", "nothing\n")
