"""Image data sets: digits, folders and NPZ files of a user, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from remix_study.data.arrays import from_arrays
from remix_study.data.folds import make_folds
from remix_study.data.images import load_images
from remix_study.data.named_datasets import load_dataset
from remix_study.data.problems import make_problem
from remix_study.errors import DataError


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
        ({"X": np.zeros((4, 6, 5), np.uint8), "y": np.eye(4)}, "y has shape (4, 4)"),
        (
            {"X": np.zeros((4, 6, 5), np.uint8), "y": [0, 1, np.nan, 0]},
            "y is missing in 1 of 4 rows, first in row 2",
        ),
        (
            {"X": np.zeros((4, 6, 5), np.uint8), "y": [0, 1, 1, 0], "groups": ["a", "", "b", "b"]},
            "groups is missing in 1 of 4 rows, first in row 1",
        ),
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
        ("gone", "No such file or directory"),
        ("gone.npz", "no such file"),
        ("broken.npz", "cannot be read as NPZ arrays"),
    ):
        with pytest.raises(DataError, match=message):
            load_images(tmp_path / name)
