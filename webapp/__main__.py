"""`my-qlik-portal`, the command of an installed portal: the same as `flask --app webapp`."""

from flask.cli import FlaskGroup

from . import create_app


def main() -> None:
    FlaskGroup(create_app=create_app).main()


if __name__ == "__main__":
    main()
