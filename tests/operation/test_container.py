"""The image and the compose file, read as text: privileges, packages, and no secret."""

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from webapp.config import DEFAULTS, faults, from_environment
from webapp.mail_server import parse_relay
from webapp.operation.distribution import too_old

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
DOCKERFILE = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text())


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_a_service_writes_nothing_may_nothing_and_is_pinned(name: str) -> None:
    service = COMPOSE["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert all(str(port).startswith("127.0.0.1:") for port in service.get("ports", []))
    assert service["image"] == "my-qlik-portal" or re.fullmatch(r"[\w/-]+:v?\d+\.\d+[\w.-]*", service["image"])
    assert service["image"] == "my-qlik-portal" or service.get("user") not in (None, "root", "0")


def test_what_is_secret_comes_from_the_environment() -> None:
    for service in COMPOSE["services"].values():
        for name, value in service.get("environment", {}).items():
            if re.search(r"SECRET|PASSWORD|KEY|DATABASE_URL", name):
                assert re.search(r"\$\{\w+:\?", value), f"{name}: compose refuses to start without it"
    assert not re.search(r"(SECRET|PASSWORD|TOKEN)\w*=(?!\$)", DOCKERFILE)


def test_the_portal_starts_on_a_migrated_database() -> None:
    services = COMPOSE["services"]
    for name in ("portal", "roll-over", "send-mail", "count-users"):
        assert services[name]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
    assert services["migrate"]["depends_on"] == {"database": {"condition": "service_healthy"}}
    assert services["migrate"]["command"] == ["my-qlik-portal db upgrade && my-qlik-portal grant portal_running"]
    assert services["roll-over"]["command"] == ["roll-over", "--every", "30"]


def settings_of(path: str) -> dict[str, str]:
    lines = (ROOT / path).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@pytest.mark.parametrize("name", ["portal", "roll-over", "send-mail", "count-users", "migrate"])
def test_the_settings_that_are_shipped_are_valid_and_portal_env_replaces_them(name: str) -> None:
    service = COMPOSE["services"][name]
    assert service["env_file"] == ["deploy/compose.env", {"path": "portal.env", "required": False}]
    shipped = settings_of("deploy/compose.env")
    assert not service["environment"].keys() & shipped.keys(), "the environment would win over portal.env"
    with pytest.MonkeyPatch.context() as patch:
        for setting, value in shipped.items():
            patch.setenv(setting, value)
        settings = {**DEFAULTS, **from_environment()}
    assert list(faults(settings)) == []
    relay = parse_relay(settings["SMTP_URL"])
    assert (relay.host, relay.starttls or relay.tls) == ("mails", False), "the mail catcher has no TLS"
    assert relay.host in COMPOSE["services"]


def test_the_portal_runs_as_a_role_that_owns_nothing() -> None:
    services = COMPOSE["services"]
    urls = {name: service.get("environment", {}).get("DATABASE_URL", "") for name, service in services.items()}
    assert {name for name, url in urls.items() if "//portal_owner:" in url} == {"migrate"}
    assert not any("//portal:" in url for url in urls.values()), "nothing runs as the superuser"
    for name in ("portal", "roll-over", "send-mail", "count-users"):
        assert urls[name].startswith("postgresql://portal_running:")
    for role in ("portal_owner", "portal_running"):
        assert f"CREATE ROLE {role} LOGIN PASSWORD" in COMPOSE["configs"]["roles"]["content"]


def test_there_is_a_cluster_to_try_whose_version_can_grant() -> None:
    cluster = {name: service for name, service in COMPOSE["services"].items() if service.get("profiles") == ["citus"]}
    assert set(cluster) == {"citus-coordinator", "citus-worker-1", "citus-worker-2"}
    for service in cluster.values():
        assert too_old(service["image"].rpartition(":")[2]) is None


def test_the_image_is_pinned_runs_as_nobody_and_tells_its_health() -> None:
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert len(bases) == 2
    assert all(re.fullmatch(r"python:3\.13\.\d+-slim-\w+", base) for base in bases)
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.search(r"^USER [1-9]\d*$", last, re.MULTILINE)
    check = re.search(r"^HEALTHCHECK .*?CMD (\[.*\])$", last, re.MULTILINE)
    assert check
    program = json.loads(check[1])
    assert program[:2] == ["python", "-c"]
    assert "/healthz" in ast.unparse(ast.parse(program[2]))
    assert 'ENTRYPOINT ["my-qlik-portal"]' in last


def test_what_the_image_copies_is_there_and_is_sent_to_the_builder() -> None:
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {name for line in re.findall(r"^COPY (?!--)(.*) \S+$", DOCKERFILE, re.MULTILINE) for name in line.split()}
    assert copied == sent
    assert all((ROOT / name).exists() for name in copied)
