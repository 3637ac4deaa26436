"""The browser of the tests: an explicit one, Playwright's own, the system's, or one installed now; else one clear sentence.

`python -m e2e.browser` is what `make test` calls to be sure that there is one.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

SYSTEM = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ADVICE = "No browser for the tests: install Chromium, or set BROWSER_PATH to one."


def find() -> str | None:
    """The path of a Chromium; BROWSER_PATH wins."""
    given = os.environ.get("BROWSER_PATH")
    if given:
        return given if os.access(given, os.X_OK) else None
    return _playwrights_own() or next((path for path in map(shutil.which, SYSTEM) if path), None)


def _playwrights_own() -> str | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def install() -> None:
    """Debian's packages where this user may install them, else Playwright's download."""
    if shutil.which("apt-get") and os.geteuid() == 0:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(["apt-get", "update"], check=False, **quiet)  # type: ignore[call-overload]
        for package in ("chromium-headless-shell", "chromium"):
            done = subprocess.run(
                ["apt-get", "install", "-y", "--no-install-recommends", package, "fonts-dejavu-core"], check=False, **quiet
            )  # type: ignore[call-overload]
            if done.returncode == 0:
                return
    subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)


def ensure() -> str:
    """Raises SystemExit with one sentence where no browser can be had."""
    path = find()
    if path is None and not os.environ.get("BROWSER_PATH"):
        print("Installing a browser for the tests…", flush=True)
        install()
        path = find()
    if path is None:
        raise SystemExit(ADVICE)
    return path


def launch_options() -> dict[str, object]:
    sandboxed = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    return {"executable_path": ensure(), "args": [*sandboxed, "--disable-background-networking"]}


if __name__ == "__main__":
    ensure()
