"""optuna-dashboard on a database of a study, as its own application serves it."""

from __future__ import annotations

import io
import json
import shutil

import pytest
from optuna.storages import RDBStorage
from optuna_dashboard import wsgi

from remix_study.study.storage import open_storage


def get(app, path: str) -> dict:
    """Answer of a WSGI application to a GET request."""
    response = {}

    def start_response(status, _headers, _exc_info=None):
        response["status"] = status

    url, _, parameters = path.partition("?")
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": url,
        "QUERY_STRING": parameters,
        "SERVER_NAME": "test",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
    }
    body = b"".join(app(environ, start_response))
    assert response["status"].startswith("200"), (response, body[:300])
    return json.loads(body)


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.usefixtures("here")
def test_the_dashboard_shows_studies_metrics_trials_and_short_attributes(finished):
    shutil.copy(finished, "shown.db")
    storage = RDBStorage("sqlite:///shown.db")
    app = wsgi(storage)
    # As while a run in another process writes.
    with open_storage("sqlite:///shown.db").engine.begin() as writing:
        writing.exec_driver_sql("UPDATE remix_runs SET seconds = seconds")
        (summary,) = get(app, "/api/studies")["study_summaries"]
        assert summary["study_name"] == "tiny/wine"
        assert summary["directions"] == ["maximize", "minimize"]
        detail = get(app, f"/api/studies/{summary['study_id']}?after=0")
    assert detail["objective_names"] == ["g-mean", "BBS"]
    assert [trial["state"] for trial in detail["trials"]] == ["Complete"] * 3
    attributes = [a for trial in detail["trials"] for a in trial["user_attrs"]]
    attributes += detail["user_attrs"]
    assert {"row", "validation g-mean", "epochs", "seconds"} <= {a["key"] for a in attributes}
    assert all(len(a["value"]) < 200 for a in attributes)
    rows = [a["value"] for a in attributes if a["key"] == "row"]
    assert rows == ["baseline", "balance", "remix (0.1)"]
    storage.remove_session()
    storage.engine.dispose()
