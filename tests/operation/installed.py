"""`make wheel`: installs the wheel in an empty environment, migrates, makes an account and fetches pages."""

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 300  # tries


def main(wheel: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        venv.create(folder / "venv", with_pip=True)
        programs = folder / "venv" / "bin"
        # The locked packages first, then the wheel alone, as the image does.
        locked = ["--require-hashes", "-r", str(ROOT / "requirements.lock")]
        for arguments in (locked, ["--no-deps", str(Path(wheel).resolve())]):
            pip = [str(programs / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, *arguments], check=True)
        serve(programs / "my-qlik-portal", folder)
    print(f"{wheel}: installed, migrated, and served in French and English.")


def serve(portal: Path, folder: Path) -> None:
    env = {"PATH": os.environ["PATH"], "SANDBOX": "1", "PORT": "8765"}  # the instance is where it is started
    for command in ("db upgrade", "demo", "doctor"):
        subprocess.run([portal, *command.split()], cwd=folder, env=env, check=True)
    server = subprocess.Popen([portal, "serve"], cwd=folder, env=env)
    try:
        page = fetched(server, "/sign-in").decode()
        assert "Se connecter" in page, "the compiled sentences are in the wheel"
        assert len(fetched(server, page.split('stylesheet" href="')[1].split('"')[0])) > 1000
        assert fetched(server, "/readyz") == b"ok\n"
        with urlopen("http://127.0.0.1:8765/sandbox/accounts", b"scenario=business", timeout=30) as answer:
            assert answer.status in (200, 201), "the templates and the time zones are there"
    finally:
        server.terminate()
        assert server.wait(40) == 0


def fetched(server: "subprocess.Popen[bytes]", path: str) -> bytes:
    for _ in range(PATIENCE):
        assert server.poll() is None
        try:
            with urlopen(f"http://127.0.0.1:8765{path}", timeout=5) as answer:
                return bytes(answer.read())
        except URLError:
            try:
                server.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
    raise AssertionError("the portal did not start")


if __name__ == "__main__":
    main(sys.argv[1])
