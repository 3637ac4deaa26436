"""The sandbox does what its OpenAPI document says. `make contract` tries many more requests."""

from .contract import check
from .portal import Sandbox


def test_schemathesis_finds_no_fault(sandbox: Sandbox) -> None:
    done = check(sandbox.url, examples=5, seed=1)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No issues found" in done.stdout
    assert "5 covered" in done.stdout  # everything that can be done with an account was done with a new one
