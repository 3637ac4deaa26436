"""Writes the bill of materials of the portal as CycloneDX 1.6, from requirements.lock and what is copied into the tree.

`make sbom` writes it to dist/sbom.json. The same lock gives the same bytes.
"""

import json
import re
import sys
import tomllib
import uuid
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = re.compile(r"^([a-z0-9][a-z0-9._-]*)==(\S+?)(?:\[.*\])?(?: ; (.+?))? \\$")
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
# Copied into the tree, with their licences beside them.
COPIED = (
    {"name": "htmx", "licence": "0BSD", "file": "static/vendor/htmx.min.js", "purl": "pkg:npm/htmx.org"},
    {"name": "Oat", "licence": "MIT", "file": "static/css/forms.css", "purl": "pkg:github/knadh/oat"},
    {"name": "Inter", "licence": "OFL-1.1", "file": "webapp/fonts/Inter-Regular.ttf", "purl": "pkg:github/rsms/inter"},
)


def locked(text: str) -> list[dict[str, Any]]:
    """A component for each package: one for each version where Python's version decides."""
    components: list[dict[str, Any]] = []
    for line in text.splitlines():
        if found := PACKAGE.match(line):
            name, version, marker = found.groups()
            purl = f"pkg:pypi/{name}@{version}"
            components.append(
                {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl, "hashes": []}
            )
            if marker:
                components[-1]["properties"] = [{"name": "marker", "value": marker}]
        for digest in HASH.findall(line):  # of each file of the package that may be installed
            components[-1]["hashes"].append({"alg": "SHA-256", "content": digest})
    return components


def copied() -> list[dict[str, Any]]:
    return [
        {
            "type": "library",
            "bom-ref": one["purl"],
            "name": one["name"],
            "purl": one["purl"],
            "licenses": [{"license": {"id": one["licence"]}}],
            "properties": [{"name": "file", "value": one["file"]}],
        }
        for one in COPIED
    ]


def bill() -> dict[str, Any]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lock = (ROOT / "requirements.lock").read_text()
    purl = f"pkg:pypi/{project['name']}@{project['version']}"
    components = locked(lock) + copied()
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, purl + lock)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": purl,
                "name": project["name"],
                "version": project["version"],
                "purl": purl,
                "licenses": [{"license": {"id": project["license"]}}],
            }
        },
        "components": components,
        "dependencies": [{"ref": purl, "dependsOn": [one["bom-ref"] for one in components]}],
    }


if __name__ == "__main__":
    json.dump(bill(), sys.stdout, indent=1, ensure_ascii=False)
    print()
