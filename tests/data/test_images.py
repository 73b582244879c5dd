"""Image data sets: published batches, folders and NPZ files, and what is refused."""

from __future__ import annotations

import hashlib
import os
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from PIL import Image
from sklearn.datasets import load_digits

from remix_study.data.arrays import from_arrays
from remix_study.data.cache import VARIABLE as CACHE
from remix_study.data.catalogue import CATALOGUE, PublishedFile
from remix_study.data.cifar import CLASSES, read_batch
from remix_study.data.dataset_info import describe
from remix_study.data.folds import make_folds
from remix_study.data.images import load_images
from remix_study.data.named_datasets import load_dataset
from remix_study.data.problems import make_problem
from remix_study.data.published_files import VARIABLE as DATA
from remix_study.data.published_files import FilesMissingError
from remix_study.errors import DataError


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv(CACHE, str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path_factory.mktemp("keras")))


def pickle_batch(rng, n=12):
    """A batch as Python 2 pickled it, with byte keys and protocol 2; its pixels and labels."""
    pixels = rng.integers(0, 256, (n, 3072), np.uint8)
    labels = [int(label) for label in rng.integers(0, 10, n)]
    # Python 3 would write bytes through a function of the codecs module; Python 2 did not.
    text = pickle.dumps({"labels": labels, "data": 0}, protocol=2)
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        + b"(K\x01K" + bytes([n]) + b"M\x00\x0c\x86cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R"
        + b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
        + b"T" + (n * 3072).to_bytes(4, "little") + pixels.tobytes() + b"tb"
    )  # fmt: skip
    text = text.replace(b"X\x06\x00\x00\x00labels", b"U\x06labels")
    text = text.replace(b"X\x04\x00\x00\x00data", b"U\x04data")
    key = text.index(b"U\x04data")
    # The value of "data", past the memo of its key.
    value = text.index(b"K\x00", key)
    return text[:value] + array + text[value + 2 :], pixels, np.array(labels)


@pytest.fixture
def cifar(tmp_path, monkeypatch):
    """A small CIFAR-10 of five batches in its folder, with facts that fit it."""
    rng = np.random.default_rng(0)
    batches = [pickle_batch(rng) for _ in range(5)]
    folder = tmp_path / "data" / "cifar10" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    files = []
    for number, (content, _, _) in enumerate(batches, start=1):
        (folder / f"data_batch_{number}").write_bytes(content)
        files.append(
            PublishedFile(
                f"cifar10/cifar-10-batches-py/data_batch_{number}",
                "",
                hashlib.md5(content).hexdigest(),
            )
        )
    facts = replace(CATALOGUE["cifar10"], files=tuple(files), rows=60)
    monkeypatch.setitem(CATALOGUE, "cifar10", facts)
    monkeypatch.setenv(DATA, str(tmp_path / "data"))
    return folder, batches


def assert_holds(dataset, batches):
    """The data set holds the batches' images, with channels last instead of colour planes."""
    flat = np.concatenate([pixels for _, pixels, _ in batches])
    codes = np.concatenate([labels for _, _, labels in batches])
    assert dataset.X.shape == (60, 32, 32, 3)
    assert dataset.X.dtype == np.uint8
    assert not dataset.X.flags.writeable
    for image, y, x, channel in ((0, 0, 0, 0), (7, 3, 30, 1), (59, 31, 31, 2), (30, 0, 5, 2)):
        assert dataset.X[image, y, x, channel] == flat[image, channel * 1024 + y * 32 + x]
    np.testing.assert_array_equal(dataset.y, codes)
    assert dataset.classes == CLASSES


def test_the_batches_are_read_from_their_folder(cifar):
    folder, batches = cifar
    first = load_dataset("cifar10")
    assert_holds(first, batches)
    # The second load takes the cache: the same, to the last byte and hash.
    second = load_dataset("cifar10")
    assert_holds(second, batches)
    assert second.sha256 == first.sha256
    assert second.n_features == 3072
    assert (folder / "data_batch_1").exists()


@pytest.mark.parametrize("kind", ["xz", "gz"])
def test_the_batches_are_read_from_an_archive(cifar, kind):
    folder, batches = cifar
    path = folder.parent / f"cifar-10-batches-py.tar.{kind}"
    with tarfile.open(path, f"w:{kind}") as archive:
        # The makers' own archive is in no order either.
        for number in (4, 1, 3, 5, 2):
            archive.add(folder / f"data_batch_{number}", f"inside/data_batch_{number}")
    unpacked = load_dataset("cifar10").sha256
    for file in folder.iterdir():
        file.unlink()
    dataset = load_dataset("cifar10")
    assert_holds(dataset, batches)
    assert dataset.sha256 == unpacked
    with tarfile.open(path, f"w:{kind}") as archive:
        archive.add(__file__, "data_batch_5x")
    with pytest.raises(DataError, match=rf"{path}: data_batch_1, .* is not in the archive"):
        load_dataset("cifar10")
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(DataError, match=rf"{path}.*(damaged archive|not the published)"):
        load_dataset("cifar10")


def test_batches_that_keras_has_downloaded_are_found(cifar, monkeypatch):
    folder, batches = cifar
    keras_folder = Path(os.environ["KERAS_HOME"]) / "datasets" / "cifar-10-batches-py-target"
    keras_folder.mkdir(parents=True)
    folder.rename(keras_folder / "cifar-10-batches-py")
    assert_holds(load_dataset("cifar10"), batches)
    monkeypatch.delenv(DATA)
    assert_holds(load_dataset("cifar10"), batches)
    (keras_folder / "cifar-10-batches-py" / "data_batch_4").unlink()
    with pytest.raises(FilesMissingError, match=r"keras\.datasets\.cifar10\.load_data"):
        load_dataset("cifar10")


def test_a_truncated_batch_is_refused_with_its_name(cifar):
    folder, batches = cifar
    path = folder / "data_batch_3"
    path.write_bytes(batches[2][0][:-100])
    with pytest.raises(DataError, match=rf"{path}: not the published batch: .* bytes with md5"):
        load_dataset("cifar10")
    info = describe("cifar10")
    assert info.state == "refused"
    assert info.shape == (32, 32, 3)


class CallsSystem:
    """An object whose unpickling runs a command."""

    def __reduce__(self):
        return os.system, ("touch CREATED",)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_that_names_another_function_is_refused(tmp_path, monkeypatch, protocol):
    monkeypatch.chdir(tmp_path)
    content = pickle.dumps({"data": CallsSystem(), "labels": [1]}, protocol)
    with pytest.raises(DataError, match=r"data_batch_1: .*asks for posix\.system"):
        read_batch(content, "data_batch_1")
    assert not list(tmp_path.iterdir())


def test_batches_of_something_else_are_refused():
    rng = np.random.default_rng(1)
    good, pixels, labels = pickle_batch(rng)
    read_pixels, codes = read_batch(good, "b")
    np.testing.assert_array_equal(read_pixels, pixels)
    np.testing.assert_array_equal(codes, labels)
    for content in (b"", b"text", pickle.dumps([1, 2]), good[:-50], good.replace(b"u1", b"i1")):
        with pytest.raises(DataError, match=r"^b: "):
            read_batch(content, "b")


@pytest.mark.skipif(DATA not in os.environ, reason="REMIX_STUDY_DATA is not set")
def test_the_small_set_is_as_published():
    dataset = load_dataset("cifar10-small")
    assert dataset.X.shape == (6000, 32, 32, 3)
    assert dataset.counts.tolist() == [600] * 10
    assert dataset.notes == (CATALOGUE["cifar10-small"].note,) != ("",)
    # The first image of the first batch is a frog; its first pixel as the makers wrote it.
    assert dataset.classes[dataset.y[0]] == "frog"
    assert dataset.X[0, 0, 0].tolist() == [59, 62, 63]


def test_digits_are_images_too():
    dataset = load_dataset("digits-images")
    bunch = load_digits()
    assert dataset.X.shape == (1797, 8, 8, 1)
    assert dataset.X.dtype == np.uint8
    np.testing.assert_allclose(dataset.X[..., 0] / 255 * 16, bunch.images, atol=0.04)
    assert (dataset.X.min(), dataset.X.max()) == (0, 255)
    assert (dataset.has_images, dataset.row_shape) == (True, (8, 8, 1))
    assert not load_dataset("digits").has_images


def test_a_problem_and_its_folds_are_row_numbers():
    dataset = load_dataset("digits-images")
    problem = make_problem(dataset, kind="binary", minority=("8",), imbalance=0.25, seed=3)
    # 174 eights are 0.107 of the others, so the others give way, all digits alike.
    assert problem.counts.tolist() == [696, 174]
    assert "exceeds the natural" in problem.notes[0]
    others = np.bincount(dataset.y[problem.rows], minlength=10)
    assert others[8] == 174
    assert others[np.arange(10) != 8].min() >= 76
    np.testing.assert_array_equal(problem.X, dataset.X[problem.rows])
    for fold in make_folds(problem, folds=2, repeats=1, validation=0.3):
        assert len(fold.train) + len(fold.validation) + len(fold.test) == 870


def random_image(shape=(6, 5), channels=3, seed=0):
    shape = shape if channels == 1 else (*shape, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


@pytest.fixture
def pets(tmp_path):
    """A folder of class folders: three cats, two dogs."""
    for number, name in enumerate(
        ("cats/a.png", "cats/b.PNG", "cats/c.png", "dogs/a.png", "dogs/b.png")
    ):
        path = tmp_path / "pets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random_image(seed=number)).save(path, format="png")
    return tmp_path / "pets"


def test_a_folder_of_class_folders(pets):
    (pets / ".hidden").mkdir()
    (pets / "cats" / ".DS_Store").write_text("x")
    dataset = load_images(pets)
    assert dataset.name == "pets"
    assert dataset.classes == ("cats", "dogs")
    assert dataset.y.tolist() == [0, 0, 0, 1, 1]
    for number, image in enumerate(dataset.X):
        np.testing.assert_array_equal(image, random_image(seed=number))
    assert dataset.notes == ()
    (pets / "dogs" / "notes.txt").write_text("good dogs")
    assert load_images(pets).notes == (
        "pets: 1 entries that are neither PNG nor JPEG were left out",
    )


def test_jpeg_and_grey_images(tmp_path):
    for number, name in enumerate(("x/1.jpg", "x/2.jpeg", "y/1.jpg")):
        path = tmp_path / "grey" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random_image((16, 8), 1, number)).save(path)
    dataset = load_images(tmp_path / "grey")
    assert dataset.X.shape == (3, 16, 8, 1)


def spoil(pets, fault):
    """Put a fault into a folder of images.

    Returns:
        The path that the message must name, and what it must say.
    """
    if fault == "grey":
        path = pets / "dogs" / "b.png"
        Image.fromarray(random_image(channels=1)).save(path)
        return path, "6 x 5 pixels, grey, but .*cats/a.png is 6 x 5 pixels, RGB"
    if fault == "size":
        path = pets / "cats" / "c.png"
        Image.fromarray(random_image((6, 7))).save(path)
        return path, "6 x 7 pixels, RGB, but"
    if fault == "empty":
        (pets / "hamsters").mkdir()
        return pets / "hamsters", "holds no PNG or JPEG file; fill or remove this class"
    if fault == "truncated":
        path = pets / "dogs" / "a.png"
        path.write_bytes(path.read_bytes()[:60])
        return path, r"cannot be read as an image \(.+\); replace it"
    if fault == "text":
        path = pets / "dogs" / "a.png"
        path.write_text("no image")
        return path, r"cannot be read as an image \(cannot identify image file\)"
    if fault == "alpha":
        path = pets / "dogs" / "b.png"
        Image.fromarray(random_image(channels=4)).save(path)
        return path, "colour mode is RGBA; save it as grey or RGB"
    if fault == "one class":
        for file in (pets / "dogs").iterdir():
            file.unlink()
        (pets / "dogs").rmdir()
        return pets, "all 3 rows are of class cats"
    assert fault == "flat"
    return pets / "cats", "holds no folders"


@pytest.mark.parametrize(
    "fault", ["grey", "size", "empty", "truncated", "text", "alpha", "one class", "flat"]
)
def test_folders_that_are_refused(pets, fault):
    path, message = spoil(pets, fault)
    with pytest.raises(DataError, match=message) as caught:
        load_images(path if fault == "flat" else pets)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def save_npz(path, **arrays):
    np.savez(path, **arrays)
    return path


def test_npz_arrays(tmp_path):
    X = np.stack([random_image(seed=number) for number in range(4)])
    path = save_npz(
        tmp_path / "mine.npz", X=X, y=np.array(["b", "a", "a", "b"]), groups=[5, 5, 6, 6]
    )
    dataset = load_images(path)
    np.testing.assert_array_equal(dataset.X, X)
    assert (dataset.name, dataset.source) == ("mine", "file mine.npz")
    assert dataset.classes == ("a", "b")
    assert dataset.y.tolist() == [1, 0, 0, 1]
    assert dataset.groups.tolist() == [0, 0, 1, 1]
    grey = load_images(save_npz(tmp_path / "grey.npz", X=X[..., 0], y=[0, 1, 1, 0]))
    assert grey.X.shape == (4, 6, 5, 1)
    from_python = from_arrays(X, ["b", "a", "a", "b"], groups=[5, 5, 6, 6], name="mine")
    assert from_python.sha256 == dataset.sha256
    assert from_arrays(np.flip(X, 0), ["b", "a", "a", "b"]).sha256 != dataset.sha256


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"X": np.zeros((4, 6, 5, 3)), "y": [0, 1, 1, 0]},
            "X holds float64; images must be uint8",
        ),
        ({"X": np.zeros((4, 6), np.uint8), "y": [0, 1, 1, 0]}, "X has shape (4, 6)"),
        ({"X": np.zeros((4, 3, 6, 5), np.uint8), "y": [0, 1, 1, 0]}, "channels must come last"),
        ({"X": np.zeros((4, 6, 5), np.uint8), "y": [0, 1, 1]}, "X has 4 images and y has 3"),
        ({"X": np.zeros((4, 6, 5), np.uint8), "y": [[0], [1], [1], [0]]}, "y has shape (4, 1)"),
        ({"X": np.zeros((4, 6, 5), np.uint8), "y": [1, 1, 1, 1]}, "all 4 rows are of class 1"),
        ({"x": np.zeros((4, 6, 5), np.uint8)}, 'there is no array "X"; its arrays are x'),
        (
            {"X": np.zeros((4, 6, 5), np.uint8), "y": np.array([{}, {}, 1, 1])},
            "cannot be read as NPZ arrays (Object arrays cannot be loaded",
        ),
    ],
)
def test_npz_files_that_are_refused(tmp_path, arrays, message):
    path = save_npz(tmp_path / "mine.npz", **arrays)
    with pytest.raises(DataError) as caught:
        load_images(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_paths_that_hold_no_images(tmp_path):
    (tmp_path / "mine.csv").write_text("a,b\n")
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 broken")
    for name, message in (
        ("mine.csv", "neither a folder nor an .npz file"),
        ("gone", "no such file or folder"),
        ("gone.npz", "no such file"),
        ("broken.npz", "cannot be read as NPZ arrays"),
    ):
        with pytest.raises(DataError, match=message):
            load_images(tmp_path / name)
