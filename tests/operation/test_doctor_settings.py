"""`doctor`, --help and --version with settings that are missing or wrong: a line each, and never a traceback."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

from flask import Flask

from e2e.portal import ROOT
from tests.operation.test_jobs import ran
from tests.support.log_lines import Lines
from webapp.operation import doctor, jobs
from webapp.sandbox.scenarios import Made


def portal(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """`my-qlik-portal` with these settings only."""
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "INSTANCE_DIR": str(folder / "instance"), **settings}
    command = [sys.executable, "-m", "webapp", *arguments]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=60)


def test_help_and_version_need_no_settings(tmp_path: Path) -> None:
    done = portal(tmp_path, "--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("my-qlik-portal, version ")
    for arguments in (["--help"], ["serve", "--help"], ["support", "--help"]):
        done = portal(tmp_path, *arguments)
        assert (done.returncode, done.stderr) == (0, ""), arguments
    assert "  doctor " in portal(tmp_path, "--help").stdout


def faults(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert all(line.startswith(("ok ", "FAULT ", "- ")) for line in lines), done.stdout
    assert {line[6:24].strip() for line in lines} == {"settings", *(name for name, _ in doctor.CHECKS)}
    return [line[24:] for line in lines if line.startswith("FAULT")]


def test_with_every_setting_missing_each_is_named_at_once(tmp_path: Path) -> None:
    found = "\n".join(faults(portal(tmp_path, "doctor")))
    for name in ("SECRET_KEY", "GATEWAY", "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET", "QLIK_API_KEY", "SMTP_URL"):
        assert name in found
    for name in ("PUBLIC_URL", "ACCESSIBILITY_EMAIL", "db upgrade"):
        assert name in found, "what is no setting's fault is checked, too"


def test_with_every_setting_wrong_each_is_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    wrong = {
        "SECRET_KEY": "hidden",
        "DATABASE_URL": "nonsense:hidden@",
        "INSTANCE_DIR": str(tmp_path / "file"),
        "SMTP_URL": "hidden",
        "PUBLIC_URL": "nowhere",
        "OIDC_ISSUER": "http://id.example.test",
        "STRIPE_SECRET_KEY": "hidden",
        "QLIK_API_KEY": "{hidden",
        "TRUSTED_PROXIES": "many",
        "KEEP_MAIL_DAYS": "-1",
        "SESSION_IDLE_MINUTES": "0",
        "LOG_FORMAT": "xml",
        "METRICS_TOKEN": "hidden",
        "FONTS_DIR": str(tmp_path / "none"),
        "WORKERS": "none",
    }
    done = portal(tmp_path, "doctor", **wrong)
    found = "\n".join(faults(done))
    for name in wrong:
        assert name in found
    assert "hidden" not in done.stdout + done.stderr


def test_another_command_says_one_sentence(tmp_path: Path) -> None:
    done = portal(tmp_path, "roll-over")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("Error: SECRET_KEY is not set")


def said(part: str) -> str:
    return dict(doctor.CHECKS)[part]() or ""


def test_jobs_that_never_ran_are_told_once_there_are_customers(stripe_app: Flask) -> None:
    parts = {"sweep": "No sweep ever ended", "sender of mails": "No mail was ever", "counts of users": "never ran"}
    assert [said(part) for part in parts] == ["", "", ""]
    from webapp.sandbox import scenarios

    scenarios.make("business")
    for part, sentence in parts.items():
        assert sentence in said(part)
    for name in (jobs.SWEEP, jobs.SENDER, jobs.COUNT):
        ran(name, timedelta(minutes=1))
    assert [said(part) for part in parts] == ["", "", ""]
    ran(jobs.COUNT, timedelta(hours=50), every=None)
    assert said("counts of users").startswith("count-users last ended 50 hours ago. Run it once a day")


def test_a_proxy_that_is_not_trusted_is_told_once(app: Flask, business: Made, log: Lines) -> None:
    from webapp.operation import logs

    logs._tell_of_proxy.cache_clear()
    for _ in range(2):
        app.test_client().get("/sign-in", headers={"X-Forwarded-For": "192.0.2.1"})
    told = [line for line in log.lines[::2] if "TRUSTED_PROXIES is 0" in line]
    assert len(told) == 1
    assert "192.0.2.1" not in told[0]
