"""What the help page promises, fact by fact: its procedure and step, and what shows or tests it.

`shows` are steps of stories, as STORY/KEY; a recording has their pictures. `tests` are files and functions. The facts
are in the project's own words. Step 0 is what the page says about a whole procedure.
"""

from typing import NamedTuple


class Fact(NamedTuple):
    procedure: str
    step: str
    fr: str
    en: str
    shows: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()


SELECT, MANAGE, CONTINUE = "go-to-my-qlik-and-select-the-subscription", "click-manage", "click-continue"
COST = "the-monthly-cost-based-on-tiered-pricing-appears-to-the-righ"
REVIEW = "review-the-confirmation-dialog-select-i-understand-and-click"
TICK, UNDO = "tick-i-understand-and-click-confirm", "in-my-qlik-find-the-subscription-and-click-undo-request"
FLOOR = "refused-floor/you-cannot-reduce-the-number-of-seats-below-the-number-of-ac"
WAIT = "refused-wait/wait-at-least-two-minutes-then-go-on"
BILLING, MANAGER = "go-to-the-payment-billing-page", "to-renew-your-subscription-contact-your-qlik-account-manager"
IN_MY_QLIK = f"in-my-qlik-{BILLING}"
MENU = "under-payment-methods-click-more-actions-at-the-credit-card"
VERIFY = "billing-info/verify-the-billing-information-and-click-change-billing-info"
WALKED = "::test_the_documented_steps"
REFUSED = "::test_a_refusal_and_the_way_on"


def _walked(procedure: str) -> tuple[str, ...]:
    return (f"e2e/test_{procedure.replace('-', '_')}.py{WALKED}",)


def _fact(procedure: str, step: str, fr: str, en: str, *keys: str, tests: tuple[str, ...] = ()) -> Fact:
    """A key without a story belongs to the story of the procedure, whose walk is a test, too."""
    shows = tuple(key if "/" in key else f"{procedure}/{key}" for key in keys)
    own = any(key.startswith(f"{procedure}/") for key in shows)
    return Fact(procedure, step, fr, en, shows, (*(_walked(procedure) if own else ()), *tests))


CONTACT = ("e2e/test_contact.py::test_the_documented_steps",)
UPGRADE = ("e2e/test_contact.py::test_the_upgrade_is_asked_for_from_manage",)
FEWER = ("e2e/test_reduce.py::test_a_refusal_and_the_way_on",)
TOO_FEW = ("e2e/test_renew.py::test_a_refusal_and_the_way_on",)
TOO_LATE = "::test_on_its_day_it_is_too_late"

# fmt: off
FACTS = (
    _fact("billing-info", "0", "Les deux formules : vérifier paiement et facturation.",
          "Both plans: verify payment and billing information.", VERIFY,
          "billing-info/correct-the-information-and-click-save"),
    _fact("invoices", "0", "Les deux formules : consulter les factures.", "Both plans: see invoices.",
          "open-an-invoice"),
    _fact("invoices", "0", "Les deux formules : télécharger les factures.", "Both plans: download invoices.",
          "the-invoice-is-downloaded"),
    _fact("contact", "0", "Formule Enterprise : renouveler ou modifier passe par le responsable du compte.",
          "Enterprise: to renew or change, go to the account manager.", f"refused-enterprise/{MANAGER}",
          "you-are-given-a-case-number", tests=("e2e/test_managed_by_others.py::test_each_change_is_refused",)),
    _fact("contact", "0", "Formule Business : le passage à une formule à la capacité se demande au responsable.",
          "Business: the change to a capacity-based plan is asked of the account manager.", tests=UPGRADE),
    _fact("renew", "1", "Ouvrir My Qlik, choisir l’abonnement.", "Open My Qlik, choose the subscription.", SELECT),
    _fact("renew", "2", "Renouveler.", "Renew.", "click-renew"),
    _fact("renew", "3", "+ et – règlent le nombre d’utilisateurs payants de la période.",
          "+ and – set the paid users of the period.", "click-or-to-set-the-number-of-paid-users-for-the-renewal-per"),
    _fact("renew", "3", "Le coût par mois, selon les tranches, est à droite.",
          "The cost per month, by tiers, is to the right.", COST,
          tests=("e2e/test_renew.py::test_the_cost_is_at_the_right_and_below_on_a_narrow_screen",)),
    _fact("renew", "3", "Jamais moins de licences que d’utilisateurs actifs.", "Never fewer seats than active users.",
          FLOOR, tests=TOO_FEW),
    _fact("renew", "3", "Retirer d’abord des utilisateurs, puis attendre deux minutes.",
          "Remove users first, then wait two minutes.", WAIT, tests=FEWER),
    _fact("renew", "4", "Continuer mène à la page de paiement.", "Continue leads to the payment page.", CONTINUE,
          "the-payment-page-appears"),
    _fact("renew", "5", "La carte enregistrée est sélectionnée.", "The saved card is selected.",
          "to-use-the-saved-credit-card-check-that-it-is-selected"),
    _fact("renew", "5", "Un nouveau mode de paiement peut être saisi.", "A new payment method can be entered.",
          "renew-new-card/to-add-a-new-credit-card-click-add-new-payment-method",
          "renew-new-card/enter-the-new-credit-card-s-details", tests=_walked("renew")),
    _fact("renew", "6", "Continuer.", "Continue.", "click-continue-2"),
    _fact("renew", "7", "La vue d’ensemble montre tous les choix.", "The overview shows every choice.",
          "the-overview-page-shows-the-selections"),
    _fact("renew", "8", "Payer.", "Pay.", "confirm-the-selection-and-click-pay"),
    _fact("renew", "8", "Payé, l’abonnement est renouvelé.", "Once paid, the subscription is renewed.",
          "once-the-payment-is-made-your-subscription-is-renewed", "the-subscription-s-tile-says-so"),
    _fact("add", "0", "Formule Business : augmenter le nombre d’utilisateurs.", "Business: raise the number of users.",
          "click-add-seats", "the-seats-are-added-the-prorated-amount-is-paid"),
    _fact("reduce", "0", "La réduction prend effet avec la période suivante.",
          "The reduction takes effect with the next period.",
          "the-subscription-s-tile-shows-the-requested-reduction-and-th"),
    _fact("reduce", "0", "D’ici là, les licences restent utilisables.", "Until then, the seats can be used.",
          "the-subscription-s-tile-shows-the-requested-reduction-and-th"),
    _fact("reduce", "0", "Elle s’annule jusqu’à la fin de la période.", "It can be undone until the period ends.",
          f"undo-reduction/{UNDO}", tests=(f"e2e/test_undo_reduction.py{TOO_LATE}",)),
    _fact("reduce", "1", "Ouvrir My Qlik, choisir l’abonnement.", "Open My Qlik, choose the subscription.", SELECT),
    _fact("reduce", "2", "Gérer.", "Manage.", MANAGE),
    _fact("reduce", "3", "Réduire les licences utilisateur.", "Reduce seats.", "click-reduce-seats"),
    _fact("reduce", "4", "+ et – règlent le nombre pour la période suivante.",
          "+ and – set the number for the next period.",
          "click-or-to-set-the-number-of-paid-users-for-the-next-subscr"),
    _fact("reduce", "4", "Le coût par mois, selon les tranches, est à droite.",
          "The cost per month, by tiers, is to the right.", COST),
    _fact("reduce", "4", "Jamais moins de licences que d’utilisateurs actifs.", "Never fewer seats than active users.",
          "refused-wait/12-users-are-active", tests=FEWER),
    _fact("reduce", "4", "Retirer d’abord des utilisateurs, puis attendre deux minutes.",
          "Remove users first, then wait two minutes.", WAIT, tests=FEWER),
    _fact("reduce", "5", "Continuer.", "Continue.", CONTINUE),
    _fact("reduce", "6", "Lire le dialogue, cocher Je comprends, Confirmer.",
          "Read the dialog, tick I understand, Confirm.", REVIEW),
    _fact("reduce", "6", "La vignette dit la réduction et sa date.", "The tile tells the reduction and its date.",
          "the-subscription-s-tile-shows-the-requested-reduction-and-th"),
    _fact("undo-reduction", "1", "Annuler la demande, sur la vignette.", "Undo request, on the tile.", UNDO),
    _fact("undo-reduction", "2", "Cocher Je comprends, Confirmer.", "Tick I understand, Confirm.", TICK,
          "refused-unticked/it-is-to-be-ticked"),
    _fact("undo-reduction", "2", "La vignette revient au nombre d’origine.", "The tile is back at the first number.",
          "the-subscription-s-tile-shows-the-original-number-of-seats"),
    _fact("cancel", "0", "L’annulation vaut à la fin de la période payée.",
          "The cancellation applies at the end of the paid period.",
          "the-cancellation-applies-at-the-end-of-your-current-subscrip"),
    _fact("cancel", "0", "D’ici là, l’abonnement sert comme avant.", "Until then, the subscription works as before.",
          tests=_walked("cancel")),
    _fact("cancel", "0", "Elle s’annule jusqu’à la fin de la période.", "It can be undone until the period ends.",
          "undo-cancellation/the-subscription-goes-on-as-before",
          tests=(f"e2e/test_undo_cancellation.py{TOO_LATE}",)),
    _fact("cancel", "1", "Ouvrir My Qlik, choisir l’abonnement.", "Open My Qlik, choose the subscription.", SELECT),
    _fact("cancel", "2", "Gérer.", "Manage.", MANAGE),
    _fact("cancel", "3", "Annuler l’abonnement.", "Cancel subscription.", "click-cancel-subscription"),
    _fact("cancel", "4", "Lire le dialogue, cocher Je comprends, Confirmer.",
          "Read the dialog, tick I understand, Confirm.", REVIEW,
          tests=("e2e/test_cancel.py::test_it_is_refused_while_i_understand_is_not_ticked",)),
    _fact("undo-cancellation", "1", "Annuler la demande, sur la vignette.", "Undo request, on the tile.", UNDO),
    _fact("undo-cancellation", "2", "Cocher Je comprends, Confirmer.", "Tick I understand, Confirm.", TICK),
    _fact("add-card", "1", "Ouvrir Paiement et facturation.", "Open Payment & billing.", IN_MY_QLIK),
    _fact("add-card", "2", "Ajouter une carte de crédit.", "Add credit card.",
          "under-payment-methods-click-add-credit-card"),
    _fact("add-card", "3", "Saisir la carte, Continuer.", "Enter the card, Continue.",
          "enter-your-credit-card-s-payment-details-and-click-continue"),
    _fact("add-card", "3", "La carte est parmi les modes de paiement.", "The card is among the payment methods.",
          "the-new-credit-card-appears-under-payment-methods"),
    _fact("delete-card", "0", "La carte par défaut ne se supprime pas.", "The default card cannot be deleted.",
          "refused-default-card/you-cannot-delete-the-default-payment-method-make-another-on",
          tests=("e2e/test_delete_card.py::test_a_refusal_and_the_way_on",)),
    _fact("delete-card", "0", "Une autre carte doit d’abord devenir celle par défaut.",
          "Another card must become the default first.", "default-card/the-card-is-now-the-default", tests=(
          "e2e/test_delete_card.py::test_another_card_takes_the_place_of_the_default_where_its_deletion_is_refused",)),
    _fact("delete-card", "1", "Ouvrir Paiement et facturation.", "Open Payment & billing.", IN_MY_QLIK),
    _fact("delete-card", "2", "Le bouton à icône de la carte.", "The icon button at the card.", f"{MENU}-to"),
    _fact("delete-card", "3", "Supprimer.", "Delete.", "select-delete"),
    _fact("delete-card", "4", "Supprimer, sur la page qui pose la question.", "Delete, on the page that asks.",
          "on-the-delete-credit-card-page-click-delete-to-delete-the-pa", "the-credit-card-is-no-longer-there"),
    _fact("default-card", "1", "Ouvrir Paiement et facturation.", "Open Payment & billing.", IN_MY_QLIK),
    _fact("default-card", "2", "Le bouton à icône de la carte.", "The icon button at the card.", f"{MENU}-to"),
    _fact("default-card", "3", "Définir comme mode de paiement par défaut.", "Set as default payment method.",
          "select-set-as-default-payment-method", "the-card-is-now-the-default"),
)
# fmt: on
