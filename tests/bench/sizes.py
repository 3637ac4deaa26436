"""Sizes of the benches, from the environment, so that a test can run each at a tiny size."""

import os


def number(name: str, default: int) -> int:
    return int(os.environ.get(name) or default)


def numbers(name: str, *defaults: int) -> tuple[int, ...]:
    return tuple(int(part) for part in os.environ.get(name, "").split()) or defaults
