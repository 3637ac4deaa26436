"""schemathesis holds the sandbox against its OpenAPI document, with valid and invalid requests, in series too: each
answer's status, kind and shape must be one that is described.
"""

import os
import subprocess
import sys
from pathlib import Path

from ..portal import ROOT

CONFIG = Path(__file__).with_name("schemathesis.toml")


def check(url: str, examples: int, seed: int) -> subprocess.CompletedProcess[str]:
    """`examples`: how many requests of a kind are made up, beside those at the limits of each field."""
    program = Path(sys.executable).with_name("st")
    options = ["--max-examples", str(examples), "--seed", str(seed), "--generation-database", "none", "--no-color"]
    return subprocess.run(
        [program, "--config-file", CONFIG, "run", f"{url}/sandbox/openapi.json", *options],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
