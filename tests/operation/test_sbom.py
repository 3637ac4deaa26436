"""The bill of materials names each locked package once, with its hashes, and what is copied into the tree."""

import json
import re
import subprocess
import sys
from typing import Any

import pytest

from e2e.portal import ROOT


@pytest.fixture(scope="module")
def bill() -> dict[str, Any]:
    command = [sys.executable, str(ROOT / "deploy/sbom.py")]
    first, second = (subprocess.run(command, capture_output=True, check=True).stdout for _ in range(2))
    assert first == second
    found: dict[str, Any] = json.loads(first)
    return found


def test_each_locked_package_is_named_with_its_hashes(bill: dict[str, Any]) -> None:
    lock = (ROOT / "requirements.lock").read_text()
    packages = re.findall(r"^([\w.-]+)==([^ ]+)", lock, re.MULTILINE)
    purls = [f"pkg:pypi/{name}@{version}" for name, version in packages]
    found = {one["purl"]: one for one in bill["components"]}
    assert len(found) == len(bill["components"])
    assert found.keys() >= set(purls)
    hashes = [part["content"] for one in found.values() for part in one.get("hashes", [])]
    assert sorted(hashes) == sorted(re.findall(r"sha256:(\w+)", lock))


def test_it_is_a_bill_of_this_version(bill: dict[str, Any]) -> None:
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", bill["serialNumber"])
    application = bill["metadata"]["component"]
    assert application["name"] == "my-qlik-portal"
    (depends,) = bill["dependencies"]
    assert depends["ref"] == application["bom-ref"]
    assert set(depends["dependsOn"]) == {one["bom-ref"] for one in bill["components"]}


def test_what_is_copied_is_there_and_nothing_else(bill: dict[str, Any]) -> None:
    files = {
        part["value"] for one in bill["components"] for part in one.get("properties", []) if part["name"] == "file"
    }
    assert all((ROOT / file).exists() for file in files)
    licences = {path.name for folder in ("static/vendor", "webapp/fonts") for path in (ROOT / folder).glob("*.LICENSE")}
    named = {one["name"].lower() for one in bill["components"] if one.get("licenses")}
    assert {licence.removesuffix(".LICENSE").lower() for licence in licences} == named
