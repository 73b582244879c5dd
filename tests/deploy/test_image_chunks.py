"""Images to predict: those of a folder, of a file of arrays, of an array, one answer each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from remix_study.data.images import load_images
from remix_study.deploy import saved_model
from remix_study.deploy.records import Answers, FeatureFile
from remix_study.deploy.saved_model import SavedModel
from remix_study.errors import DataError

SHAPE = (6, 5, 3)
IMAGES = np.random.default_rng(0).integers(0, 256, (5, *SHAPE), np.uint8)
NAMES = ("new.png", "cats/a.png", "cats/b.JPG.png", "dogs/a.png", "dogs/c.png")


@pytest.fixture
def model(monkeypatch):
    """A model whose probability of a dog is the mean brightness; it takes two at a time."""
    monkeypatch.setattr(saved_model, "_BLOCK", 2)
    none = dict.fromkeys(("divide_by", "multiply_by", "decide_by", "costs"))
    answers = Answers(("cat", "dog"), (), "natural", rule="threshold", threshold=0.5, **none)

    def outputs(pixels):
        dog = pixels.mean(axis=(1, 2, 3)) / 255
        return np.column_stack([1 - dog, dog])

    return SavedModel(Path(), FeatureFile(images=SHAPE), answers, {}, outputs)


@pytest.fixture
def folder(tmp_path):
    for name, pixels in zip(NAMES, IMAGES, strict=True):
        path = tmp_path / "pets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    (tmp_path / "pets" / "notes.txt").write_text("no image")
    (tmp_path / "pets" / ".hidden.png").write_text("no image")
    return tmp_path / "pets"


def dogs(model, images):
    return np.concatenate([frame["probability dog"] for frame in model.frames(images)])


def test_a_folder_has_an_answer_for_each_file(model, folder):
    frames = list(model.frames(folder))
    assert [len(frame) for frame in frames] == [2, 2, 1]
    assert [name for frame in frames for name in frame["file"]] == list(NAMES)
    assert list(frames[0]) == ["file", "probability cat", "probability dog", "class", "mark"]
    np.testing.assert_allclose(dogs(model, folder), IMAGES.mean(axis=(1, 2, 3)) / 255, rtol=1e-6)
    assert frames[0]["class"].tolist() == model.predict(IMAGES[:2]).tolist()


def test_other_forms_of_images_have_the_same_answers(model, folder, tmp_path):
    np.savez(tmp_path / "pets.npz", X=IMAGES)
    assert "file" not in next(model.frames(IMAGES))
    for images in (IMAGES, tmp_path / "pets.npz"):
        np.testing.assert_array_equal(dogs(model, images), dogs(model, folder))
    (one_file,) = model.frames(folder / "new.png")
    assert one_file["file"].tolist() == ["new.png"]
    studied = load_images(folder)
    np.testing.assert_array_equal(dogs(model, studied.X), dogs(model, folder)[1:])


def test_what_is_no_such_image_is_refused_by_name(model, folder, tmp_path):
    for images, reason in (
        (tmp_path / "nowhere", "nowhere: no such file or folder; name an image, a folder of"),
        (folder / "notes.txt", "notes.txt: no image; name an image"),
        (IMAGES[:, :4], r"X: an array \(5, 4, 5, 3\), but the model takes images, uint8 \(n, 6 x"),
        (IMAGES[..., 0], "X: an array"),
        (IMAGES / 255, "X: X holds float64; images must be uint8"),
    ):
        with pytest.raises(DataError, match=reason):
            model.predict_proba(images)
    Image.fromarray(IMAGES[0, :, :, 0]).save(folder / "dogs" / "grey.png")
    message = r"grey\.png: 6 x 5 pixels, grey, but the model takes 6 x 5 pixels, RGB; bring it"
    with pytest.raises(DataError, match=message):
        model.predict_proba(folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty: holds no PNG or JPEG file"):
        model.predict_proba(tmp_path / "empty")


def test_an_array_without_images_is_refused(model):
    with pytest.raises(DataError, match=r"^X: an array \(0, 6, 5, 3\) without images$"):
        model.predict(IMAGES[:0])
