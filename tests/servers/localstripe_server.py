"""localstripe 1.15 on loopback, in its own process: a second opinion on how Stripe behaves.

It speaks an older version of the API. Only the differences from the SDK's version are bridged here: an intent is
confirmed with a card and a return address, lists are by customer, and types of payment methods are accepted.
"""

import sys
from typing import Any

PORT = int(sys.argv[1]) if len(sys.argv) > 1 else 0


def bridge() -> Any:
    from localstripe import resources, server

    intent, error = resources.PaymentIntent, resources.UserError
    create, confirm, every = intent._api_create.__func__, intent._api_confirm.__func__, intent._api_list_all.__func__

    def created(cls: Any, allowed_payment_method_types: object = None, **params: Any) -> Any:
        return create(cls, **params)

    def confirmed(cls: Any, id: str, payment_method: str, **_params: Any) -> Any:  # noqa: A002  localstripe's name
        made = cls._api_retrieve(id)
        method = resources.PaymentMethod._api_retrieve(payment_method)
        if method.customer != made.customer:
            raise error(400, "This PaymentMethod was detached from its customer.")
        made.payment_method = payment_method
        return confirm(cls, id)

    def listed(cls: Any, url: str, customer: str, **params: Any) -> Any:
        page = every(cls, url, **params)
        page._list = [made for made in page._list if made.customer == customer]
        return page

    intent._api_create, intent._api_list_all = classmethod(created), classmethod(listed)
    replaced = {"/v1/payment_intents/{id}/confirm": classmethod(confirmed).__get__(None, intent)}
    app = server.web.Application(middlewares=server.app.middlewares[:2])  # the third middleware writes to disk
    for route in server.app.router.routes():
        path = route.resource.canonical if route.resource else ""
        handler = server.api_extra(replaced[path], path) if path in replaced else route.handler
        if route.method != "HEAD":
            app.router.add_route(route.method, path, handler)
    return server, app


if __name__ == "__main__":
    server, app = bridge()
    server.web.run_app(app, host="127.0.0.1", port=PORT, print=None, access_log=None)
