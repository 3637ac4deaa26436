"""`make contract`: of a portal at URL, or of one of its own."""

import os
import sys

from ..record import portal
from . import check


def main() -> int:
    with portal() as sandbox:
        done = check(sandbox.url, int(os.environ.get("EXAMPLES") or 200), int(os.environ.get("SEED") or 1))
    print(done.stdout + done.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
