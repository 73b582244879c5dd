"""The command ``dashboard`` as a process: where it listens, how it ends, what it refuses."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_studies import command
from wsgi_client import request

from remix_study.cli.main import main, parser
from remix_study.dashboard.server import is_loopback, refuse_other_pages, restrict_to_localhost

README = Path(__file__).parents[2] / "README.md"


def listening(pid: int) -> set[str]:
    """Addresses on which a process listens, as the kernel writes them."""
    sockets = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            sockets.add(str(link.readlink()))
        except OSError:
            continue
    addresses = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                addresses.add(fields[1].split(":")[0])
    return addresses


@pytest.fixture
def served(finished, here):
    shutil.copy(finished, here / "remix-study.db")
    process = command("dashboard", "tiny", "--port", "0", "--json", cwd=here)
    try:
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


def test_it_listens_on_this_machine_alone_and_ends_with_a_signal(served, here):
    process, answer = served
    assert answer["address"].startswith("http://127.0.0.1:")
    assert answer["studies"] == {"tiny/wine": f"{answer['address']}/studies/1/note"}
    assert listening(process.pid) == {"0100007F"}
    port = int(answer["address"].split(":")[2].split("/")[0])
    # A browser opens connections that it does not use.
    with socket.create_connection(("127.0.0.1", port)):
        for host, status in (("localhost", 200), ("evil.example", 403)):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            connection.request("GET", "/api/studies", headers={"Host": f"{host}:{port}"})
            response = connection.getresponse()
            assert response.status == status
            text = response.read()
            assert (b"tiny/wine" in text) == (status == 200)
            connection.close()
        assert main(["dashboard", "--port", str(port)]) == 2
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors == "remix-study: stopped; run the same command to go on\n"
    assert (here / "remix-study-artifacts").is_dir()


def test_plain_optuna_dashboard_opens_a_database_of_ours(finished, here):
    """The command as the README has it, on a port that is free."""
    shutil.copy(finished, here / "remix-study.db")
    (words,) = re.findall(r"`(optuna-dashboard sqlite:.*)`", README.read_text())
    program, url = words.split()
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    process = subprocess.Popen(
        [Path(sys.executable).with_name(program), url, "--port", str(port)],
        cwd=here,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        studies = json_answer(process, port, "/api/studies")["study_summaries"]
        assert [study["study_name"] for study in studies] == ["tiny/wine"]
        first = json_answer(process, port, f"/api/studies/{studies[0]['study_id']}")["trials"][0]
        assert first["state"] == "Complete"
        assert {parameter["name"] for parameter in first["params"]} == {"strategy"}
    finally:
        process.kill()
        process.wait(timeout=30)


def json_answer(process: subprocess.Popen, port: int, path: str) -> dict:
    """The JSON that a server answers, waiting until it listens."""
    while process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request("GET", path)
            return json.loads(connection.getresponse().read())
        except ConnectionRefusedError:
            time.sleep(0.1)
        finally:
            connection.close()
    raise AssertionError(f"the server ended with exit code {process.returncode}")


def test_by_default_it_is_this_machine():
    options = parser().parse_args(["dashboard"])
    assert (options.host, options.port, options.study) == ("127.0.0.1", 8080, None)


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["--storage", "sqlite:///none.db"], 3, "none.db: there is no such database"),
        (["tini"], 2, 'the database holds no study "tini"; did you mean "tiny"?'),
        (["none.toml"], 2, "none.toml"),
        (["--host", "192.0.2.1", "--port", "0"], 2, "cannot listen on 192.0.2.1, port 0"),
        (["--host", "no.such.host.invalid"], 2, "cannot listen on no.such.host.invalid"),
        (["--artifacts", "file"], 2, "file: cannot be a folder for artifacts"),
    ],
)
def test_a_mistake_is_one_line(words, code, text, finished, here, capsys):
    shutil.copy(finished, here / "remix-study.db")
    (here / "file").write_text("")
    assert main(["dashboard", *words]) == code
    out, errors = capsys.readouterr()
    assert out == ""
    assert text in errors
    assert errors.count("\n") == 1
    assert not (here / "none.db").exists()


def test_a_port_in_use_is_named(finished, here, capsys):
    shutil.copy(finished, here / "remix-study.db")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["dashboard", "--port", str(port)]) == 2
    assert f"port {port} of 127.0.0.1 is in use; name another one" in capsys.readouterr().err
    with pytest.raises(SystemExit) as caught:
        main(["dashboard", "--port", "70000"])
    assert caught.value.code == 2


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True), ("127.0.0.1", True), ("127.8.8.8", True), ("::1", True),
        ("[::1]", True), ("10.0.0.1", False), ("localhost.evil.example", False), ("", False),
        ("127.0.0.1.evil.example", False),
    ],
)  # fmt: skip
def test_what_only_this_machine_can_reach(host, loopback):
    assert is_loopback(host) is loopback
    if ":" in host and not host.startswith("["):
        return

    def app(_environ, start):
        start("200 OK", [])
        return [b"x"]

    for name in (host, f"{host}:8080"):
        status, _, _ = request(restrict_to_localhost(app), "/", host=name)
        assert status.startswith("200" if loopback else "403"), name


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, "200 OK"),
        ({"HTTP_HOST": "localhost:8080"}, "200 OK"),
        ({"HTTP_HOST": "localhost:8080", "HTTP_ORIGIN": "http://localhost:8080"}, "200 OK"),
        ({"HTTP_HOST": "localhost:8080", "HTTP_ORIGIN": "http://localhost:3000"}, "403 Forbidden"),
        ({"HTTP_HOST": "localhost:8080", "HTTP_ORIGIN": "https://evil.example"}, "403 Forbidden"),
        ({"HTTP_HOST": "localhost:8080", "HTTP_ORIGIN": "null"}, "403 Forbidden"),
        ({"HTTP_ORIGIN": "http://localhost:8080"}, "403 Forbidden"),
    ],
)
def test_other_pages_can_neither_send_nor_frame(headers, status):
    answers = []

    def app(_environ, start):
        start("200 OK", [])
        return []

    refuse_other_pages(app)(headers, lambda *answer: answers.append(answer))
    ((answered, sent),) = answers
    assert (answered, ("X-Frame-Options", "DENY") in sent) == (status, True)
