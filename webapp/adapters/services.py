"""Which real services stand behind the ports: what `create_app` lays over the sandbox's adapters."""

from dataclasses import replace

from flask import Flask

from ..ports import Ports
from ..relay import parse_relay
from .qlik_cloud import QlikCloud, credentials_of
from .smtp import Smtp


def chosen(app: Flask, ports: Ports) -> Ports:
    """Mail goes out wherever SMTP_URL is set, in the sandbox too; its tenants are never real ones."""
    config = app.config
    if config["SMTP_URL"]:
        ports = replace(ports, mailer=Smtp(parse_relay(config["SMTP_URL"]), config["MAIL_FROM"]))
    if not config["SANDBOX"]:
        directory = QlikCloud(credentials_of(config), ports.clock, count_bots=config["QLIK_COUNT_BOTS"])
        ports = replace(ports, directory=directory)
    return ports
