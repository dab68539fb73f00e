"""A local S3 server for tests, which can break in the ways that object stores do.

It is moto's, on a free port of 127.0.0.1. Moto does not check credentials and does not make a
conditional write exclusive; both are added here as S3 documents them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from moto.server import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from s3fs import S3FileSystem
from upath import UPath
from werkzeug.serving import make_server

from roi_forecast.data_path import parse_data_path

BUCKET = "roi"
KEY_ID = "roi-tests"
IN_BOTH = pytest.mark.parametrize("served", ["folder", "object store"], indirect=True)
"""Runs a test twice: with the data in a folder, and with the data in an object store."""
Fault = Callable[[str, str], str | None]
"""Gets method and path of a request; returns the status that answers it, or None: no fault."""


class ObjectStore:
    """A running server."""

    def __init__(self) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._exclusive = threading.Lock()
        self._fault: Fault | None = None
        self.requests: list[tuple[str, str]] = []
        self._start(0)

    @property
    def port(self) -> int:
        """TCP port on 127.0.0.1."""
        return self._port

    @property
    def variables(self) -> dict[str, str]:
        """What a process needs in its environment to reach the server."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._port}",
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": "secret-of-tests",
            "AWS_DEFAULT_REGION": "us-east-1",
            # s3fs tries five times, botocore each time as often again.
            "AWS_MAX_ATTEMPTS": "1",
        }

    def stop(self) -> None:
        """Stop answering; what is stored stays."""
        self._server.shutdown()
        self._server.server_close()

    @contextmanager
    def away(self) -> Iterator[None]:
        """Do not answer for the block."""
        self.stop()
        yield
        self._start(self._port)

    @contextmanager
    def failing(self, fault: Fault) -> Iterator[None]:
        """Answer requests of the block with a fault."""
        self._fault = fault
        try:
            yield
        finally:
            self._fault = None

    @contextmanager
    def other_client(self) -> Iterator[None]:
        """Let the block read the environment anew, which clients do once."""
        S3FileSystem.clear_instance_cache()
        yield
        S3FileSystem.clear_instance_cache()

    def _start(self, port: int) -> None:
        self._server = make_server(
            "127.0.0.1", port, self._answer, threaded=True, request_handler=_QuietHandler
        )
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        self.requests.append((method, path))
        status = self._fault(method, path) if self._fault else None
        if f"Credential={KEY_ID}/" not in environ.get("HTTP_AUTHORIZATION", ""):
            status = "403 InvalidAccessKeyId"
        if status is not None:
            # The body must be read before the answer.
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            return _error(status, start_response)
        if environ.get("HTTP_IF_NONE_MATCH") == "*":
            with self._exclusive:
                return list(self._moto(environ, start_response))
        answer: Iterable[bytes] = self._moto(environ, start_response)
        return answer


class _QuietHandler(MotoRequestHandler):
    def log(self, *_: object) -> None:
        """Print nothing for each request."""


def _error(status: str, start_response: Any) -> list[bytes]:
    code = status.partition(" ")[2]
    body = f"<Error><Code>{code}</Code><Message>{code} by the test</Message></Error>".encode()
    start_response(status, [("Content-Type", "text/xml"), ("Content-Length", str(len(body)))])
    return [body]


def slowly(seconds: float) -> Fault:
    """Answer each request late."""

    def wait(*_: str) -> None:
        time.sleep(seconds)

    return wait


def answering(status: str, method: str, part: str = "", times: int | None = None) -> Fault:
    """Answer requests with a status, at most so many times.

    Args:
        status: Number and code, such as `503 SlowDown`.
        method: HTTP method of those requests.
        part: What their path contains.
        times: None: always.
    """
    left = [times]

    def fault(asked: str, path: str) -> str | None:
        if asked != method or part not in path or left[0] == 0:
            return None
        if left[0] is not None:
            left[0] -= 1
        return status

    return fault


def fresh_folder(
    store: ObjectStore, name: str, local: Any, monkeypatch: pytest.MonkeyPatch
) -> UPath:
    """Return a folder in the store of the test's own, for this process and those that it starts.

    Args:
        store: The server.
        name: Name of the folder.
        local: The host's own folder for temporary files.
        monkeypatch: Sets the environment.
    """
    for variable, value in store.variables.items():
        monkeypatch.setenv(variable, value)
    use_host(local, monkeypatch)
    folder = parse_data_path(f"s3://{BUCKET}/{name}")
    assert isinstance(folder, UPath)
    folder.fs.mkdirs(BUCKET, exist_ok=True)
    return folder


def use_host(local: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take another folder of temporary files, as a process on another host does."""
    local.mkdir(parents=True, exist_ok=True)
    monkeypatch.setenv("TMPDIR", str(local))
    monkeypatch.setattr("tempfile.tempdir", str(local))
