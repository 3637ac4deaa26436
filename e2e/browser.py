"""The browser of the tests: BROWSER_PATH, Playwright's own, the system's, or one installed now.

`make test` calls `python -m e2e.browser` first, which installs a browser if there is none.
"""

import json
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

SYSTEM = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FIREFOX = ("firefox-esr", "firefox")
FIREFOX_OF_PLAYWRIGHT = Path("/snap/bin/firefox")
NO_FIREFOX = (
    "No Firefox for BROWSER=firefox: install Debian’s firefox-esr; if you are not root, link it to /snap/bin/firefox."
)
ADVICE = "No browser for the tests: install Chromium, or set BROWSER_PATH to one."


def find() -> str | None:
    """The path of a Chromium; BROWSER_PATH wins."""
    chosen = os.environ.get("BROWSER_PATH")
    if chosen:
        return chosen if os.access(chosen, os.X_OK) else None
    return _playwrights_own() or next((path for path in map(shutil.which, SYSTEM) if path), None)


def _playwrights_own() -> str | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def install() -> None:
    """Installs Debian's package if this user may, else Playwright's download."""
    if shutil.which("apt-get") and os.geteuid() == 0:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(["apt-get", "update"], check=False, **quiet)  # type: ignore[call-overload]
        for package in ("chromium-headless-shell", "chromium"):
            done = subprocess.run(
                ["apt-get", "install", "-y", "--no-install-recommends", package, "fonts-dejavu-core"],
                check=False,
                **quiet,
            )  # type: ignore[call-overload]
            if done.returncode == 0:
                return
    subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)


def ensure() -> str:
    """The path of a browser, installed if need be; SystemExit with advice if that fails."""
    path = find()
    if path is None and not os.environ.get("BROWSER_PATH"):
        print("Installing a browser for the tests…", flush=True)
        install()
        path = find()
    if path is None:
        raise SystemExit(ADVICE)
    return path


def launch_options(engine: str = "chromium") -> dict[str, object]:
    if engine == "firefox":
        ensure_firefox()
        return {"channel": "moz-firefox"}
    sandboxed = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    return {"executable_path": ensure(), "args": [*sandboxed, "--disable-background-networking"]}


def ensure_firefox() -> None:
    """Links the system's Firefox where Playwright looks for a stock one. SystemExit if there is none."""
    system = next((path for path in map(shutil.which, FIREFOX) if path), None)
    if FIREFOX_OF_PLAYWRIGHT.exists():
        return
    if system:
        with suppress(OSError):
            FIREFOX_OF_PLAYWRIGHT.parent.mkdir(parents=True, exist_ok=True)
            FIREFOX_OF_PLAYWRIGHT.unlink(missing_ok=True)  # a dangling link
            FIREFOX_OF_PLAYWRIGHT.symlink_to(system)
    if not FIREFOX_OF_PLAYWRIGHT.exists():
        raise SystemExit(NO_FIREFOX)


def ensure_ffmpeg() -> bool:
    """Whether video can be recorded. Playwright looks for ffmpeg in its own cache: link the system's there."""
    ours = _playwrights_ffmpeg()
    if ours.exists():
        return True
    if not shutil.which("ffmpeg"):
        _install_ffmpeg()
    system = shutil.which("ffmpeg")
    if system and not ours.exists():
        try:
            ours.parent.mkdir(parents=True, exist_ok=True)
            ours.unlink(missing_ok=True)  # a dangling link
            ours.symlink_to(system)
        except OSError:
            return False
    return ours.exists()


def _playwrights_ffmpeg() -> Path:
    import playwright
    from playwright.sync_api import sync_playwright

    with sync_playwright() as running:
        chromium = Path(running.chromium.executable_path)
    cache = next(folder.parent for folder in chromium.parents if folder.name.startswith("chromium-"))
    listed = json.loads((Path(playwright.__file__).parent / "driver/package/browsers.json").read_text())["browsers"]
    revision = next(browser["revision"] for browser in listed if browser["name"] == "ffmpeg")
    return cache / f"ffmpeg-{revision}" / ("ffmpeg-mac" if sys.platform == "darwin" else "ffmpeg-linux")


def _install_ffmpeg() -> None:
    print("Installing ffmpeg for the videos…", flush=True)
    commands = [[sys.executable, "-m", "playwright", "install", "ffmpeg"]]
    if shutil.which("apt-get") and os.geteuid() == 0:
        commands = [["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", "ffmpeg"]]
    for command in commands:
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    ensure()
