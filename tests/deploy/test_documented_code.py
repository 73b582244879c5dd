"""The notebooks run, and so does the server that the docs show."""

from __future__ import annotations

import json
import re
import threading
import urllib.request
import wsgiref.simple_server
from pathlib import Path

import numpy as np
import pytest

import remix_study

DOCS = Path(remix_study.__file__).parents[1] / "docs"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DOCS.exists(), reason="the docs come with a clone only"),
]


def names_after(notebook, folder):
    """The names of a notebook after all of its cells, which ran in a folder."""
    cells = json.loads((DOCS / "notebooks" / notebook).read_text())["cells"]
    names = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for cell in cells:
            if cell["cell_type"] == "code":
                exec("".join(cell["source"]), names)
    return names


@pytest.fixture(scope="module")
def notebook(tmp_path_factory):
    """The notebook from a frame to a model."""
    folder = tmp_path_factory.mktemp("notebook")
    names = names_after("frame-to-model.ipynb", folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield names


def test_the_notebook_on_a_keras_model_of_ones_own_ends_with_a_model_that_knows_eights(here):
    names = names_after("own-keras-model.ipynb", here)
    assert names["summary"].completed == 8
    expected = names["model"].raw_outputs(names["eights"])
    np.testing.assert_allclose(names["outputs"], expected, atol=1e-6)
    is_right = names["answers"]["class"].to_numpy() == names["y_new"].to_numpy()
    assert is_right.mean() > 0.8


def test_the_notebook_ends_with_a_model_that_keras_loads(notebook):
    outputs = np.asarray(notebook["outputs"])
    np.testing.assert_allclose(outputs.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(
        outputs, notebook["network"].raw_outputs(notebook["inputs"].astype("float32")), atol=1e-6
    )
    is_right = notebook["answers"]["class"].to_numpy() == notebook["new"]["tumour"].to_numpy()
    assert is_right.mean() > 0.7


def test_the_server_of_the_docs_gives_the_probabilities_of_the_model(notebook, monkeypatch):
    pytest.importorskip("tf2onnx")
    pytest.importorskip("onnxruntime")
    X, y, new = notebook["X"], notebook["y"], notebook["new"].iloc[:5].drop(columns="tumour")
    model = remix_study.fit("tumours.toml", X, y, method="cost", export="onnx")
    (code,) = re.findall(
        r"```python\n(.*?make_server.*?)```", (DOCS / "deploy.md").read_text(), re.S
    )
    servers = []

    def make_server(host, _, application):
        servers.append(wsgiref.simple_server.WSGIServer((host, 0), _SilentHandler))
        servers[0].set_app(application)
        return servers[0]

    monkeypatch.setattr(wsgiref.simple_server, "make_server", make_server)
    thread = threading.Thread(target=exec, args=(code, {}), daemon=True)
    thread.start()
    while not servers and thread.is_alive():
        thread.join(0.05)
    rows = new.to_dict("records")
    del rows[0]["mean area"]
    new.iloc[0, new.columns.get_loc("mean area")] = np.nan
    url = f"http://127.0.0.1:{servers[0].server_port}"
    with urllib.request.urlopen(url, json.dumps(rows).encode()) as response:
        answers = json.load(response)
    servers[0].shutdown()
    thread.join()
    servers[0].server_close()
    p = [[answer[name] for name in model.classes] for answer in answers]
    np.testing.assert_allclose(p, model.predict_proba(new), atol=1e-6)


class _SilentHandler(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *_):
        pass
