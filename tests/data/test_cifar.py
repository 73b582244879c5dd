"""CIFAR-10: its pickled batches from a folder, an archive or Keras, and what is refused."""

from __future__ import annotations

import errno
import hashlib
import os
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from remix_study.data import cifar as cifar_module
from remix_study.data.cache import VARIABLE as CACHE
from remix_study.data.catalogue import CATALOGUE, PublishedFile
from remix_study.data.cifar import CLASSES, read_batch, read_subset, write_subset
from remix_study.data.named_datasets import describe, load_dataset
from remix_study.data.published_files import VARIABLE as DATA
from remix_study.data.published_files import FilesMissingError
from remix_study.data.published_formats import Parsed
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


def test_batches_that_keras_has_downloaded_are_found(cifar, tmp_path, monkeypatch):
    folder, batches = cifar
    keras_folder = Path(os.environ["KERAS_HOME"]) / "datasets" / "cifar-10-batches-py-target"
    keras_folder.mkdir(parents=True)
    folder.rename(keras_folder / "cifar-10-batches-py")
    assert_holds(load_dataset("cifar10"), batches)
    monkeypatch.delenv(DATA)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert_holds(load_dataset("cifar10"), batches)
    (keras_folder / "cifar-10-batches-py" / "data_batch_4").unlink()
    with pytest.raises(FilesMissingError, match=r"datasets fetch cifar10"):
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


@pytest.fixture
def large_set(monkeypatch):
    """Facts of a set of 60 training images, with 40 test images behind them, and its images."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (100, 32, 32, 3), np.uint8)
    whole = Parsed(images, np.arange(100) % 10, CLASSES, (), None)
    monkeypatch.setattr(cifar_module, "read_batches", lambda *_: (whole, []))
    return replace(CATALOGUE["cifar10"], rows=60), images


def test_the_small_set_has_the_first_images_of_each_class(tmp_path, monkeypatch, large_set):
    facts, images = large_set
    monkeypatch.setattr(cifar_module, "_SUBSET_COUNTS", {"train": 2, "test": 1})
    path = tmp_path / "small.npz"
    write_subset(facts, [tmp_path / "archive"], path)
    small, _ = read_subset(CATALOGUE["cifar10-small"], [path])
    np.testing.assert_array_equal(small.X, images[[*range(20), *range(60, 70)]])
    assert small.y.tolist() == [*range(10)] * 3
    assert list(tmp_path.iterdir()) == [path]


def test_a_small_set_that_cannot_be_written_leaves_the_earlier_one(
    tmp_path, monkeypatch, large_set
):
    def write_a_part(file, **_arrays):
        file.write(b"PK")
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "small.npz"
    path.write_bytes(b"whole")
    monkeypatch.setattr(np, "savez_compressed", write_a_part)
    with pytest.raises(OSError, match="No space left"):
        write_subset(large_set[0], [tmp_path / "archive"], path)
    assert path.read_bytes() == b"whole"


@pytest.mark.skipif(DATA not in os.environ, reason="REMIX_STUDY_DATA is not set")
def test_the_small_set_is_as_published():
    dataset = load_dataset("cifar10-small")
    assert dataset.X.shape == (6000, 32, 32, 3)
    assert dataset.counts.tolist() == [600] * 10
    assert dataset.notes == (CATALOGUE["cifar10-small"].note,) != ("",)
    # The first image of the first batch is a frog; its first pixel as the makers wrote it.
    assert dataset.classes[dataset.y[0]] == "frog"
    assert dataset.X[0, 0, 0].tolist() == [59, 62, 63]
