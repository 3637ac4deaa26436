"""The peer of the benches: a bare Flask application with one Jinja template, on the portal's own server."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import Flask, render_template, request
from jinja2 import DictLoader

from e2e.portal import ROOT, Sandbox, environment, free_port
from webapp.operation.rsgi import Front
from webapp.operation.web import serve


def bare(size: int = 500) -> Flask:
    """Answers every path with as many bytes."""
    app = Flask("bare")
    frame = "<p>{{ seats }} {{ path }}</p>"
    app.jinja_loader = DictLoader({"page.html": frame + "{{ rest }}" + "." * (size // 2)})

    @app.get("/<path:path>")
    def page(path: str) -> str:
        seats = request.args.get("seats", "0")
        rest = size - size // 2 - len(f"<p>{seats} {path}</p>")
        return render_template("page.html", seats=seats, path=path, rest="." * rest)

    return app


@contextmanager
def running_bare(folder: Path, threads: str) -> Iterator[Sandbox]:
    """In one process, served as each web process of the portal is."""
    port, (read, write) = str(free_port()), os.pipe()
    command = [sys.executable, "-m", "tests.bench.bare", port, threads, str(write)]
    with (folder / "bare.log").open("w") as log:
        server = subprocess.Popen(command, cwd=ROOT, env=environment(folder), stdout=log, stderr=log, pass_fds=[write])
        os.close(write)
        try:
            os.read(read, 1)  # ends when the server listens
            peer = Sandbox(f"http://127.0.0.1:{port}", folder, dict(os.environ))
            peer.server = server
            yield peer
        finally:
            os.close(read)
            server.terminate()
            server.wait(20)


if __name__ == "__main__":
    port, threads, ready = sys.argv[1:]
    serve(Front(bare(), int(threads)), "127.0.0.1", int(port), int(ready))
