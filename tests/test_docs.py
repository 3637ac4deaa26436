"""The documentation names what exists: its links, the settings, the commands and the make targets."""

import re
from pathlib import Path

import pytest
from flask import Flask

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
OPERATE = (ROOT / "docs/operate.md").read_text()
READ_BY_OPENSSL = {"SSL_CERT_FILE"}
MUST_NOT_BE_SET = {"STRIPE_LOG"}


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    lost = []
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text()):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            lost.append(link)
    assert lost == []


def test_every_setting_is_described_and_no_other() -> None:
    code = "".join(path.read_text() for path in (ROOT / "webapp").rglob("*.py"))
    read = set(
        re.findall(r"""(?:env(?:iron)?\.get\(|environ\[|envvar=|_whole_number\(|_secret\()\s*"([A-Z_]+)\"""", code)
    )
    rows = re.findall(r"^\| (`[A-Z_]+`(?:, `[A-Z_]+`)*) \|", OPERATE, re.MULTILINE)
    described = set(re.findall(r"[A-Z_]+", " ".join(rows)))
    assert described - READ_BY_OPENSSL == read - MUST_NOT_BE_SET


def test_every_command_is_described_and_no_other(app: Flask) -> None:
    table = OPERATE.partition("## Commands")[2].partition("\n## ")[0]
    described = set(re.findall(r"^\| `([a-z-]+)", table, re.MULTILINE))
    assert described == set(app.cli.commands)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_target_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z-]+)`", page.read_text())) <= targets
    if page.name == "develop.md":
        rows = page.read_text().partition("## Make targets")[2]
        assert set(re.findall(r"`([a-z-]+)`[,|]? ", rows)) <= targets


def test_the_tests_that_verify_requirements_exist() -> None:
    named = set(re.findall(r"`([\w/]*test_\w+\.py)`", (ROOT / "docs/security.md").read_text()))
    assert len(named) > 20
    lost = [name for name in named if not (ROOT / name).exists() and not list(ROOT.glob(f"tests/*/{name}"))]
    assert lost == []


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120
