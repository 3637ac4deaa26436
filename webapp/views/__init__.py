"""The pages: one module for each family. A form validates, a service decides, a template is rendered."""

from flask import Flask

from . import (
    accessibility,
    active_users,
    activity,
    add,
    billing,
    billing_info,
    cancel,
    cards,
    contact,
    drafts,
    export,
    handover,
    invitations,
    mails,
    manage,
    passwords,
    preferences,
    purchase,
    reduce,
    renew,
    sessions,
    sign_in,
    sso,
    subscriptions,
    team,
    undo,
)

PAGES = (
    sign_in,
    sso,
    passwords,
    sessions,
    preferences,
    subscriptions,
    manage,
    renew,
    add,
    reduce,
    cancel,
    undo,
    purchase,
    billing,
    billing_info,
    export,
    cards,
    contact,
    drafts,
    team,
    handover,
    invitations,
    mails,
    activity,
    active_users,
    accessibility,
)


def register(app: Flask) -> None:
    for page in PAGES:
        app.register_blueprint(page.blueprint)
