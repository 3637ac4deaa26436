"""Mutation tests: each small change to `webapp/domain` should make a test fail.

`make mutate` prints the number of caught changes by module, and each change that no test caught. mutmut changes neither
decorated functions nor constants; the tests write the values of these constants out.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

MUTANTS = Path("mutants")  # mutmut's folder, deleted first as its results are stale after a change of the tests
SURVIVED = {0, 5, 33}  # passed, no test found, or none known to mutmut; any other status counts as caught


def mutmut(*arguments: str) -> str:
    done = subprocess.run([sys.executable, "-m", "mutmut", *arguments], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    return done.stdout


def main() -> None:
    shutil.rmtree(MUTANTS, ignore_errors=True)
    mutmut("run")
    survivors, killed, total = [], 0, 0
    for path in sorted((MUTANTS / "webapp/domain").glob("*.meta")):
        results: dict[str, int | None] = json.loads(path.read_text())["exit_code_by_key"]
        alive = [name for name, code in results.items() if code in SURVIVED]
        if None in results.values():
            sys.exit(f"{path} was not run to its end")
        if results:
            print(f"{path.stem:16} {len(results) - len(alive):4} of {len(results)}")
        survivors += alive
        killed, total = killed + len(results) - len(alive), total + len(results)
    print(f"{'all':16} {killed:4} of {total} killed ({killed / total:.1%})")
    for name in survivors:
        print(f"\n{name}")
        print("\n".join(line for line in mutmut("show", name).splitlines() if line.startswith((" ", "-", "+"))))


if __name__ == "__main__":
    main()
