"""The fixed facts of every data set: files, hashes, shape, counts, licence, whom to cite."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class SourceFile:
    """A file as its makers named it, and the sha256 of its unpacked content ("" = not known).

    Where the makers published an md5 instead, a file of any other content is refused.
    """

    path: str
    sha256: str
    md5: str = ""


@dataclass(frozen=True)
class Facts:
    """What is known of a data set without opening it.

    Attributes:
        name: What a study file calls it.
        title: What its makers call it.
        about: What the classes mean, in one line.
        files: Under the folder that REMIX_STUDY_DATA names, each plain or with ``.gz``; empty
            for a set that comes with scikit-learn.
        rows: Number of rows.
        features: Number of features; of images, pixels times channels.
        counts: Class names as the makers wrote them, with their rows.
        low: Smallest value.
        high: Largest value.
        whole: Whether all values are whole numbers.
        missing: Number of missing cells, None where it is not known.
        duplicates: Rows equal to an earlier one in all features and the label, None where it
            is not known.
        groups: Number of groups, 0 where there are none.
        grouped_by: What a group is.
        licence: The licence the makers gave.
        citation: Whom to cite.
        partial: A smaller edition that is used where the whole one is not there.
        shape: Height, width and channels of images; empty for a table.
        archives: Names of a tar file that holds all files, looked for where they are not there.
        note: What every output says of the data set.
    """

    name: str
    title: str
    about: str
    files: tuple[SourceFile, ...]
    rows: int
    features: int
    counts: tuple[tuple[str, int], ...]
    low: float
    high: float
    whole: bool
    missing: int | None
    duplicates: int | None
    licence: str
    citation: str
    groups: int = 0
    grouped_by: str = ""
    partial: Facts | None = None
    shape: tuple[int, ...] = ()
    archives: tuple[str, ...] = ()
    note: str = ""

    @property
    def source(self) -> str:
        """Where the rows come from, in one line."""
        return self.title


def _equal(names: str, rows: int) -> tuple[tuple[str, int], ...]:
    return tuple((name, rows) for name in names.split())


_DIGITS = tuple(zip("0123456789", (178, 182, 177, 183, 181, 182, 181, 179, 174, 180), strict=True))
_CIFAR = "airplane automobile bird cat deer dog frog horse ship truck"
_CIFAR_CITATION = "A. Krizhevsky (2009), Learning Multiple Layers of Features from Tiny Images"
_CIFAR_LICENCE = "none stated by its makers, who ask to be cited"

_CC_BY = "CC BY 4.0, as the UCI repository states"

_APS = Facts(
    name="aps",
    title="UCI APS Failure at Scania Trucks, training file",
    about="pos: a failure of the air pressure system; neg: another failure",
    files=(SourceFile("aps_failure/aps_failure_training_set.csv", ""),),
    rows=60_000,
    features=170,
    counts=(("neg", 59_000), ("pos", 1_000)),
    low=0,
    high=1e11,
    whole=False,
    missing=None,
    duplicates=None,
    licence="GPL 3, as the file's own preamble states; CC BY 4.0, as the UCI repository states",
    citation="Scania CV AB (2016), doi 10.24432/C51S51",
)
_APS_PARTIAL = replace(
    _APS,
    title="UCI APS Failure at Scania Trucks, 9,000 rows of the training file",
    files=(
        SourceFile(
            "aps_failure/aps_failure_training_set.PARTIAL_9000.csv",
            "b2905498e5e88a94c6f7d2be1e2c1030661d40c23ed83e1395426c48397d7ebb",
        ),
    ),
    rows=9_000,
    counts=(("neg", 8_827), ("pos", 173)),
    missing=130_696,
    duplicates=0,
)

FACTS: dict[str, Facts] = {
    facts.name: facts
    for facts in (
        Facts(
            name="digits",
            title="scikit-learn load_digits: the test half (1,797 of 5,620 rows) of UCI optdigits",
            about="the handwritten digit",
            files=(),
            rows=1_797,
            features=64,
            counts=_DIGITS,
            low=0,
            high=16,
            whole=True,
            missing=0,
            duplicates=0,
            licence=_CC_BY,
            citation="E. Alpaydin, C. Kaynak (1998), doi 10.24432/C50P49",
        ),
        Facts(
            name="breast_cancer",
            title="scikit-learn load_breast_cancer: UCI Breast Cancer Wisconsin (Diagnostic)",
            about="the diagnosis of the tumour",
            files=(),
            rows=569,
            features=30,
            counts=(("benign", 357), ("malignant", 212)),
            low=0,
            high=4254,
            whole=False,
            missing=0,
            duplicates=0,
            licence=_CC_BY,
            citation="W. Wolberg, O. Mangasarian, W. N. Street (1995), doi 10.24432/C5DW2B",
        ),
        Facts(
            name="wine",
            title="scikit-learn load_wine: UCI Wine",
            about="the cultivar of the grapes",
            files=(),
            rows=178,
            features=13,
            counts=(("class_0", 59), ("class_1", 71), ("class_2", 48)),
            low=0.13,
            high=1680,
            whole=False,
            missing=0,
            duplicates=0,
            licence=_CC_BY,
            citation="S. Aeberhard, M. Forina (1991), doi 10.24432/C5PC7J",
        ),
        Facts(
            name="digits-images",
            title="scikit-learn load_digits as images, its 0 to 16 stretched to 0 to 255",
            about="the handwritten digit",
            files=(),
            rows=1_797,
            features=64,
            counts=_DIGITS,
            low=0,
            high=255,
            whole=True,
            missing=0,
            duplicates=0,
            licence=_CC_BY,
            citation="E. Alpaydin, C. Kaynak (1998), doi 10.24432/C50P49",
            shape=(8, 8, 1),
        ),
        Facts(
            name="musk",
            title="UCI Musk (Version 2)",
            about="1: a conformation of a molecule that smells of musk",
            files=(
                SourceFile(
                    "musk2/clean2.data",
                    "8dee8e1946b6939ad96cc0d30560ae7e71c60886dd41d794a878f38a0c1a6a9f",
                ),
            ),
            rows=6_598,
            features=166,
            counts=(("0", 5_581), ("1", 1_017)),
            low=-471,
            high=625,
            whole=True,
            missing=0,
            duplicates=17,
            groups=102,
            grouped_by="molecule",
            licence=_CC_BY,
            citation="D. Chapman, A. Jain (1994), doi 10.24432/C51608",
        ),
        Facts(
            name="segment",
            title="UCI Image Segmentation, segmentation.data then segmentation.test",
            about="what a patch of an outdoor image shows; the paper's class 1 is BRICKFACE",
            files=(
                SourceFile(
                    "segment/segmentation.data",
                    "b4226a708f25d44fbbe4eae36f0d66326bc46393534c2a0d2b9267ae1302002f",
                ),
                SourceFile(
                    "segment/segmentation.test",
                    "3b5aa7c3559fdc3a165e97d321809b81292084adfc112645e250d90321203685",
                ),
            ),
            rows=2_310,
            features=19,
            counts=_equal("BRICKFACE CEMENT FOLIAGE GRASS PATH SKY WINDOW", 330),
            low=-49.666668,
            high=1386.3292,
            whole=False,
            missing=0,
            duplicates=224,
            licence=_CC_BY,
            citation="Vision Group, University of Massachusetts (1990), doi 10.24432/C5GP4N",
        ),
        Facts(
            name="satimage",
            title="UCI Statlog (Landsat Satellite), sat.trn then sat.tst",
            about="soil: 1 red, 2 cotton crop, 3 grey, 4 damp grey, 5 stubble, 7 very damp grey",
            files=(
                SourceFile(
                    "satimage/sat.trn",
                    "e896dc88a960fa2404160fc4c3cb3dc53fcf4afd80ba920bf2d261bd42d12613",
                ),
                SourceFile(
                    "satimage/sat.tst",
                    "4b9167b8a92baafafed7c8809aef86d0683a5e685c19d98d119fa6974f0f2479",
                ),
            ),
            rows=6_435,
            features=36,
            counts=(("1", 1533), ("2", 703), ("3", 1358), ("4", 626), ("5", 707), ("7", 1508)),
            low=27,
            high=157,
            whole=True,
            missing=0,
            duplicates=0,
            licence=_CC_BY,
            citation="A. Srinivasan (1993), doi 10.24432/C55887",
        ),
        Facts(
            name="seizure",
            title="UCI Epileptic Seizure Recognition (withdrawn), made of the Bonn recordings",
            about="1: one second of a recording during a seizure; 2 to 5: other recordings",
            files=(
                SourceFile(
                    "epileptic_seizure/data.csv",
                    "8e32c6751af5e67373051c3ae3356020f854e1835232005071362c6d5fbabf9f",
                ),
            ),
            rows=11_500,
            features=178,
            counts=_equal("1 2 3 4 5", 2_300),
            low=-1885,
            high=2047,
            whole=True,
            missing=0,
            duplicates=0,
            groups=500,
            grouped_by="recording",
            licence="unclear: withdrawn from UCI; the recordings are free for research if cited",
            citation="R. G. Andrzejak et al. (2001), Phys. Rev. E 64, 061907",
        ),
        Facts(
            name="coil2000",
            title="UCI Insurance Company Benchmark (CoIL 2000), ticdata2000 then ticeval2000",
            about="1: the customer has a caravan insurance",
            files=(
                SourceFile(
                    "coil2000/ticdata2000.txt",
                    "4e967da7c4d1759b9f2ddbd39aace45af6a6685a7a7ecd6febb161a60dd8fe0a",
                ),
                SourceFile(
                    "coil2000/ticeval2000.txt",
                    "26bd871a5fef8dc05b9505bc58af2a47479f3782db69fcd42e43b80da48b1f3d",
                ),
                SourceFile(
                    "coil2000/tictgts2000.txt",
                    "43233f77ce0c182b3ec6b175a6d9c53a0ca8e6d4a5d76e01d8165935d43d7e4b",
                ),
            ),
            rows=9_822,
            features=85,
            counts=(("0", 9_236), ("1", 586)),
            low=0,
            high=41,
            whole=True,
            missing=0,
            duplicates=1_442,
            licence="non-commercial research and education, as its description states; "
            "CC BY 4.0, as the UCI repository states",
            citation="P. van der Putten, M. van Someren (2000), doi 10.24432/C5630S",
        ),
        Facts(
            name="ozone",
            title="UCI Ozone Level Detection, onehr.data",
            about="1: an ozone day, by the one-hour peak",
            files=(
                SourceFile(
                    "ozone/onehr.data",
                    "8160d264300304ac00bb51dadbe5156c18431d3650f6f4646bf0cb3ff3c2ccdb",
                ),
            ),
            rows=2_536,
            features=72,
            counts=(("0", 2_463), ("1", 73)),
            low=-135,
            high=10_350,
            whole=False,
            missing=14_938,
            duplicates=8,
            licence=_CC_BY,
            citation="K. Zhang, W. Fan, X. Yuan (2008), doi 10.24432/C5NG6W",
        ),
        replace(_APS, partial=_APS_PARTIAL),
        Facts(
            name="optdigits",
            title="UCI Optical Recognition of Handwritten Digits, optdigits.tra then .tes",
            about="the handwritten digit",
            files=(
                SourceFile(
                    "optdigits/optdigits.tra",
                    "e1b683cc211604fe8fd8c4417e6a69f31380e0c61d4af22e93cc21e9257ffedd",
                ),
                SourceFile(
                    "optdigits/optdigits.tes",
                    "6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ed9d9216ba7f651b8",
                ),
            ),
            rows=5_620,
            features=64,
            counts=tuple(
                zip("0123456789", (554, 571, 557, 572, 568, 558, 558, 566, 554, 562), strict=True)
            ),
            low=0,
            high=16,
            whole=True,
            missing=0,
            duplicates=0,
            licence=_CC_BY,
            citation="E. Alpaydin, C. Kaynak (1998), doi 10.24432/C50P49",
        ),
        Facts(
            name="cifar10",
            title="CIFAR-10, the 50,000 training images of its python version",
            about="what the image shows",
            files=tuple(
                SourceFile(f"cifar10/cifar-10-batches-py/data_batch_{number}", "", md5)
                for number, md5 in enumerate(
                    (
                        "c99cafc152244af753f735de768cd75f",
                        "d4bba439e000b95fd0a9bffe97cbabec",
                        "54ebc095f3ab1f0389bbae665268c751",
                        "634d18415352ddfa80567beed471001a",
                        "482c414d41f54cd18b22e5b47cb7c3cb",
                    ),
                    start=1,
                )
            ),
            rows=50_000,
            features=3_072,
            counts=_equal(_CIFAR, 5_000),
            low=0,
            high=255,
            whole=True,
            missing=0,
            duplicates=0,
            licence=_CIFAR_LICENCE,
            citation=_CIFAR_CITATION,
            shape=(32, 32, 3),
            archives=(
                "cifar10/cifar-10-batches-py.tar.xz",
                "cifar10/cifar-10-batches-py.tar.gz",
                "cifar10/cifar-10-python.tar.gz",
            ),
        ),
        Facts(
            name="cifar10-small",
            title="CIFAR-10, of each class the first 500 training and the first 100 test images",
            about="what the image shows",
            files=(
                SourceFile(
                    "cifar10/cifar10_subset_500x10_train_100x10_test.npz",
                    "6d3b557cee49c9d6ef64dc70034acbb89cf8fa24c8b700a2318096f1e9dabf60",
                ),
            ),
            rows=6_000,
            features=3_072,
            counts=_equal(_CIFAR, 600),
            low=0,
            high=255,
            whole=True,
            missing=0,
            duplicates=0,
            licence=_CIFAR_LICENCE,
            citation=_CIFAR_CITATION,
            shape=(32, 32, 3),
            note="cifar10-small: 6,000 of CIFAR-10's 60,000 images; results are not those of the "
            "whole data set",
        ),
    )
}
