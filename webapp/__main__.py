"""`my-qlik-portal`, the command of an installed portal: the same as `flask --app webapp`."""

import tomllib
from importlib.metadata import PackageNotFoundError, version

import click
from flask.cli import FlaskGroup

from . import create_app
from .config import ROOT

NAME = "my-qlik-portal"


def main() -> None:
    group = FlaskGroup(create_app=create_app, add_version_option=False)
    click.version_option(installed_version(), prog_name=NAME)(group).main()


def installed_version() -> str:
    try:
        return version(NAME)
    except PackageNotFoundError:  # a checkout
        return str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])


if __name__ == "__main__":
    main()
