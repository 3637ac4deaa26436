"""Ajout de licences: seats from now on, their prorated amount paid at once; and a price that moves meanwhile."""

from .steps import FROM_NOW_ON, manage, pay, see_refusal, set_seats, to_overview
from .story import story
from .walk import Walk


def add(walk: Walk) -> None:
    """Two seats more, now."""
    manage(walk, "Add seats")
    set_seats(walk, 14, "408.00", FROM_NOW_ON)
    pay(walk)
    walk.heading("Receipt")
    walk.see(
        "Les licences sont ajoutées ; le montant au prorata est payé.",
        "The seats are added; the prorated amount is paid.",
    )
    assert walk.subscription()["seats"] == 14
    assert walk.payments() == ["captured"]


def price_moved(walk: Walk) -> None:
    """The overview is from before midnight: after it, there is a day less to pay for."""
    account = walk.account["account"]
    walk.sandbox.clock(account, to="2027-01-20T23:45:00")
    manage(walk, "Add seats")
    set_seats(walk, 14, "408.00", FROM_NOW_ON)
    to_overview(walk)
    walk.sandbox.clock(account, advance="PT20M")
    walk.click(
        "Confirmez la sélection et cliquez sur Payer, après minuit.",
        "Confirm and click Pay, after midnight.",
        walk.button("Pay"),
    )
    walk.heading("Overview")
    see_refusal(
        walk,
        "Le prix a changé entre-temps : rien n’est débité, et la vue d’ensemble dit ce qui est nouveau.",
        "The price has moved: nothing is charged, and the overview says what is new.",
        walk.words("Le total passe de", "The total goes from"),
    )
    assert walk.payments() == []
    walk.click("Confirmez et cliquez sur Payer.", "Confirm and click Pay.", walk.button("Pay"))
    walk.heading("Receipt")
    walk.see("Le nouveau prix est payé.", "The new price is paid.")
    assert walk.payments() == ["captured"]


DOCUMENTED = (story("add", "Ajout de licences utilisateur", "Adding seats", "business", add),)
REFUSALS = (
    story("refused-price", "Prix qui change avant Payer", "A price that moves before Pay", "business", price_moved),
)
