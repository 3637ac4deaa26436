"""The shape that keeps the code findable, as tests over the imports and the templates."""

import ast
import re
from pathlib import Path

import pytest

from webapp import assets

ROOT = Path(__file__).resolve().parent.parent
STDLIB_ONLY = {"bisect", "calendar", "collections", "dataclasses", "datetime", "enum", "typing"}


def imports(path: Path) -> set[str]:
    """Absolute names as written, relative ones resolved from `webapp`."""
    package = path.relative_to(ROOT).parent.parts
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join([*package[: len(package) - node.level + 1], *([node.module] if node.module else [])])
            base = base if node.level else node.module or ""
            found |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return found


def modules(folder: str) -> list[Path]:
    return sorted((ROOT / "webapp").glob(folder))


@pytest.mark.parametrize("path", modules("domain/*.py"), ids=lambda path: path.stem)
def test_the_domain_is_pure(path: Path) -> None:
    outside = {name.split(".")[0] for name in imports(path) if not name.startswith("webapp.domain")}
    assert outside <= STDLIB_ONLY


@pytest.mark.parametrize("path", modules("views/*.py"), ids=lambda path: path.stem)
def test_views_write_no_sql_and_no_price_and_name_no_adapter(path: Path) -> None:
    named = imports(path) - {"webapp.domain.pricing", "webapp.domain.pricing.MAX_SEATS"}
    barred = ("sqlalchemy", "webapp.domain.pricing", "webapp.domain.tax", "webapp.sandbox", "webapp.adapters", "stripe")
    assert not {name for name in named if name.startswith(barred)}
    assert path.stem == "errors" or not {name for name in named if name.startswith("webapp.db")}


@pytest.mark.parametrize("path", modules("*.py"), ids=lambda path: path.stem)
def test_only_create_app_and_the_demo_command_name_an_adapter(path: Path) -> None:
    named = {name for name in imports(path) if name.startswith(("webapp.sandbox", "webapp.adapters"))}
    assert not named or path.stem in ("__init__", "cli")


@pytest.mark.parametrize("path", modules("**/*.py"), ids=lambda path: str(path.relative_to(ROOT)))
def test_only_create_app_names_the_real_adapters(path: Path) -> None:
    """And the sandbox's clock that of the machine, from which it sets its own."""
    named = {name for name in imports(path) if name.startswith("webapp.adapters")}
    clocks = {"", ".EASTERNMOST", ".at_place", ".machine_now"} if path == ROOT / "webapp/sandbox/clock.py" else set()
    assert path.parent.name == "adapters" or path == ROOT / "webapp/__init__.py" or named <= {
        f"webapp.adapters.clock{name}" for name in clocks
    }  # fmt: skip


def test_only_the_clock_reads_time() -> None:
    reader = re.compile(r"\b(datetime|date)\.(now|utcnow|today)\(|time\.time\(")
    readers = {str(path.relative_to(ROOT)) for path in modules("**/*.py") if reader.search(path.read_text())}
    assert readers == {"webapp/adapters/clock.py"}


def test_only_stripes_adapter_knows_stripe() -> None:
    knows = {path.relative_to(ROOT).name for path in modules("**/*.py") if "stripe" in imports(path)}
    assert knows == {"stripe.py"}


@pytest.mark.parametrize("path", modules("**/*.py"), ids=lambda path: str(path.name))
def test_modules_can_be_read_in_one_sitting(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400 or "versions" in path.parts


@pytest.mark.parametrize("folder", sorted(path.name for path in (ROOT / "templates").iterdir() if path.is_dir()))
def test_a_folder_of_templates_is_named_for_its_view_or_procedure(folder: str) -> None:
    """Procedures whose views stand in a module with others: `cards`, `undo` and `billing`."""
    shared = {"delete-card", "undo-cancellation", "undo-reduction", "invoices"}
    views = {path.stem.replace("_", "-") for path in modules("views/*.py")}
    assert folder in views | shared | {"mail", "sandbox"}


LINED = [path for path in (ROOT / "templates").rglob("*.*") if path.name != "offline.html"]
LINED += [*(ROOT / "static").glob("*.css"), *(ROOT / "static/css").iterdir()]


@pytest.mark.parametrize("path", sorted(LINED), ids=lambda path: str(path.relative_to(ROOT)))
def test_templates_and_style_sheets_have_short_lines_and_declare_one_thing_on_each(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert [line for line in lines if len(line) > 120] == []
    assert path.suffix != ".css" or [line for line in lines if re.search(r";\s*[\w-]+:|[{;][^}]*}", line)] == []


def test_every_part_of_the_style_sheet_is_sent() -> None:
    assert {path.stem for path in (ROOT / "static/css").iterdir()} == set(assets.PARTS)


def test_style_sheets_do_not_fight() -> None:
    """`!important` is for what is hidden, and nothing else."""
    sheets = [*(ROOT / "static/css").iterdir(), ROOT / "static/sandbox.css"]
    assert sum(path.read_text().count("!important") for path in sheets) == 1


# A mail is no page: mail programs read no style sheet of ours.
TEMPLATES = sorted(path for path in (ROOT / "templates").rglob("*.html") if path.parent.name != "mail")


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_hypermedia_sits_on_real_links_and_forms(path: Path) -> None:
    """htmx 4, without what a strict policy forbids or what version 2 called otherwise."""
    text = path.read_text()
    for tag in re.findall(r"<(?!hx-partial)\w+[^>]*\shx-[^>]*>", text):
        assert re.match(r"<a [^>]*href=|<form [^>]*action=", tag), tag
        assert "hx-target=" in tag, tag
    for unwanted in (
        "hx-on",
        "hx-boost",
        "hx-confirm",
        "hx-push-url",
        "hx-disabled-elt",
        "hx-vars",
        "js:",
        "onclick",
        "style=",
    ):
        assert unwanted not in text, unwanted


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_page_names_an_outside_address(path: Path) -> None:
    assert not re.search(r"(src|href|action)=\"https?://", path.read_text())
