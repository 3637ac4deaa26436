"""The pages: one module for each family. A form validates, a service decides, a template is rendered."""

from flask import Flask

from . import (
    accessibility,
    account_security,
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
    manage,
    passkeys,
    passwords,
    preferences,
    purchase,
    reduce,
    renew,
    second_factor,
    sessions,
    sign_in,
    sign_in_factor,
    sso,
    step_up,
    subscriptions,
    undo,
)

PAGES = (
    sign_in,
    sign_in_factor,
    sso,
    passkeys,
    passwords,
    sessions,
    second_factor,
    account_security,
    step_up,
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
    activity,
    active_users,
    accessibility,
)


def register(app: Flask) -> None:
    for page in PAGES:
        app.register_blueprint(page.blueprint)
