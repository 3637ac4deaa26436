"""The shape of the code, tested over its imports and templates."""

import ast
import re
from pathlib import Path

import pytest

from webapp import assets

ROOT = Path(__file__).resolve().parent.parent
STDLIB_ONLY = {"bisect", "calendar", "collections", "dataclasses", "datetime", "enum", "typing"}
LONGEST_FILE, LONGEST_LINE = 350, 120

# From the foundation up: a module imports only modules of its own row or of rows above it in this list.
ORDER = (
    "domain",
    "misconfigured",
    "config mail_server private_files",
    "db database_faults json_rows",
    "models",
    "ports",
    "pasting words browsers spreadsheet",
    "metrics",
    "urls formats addresses locale_cookie guard leases",
    "sentences",
    "access.identity access.tokens",
    "accounts accounts.people accounts.activity accounts.billing_information",
    "invoices",
    "purchases.wallet",
    "mail",
    "access",
    "subscriptions",
    "team",
    "sentences.checks sentences.timeline",
    "purchases",
    "accounts.cases accounts.billing_changes",
    "renewals",
    "assets headers templating portal",
    "views",
    "adapters",
    "sandbox",
    "operation",
)
ROWS = {f"webapp.{name}": row for row, names in enumerate(ORDER) for name in names.split()}
ENTRY_POINTS = {"webapp", "webapp.__main__", "webapp.migrations.env", "webapp.operation.web"}  # above everything


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_name(path): path for path in sorted((ROOT / "webapp").rglob("*.py")) if "versions" not in path.parts}


def imports(path: Path) -> set[str]:
    """The full names that a file imports: modules, and what it takes from them."""
    package = path.relative_to(ROOT).parent.parts
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parents = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*parents, *([node.module] if node.module else [])])
            names |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return names


def imported_modules(name: str) -> set[str]:
    """The modules of the portal that one imports, without the packages on the way to them."""
    named = imports(MODULES[name]) & MODULES.keys()
    return {other for other in named if not any(longer.startswith(f"{other}.") for longer in named)} - {name}


GRAPH = {name: imported_modules(name) for name in MODULES}


def row_of(name: str) -> int:
    if name in ENTRY_POINTS:
        return len(ORDER)
    parents = [".".join(name.split(".")[:depth]) for depth in range(name.count(".") + 1, 1, -1)]
    return next(ROWS[parent] for parent in parents if parent in ROWS)


@pytest.mark.parametrize("name", MODULES)
def test_imports_only_go_down(name: str) -> None:
    assert {other for other in GRAPH[name] if row_of(other) > row_of(name)} == set()


def test_there_is_no_import_circle() -> None:
    """Modules that import nothing that is left are taken away, until none is left."""
    left = {name: set(others) for name, others in GRAPH.items()}
    while free := {name for name, others in left.items() if not others}:
        left = {name: others - free for name, others in left.items() if name not in free}
    assert left == {}


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith("webapp.domain.")])
def test_the_domain_is_pure(name: str) -> None:
    outside = {other.split(".")[0] for other in imports(MODULES[name]) if not other.startswith("webapp.domain")}
    assert outside <= STDLIB_ONLY


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith("webapp.views.")])
def test_views_write_no_sql_and_no_price_and_name_no_adapter(name: str) -> None:
    named = imports(MODULES[name])
    barred = ("sqlalchemy", "webapp.domain.pricing", "webapp.domain.tax", "webapp.sandbox", "webapp.adapters", "stripe")
    assert not {other for other in named if other.startswith(barred)}
    assert name == "webapp.views.errors" or not {other for other in named if other.startswith("webapp.db")}


@pytest.mark.parametrize("name", MODULES)
def test_only_create_app_names_an_adapter(name: str) -> None:
    """The demo command needs the sandbox; the sandbox's clock starts from the machine's."""
    named = {other for other in GRAPH[name] if other.startswith(("webapp.sandbox", "webapp.adapters"))}
    allowed = {"webapp.adapters.clock", "webapp.sandbox.scenarios"}
    inside = name.startswith(("webapp.sandbox", "webapp.adapters"))
    assert name == "webapp" or not {other for other in named - allowed if not inside}


def test_only_the_clock_reads_time() -> None:
    reader = re.compile(r"\b(datetime|date)\.(now|utcnow|today)\(|time\.time\(")
    assert {name for name, path in MODULES.items() if reader.search(path.read_text())} == {"webapp.adapters.clock"}


def test_only_stripes_adapter_imports_stripe() -> None:
    assert {name for name, path in MODULES.items() if "stripe" in imports(path)} == {
        "webapp.adapters.stripe.events",
        "webapp.adapters.stripe.gateway",
    }


SOURCES = [
    path
    for folder in ("webapp", "tests", "e2e", "static")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.suffix in (".py", ".js", ".css") and not {"vendor", "versions"} & set(path.parts)
]
SHEETS = [path for path in SOURCES if path.suffix == ".css"]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_can_be_read_in_one_sitting(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST_FILE


LAID_OUT = [path for path in sorted((ROOT / "templates").rglob("*")) if path.suffix in (".html", ".txt")] + SHEETS


@pytest.mark.parametrize("path", LAID_OUT, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_line_of_a_template_or_style_sheet_fits_the_screen(path: Path) -> None:
    assert [line for line in path.read_text().splitlines() if len(line) > LONGEST_LINE] == []


@pytest.mark.parametrize("path", SHEETS, ids=lambda path: path.stem)
def test_a_style_sheet_has_one_declaration_a_line(path: Path) -> None:
    crowded = re.compile(r";\s*[\w-]+:|[{;][^}]*}")
    assert [line for line in path.read_text().splitlines() if crowded.search(line)] == []


def test_every_part_of_the_style_sheet_is_sent() -> None:
    assert {path.stem for path in (ROOT / "static/css").iterdir()} == set(assets.PARTS)


def test_style_sheets_do_not_fight() -> None:
    """`!important` is for what is hidden, and nothing else."""
    assert sum(path.read_text().count("!important") for path in SHEETS) == 1


@pytest.mark.parametrize("folder", sorted(path.name for path in (ROOT / "templates").iterdir() if path.is_dir()))
def test_a_folder_of_templates_is_named_for_its_view_or_procedure(folder: str) -> None:
    """A few views stand in a module with others: `cards`, `undo` and `billing`."""
    shared = {"delete-card", "undo-cancellation", "undo-reduction", "invoices"}
    views = {path.stem.replace("_", "-") for path in (ROOT / "webapp/views").glob("*.py")}
    assert folder in views | shared | {"mail", "sandbox"}


# A mail is no page: mail programs read no style sheet of ours.
TEMPLATES = sorted(path for path in (ROOT / "templates").rglob("*.html") if path.parent.name != "mail")
UNWANTED = ("hx-on", "hx-boost", "hx-confirm", "hx-push-url", "hx-disabled-elt", "hx-vars", "js:", "onclick", "style=")


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_hypermedia_sits_on_real_links_and_forms(path: Path) -> None:
    """htmx 4, without what a strict policy forbids or what version 2 called otherwise."""
    text = path.read_text()
    for tag in re.findall(r"<(?!hx-partial)\w+[^>]*\shx-[^>]*>", text):
        assert re.match(r"<a [^>]*href=|<form [^>]*action=", tag, re.DOTALL), tag
        assert "hx-target=" in tag, tag
    assert not [word for word in UNWANTED if word in text]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_page_names_an_outside_address(path: Path) -> None:
    assert not re.search(r"(src|href|action)=\"https?://", path.read_text())
