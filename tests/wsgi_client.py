"""A client of a WSGI application that needs no port."""

from __future__ import annotations

import io
import json


def request(app, path: str, method: str = "GET", body: dict | None = None, host="localhost:80"):
    """Send a request; returns the status line, headers and bytes of the response."""
    response = {}

    def start_response(status, headers, _exc_info=None):
        response.update(status=status, headers=dict(headers))

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
    chunks = app(environ, start_response)
    content = b"".join(chunks)
    if hasattr(chunks, "close"):
        chunks.close()
    return response["status"], response["headers"], content


def get_json(app, path: str) -> dict:
    """Send a GET request; returns the JSON of the response."""
    status, _, content = request(app, path)
    assert status.startswith("200"), (status, content[:300])
    return json.loads(content)
