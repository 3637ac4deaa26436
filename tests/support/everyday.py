"""What owners, the sweep and operators do in the course of business, to be done on databases of every kind."""

from flask import Flask

from tests.support.world import pay, post, quoted, signed_in, subscription
from webapp.domain.subscription import ChangeKind
from webapp.invoices import documents, listing
from webapp.purchases import quotes, refunds
from webapp.renewals import sweep
from webapp.sandbox import scenarios
from webapp.subscriptions import loading, service


def walk(app: Flask) -> None:
    made = scenarios.make("business")
    client = signed_in(app, made)
    pay(app, made, quoted(app, made))
    with app.test_request_context():
        quote = quotes.quote_addition(made.account, subscription(made), 20)
        quotes.choose_card(made.account, subscription(made), quote, made.cards[0])
    assert pay(app, made, quote) == "captured"
    with app.test_request_context():
        service.reduce(made.account, subscription(made), 8)
        (change,) = loading.load(made.account, subscription(made)).open_changes
        assert change.kind is ChangeKind.REDUCTION
        service.withdraw(made.account, subscription(made), change.id)
        invoice = listing.invoices_of(made.account)[0]
        assert refunds.credit(made.account, invoice.number, 100).state == "made"
        assert documents.pdf_of(listing.find_invoice(made.account, invoice.id)).startswith(b"%PDF")
    assert client.get("/subscriptions").status_code == 200
    post(app, f"/{made.account}/clock", to="2027-05-20T09:00:00")
    assert sweep.sweep() == 0
    assert len(loading.load(made.account, subscription(made)).periods) == 10
    with app.test_request_context():
        service.cancel(made.account, subscription(made))
