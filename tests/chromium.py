"""Requests to a WSGI application, as a browser would send them."""

from __future__ import annotations

import io
import json


def request(app, path: str, method: str = "GET", body: dict | None = None, host="localhost:80"):
    """The status line, headers and bytes of an answer."""
    answer = {}

    def start_response(status, headers, _exc_info=None):
        answer.update(status=status, headers=dict(headers))

    content = b"" if body is None else json.dumps(body).encode()
    url, _, parameters = path.partition("?")
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": url,
        "QUERY_STRING": parameters,
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(content)),
        "SERVER_NAME": "test",
        "SERVER_PORT": "80",
        "HTTP_HOST": host,
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(content),
    }
    found = app(environ, start_response)
    content = b"".join(found)
    if hasattr(found, "close"):
        found.close()
    return answer["status"], answer["headers"], content


def ask(app, path: str) -> dict:
    """The JSON that answers a GET."""
    status, _, content = request(app, path)
    assert status.startswith("200"), (status, content[:300])
    return json.loads(content)
