"""A walk through a story: the page, the language, the account, and who watches each step."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pyotp
from playwright.sync_api import Locator, Page, expect

from ..portal import Sandbox, token
from .labels import LABELS, PRODUCT


class Sentence(NamedTuple):
    """A sentence of the help page, in both languages."""

    fr: str
    en: str


def sentence(fr: str, en: str) -> Sentence:
    """Sets the no-break spaces of French punctuation."""
    return Sentence(re.sub(r" ([:;?!»])", "\u00a0\\1", fr.replace("« ", "«\u00a0")), en)


@dataclass(frozen=True)
class Step:
    """An action of the owner, which the help page numbers; or, where `seen`, what the screen then shows."""

    says: Sentence
    seen: bool = False


@dataclass
class Walk:
    page: Page
    sandbox: Sandbox
    locale: str
    account: dict[str, Any]
    scripts: bool = True
    watch: Callable[[Step, Locator | None], None] = field(default=lambda _step, _acted: None)
    touch: bool = False

    def __getitem__(self, name: str) -> str:
        return LABELS[self.locale][name]

    def words(self, fr: str, en: str) -> str:
        return fr if self.locale == "fr" else en

    def step(self, fr: str, en: str, acted: Locator) -> Locator:
        """A documented step: the watcher sees the screen before the action, and the element that is acted on."""
        expect(acted).to_be_visible()
        self.watch(Step(sentence(fr, en)), acted)
        return acted

    def click(self, fr: str, en: str, acted: Locator) -> None:
        self.step(fr, en, acted)
        if self.touch:
            acted.tap()
        else:
            acted.click()

    def see(self, fr: str, en: str, shown: Locator | None = None) -> None:
        """A documented result: the watcher sees the screen that shows it."""
        if shown:
            expect(shown).to_be_visible()
        self.watch(Step(sentence(fr, en), seen=True), shown)

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=self[name], exact=True)

    def account_menu(self, item: str) -> Locator:
        """Opens the account's menu. Returns one of its items, by its words."""
        self.page.get_by_role("banner").locator("summary").click()
        return self.page.get_by_role("banner").get_by_text(item, exact=True)

    def labelled(self, name: str) -> Locator:
        return self.page.get_by_label(self[name])

    def heading(self, name: str) -> None:
        expect(self.page.get_by_role("heading", level=1)).to_have_text(self[name])

    def tile(self, product: str = PRODUCT) -> Locator:
        return self.page.get_by_role("article", name=product)

    def cost(self) -> Locator:
        return self.page.get_by_role("status", name=self["cost"])

    def alert(self) -> Locator:
        return self.page.get_by_role("alert")

    def message(self) -> Locator:
        """The message area, which says what was done."""
        return self.page.get_by_role("status").first

    def address(self, procedure: str = "", plan: str = "business") -> str:
        """The page of the subscription, or of one of its procedures: `address("/renew")`."""
        return f"{self.sandbox.url}/subscriptions/{self.account['subscriptions'][plan]}{procedure}"

    def card(self, last4: str) -> Locator:
        """A payment method's row on Paiement et facturation."""
        return (
            self.page.get_by_role("region", name=self["Payment methods"]).get_by_role("listitem").filter(has_text=last4)
        )

    def more_actions(self, last4: str) -> Locator:
        """The button that opens the menu of this card."""
        return self.card(last4).get_by_role("button", name=self["More actions"], exact=True)

    def cards(self) -> list[tuple[str, bool]]:
        """The last digits of the saved cards, each with whether it is the default."""
        return [(card["last4"], card["default"]) for card in self.state()["cards"]]

    def payments(self) -> list[str]:
        return [payment["state"] for payment in self.state()["payments"]]

    def state(self) -> Any:
        return self.sandbox.state(self.account["account"])

    def subscription(self) -> Any:
        return next(item for item in self.state()["subscriptions"] if item["plan"] == "business")

    def sign_in(self) -> None:
        """Sends what the sign-in form sends; the form itself is tested in `test_sign_in`."""
        address, http, language = f"{self.sandbox.url}/sign-in", self.page.request, {"Accept-Language": self.locale}
        csrf = token(http.get(address, headers=language).text())
        form = {"csrf_token": csrf, "email": self.account["email"], "password": self.account["password"]}
        answer = http.post(address, form=form, headers=language)
        assert answer.url != address
        if secret := self.account.get("totp_secret"):
            form = {"csrf_token": token(answer.text()), "code": pyotp.TOTP(secret).now()}
            http.post(f"{address}/factor", form=form, headers=language)
        self.page.goto(f"{self.sandbox.url}/subscriptions")
        expect(self.page.get_by_role("article").first).to_be_visible()

    def enter_card(self, number: str) -> None:
        """Fills in the gateway's card page and continues."""
        self.type_card(number)
        self.button("Continue").click()

    def type_card(self, number: str) -> None:
        self.labelled("Card number").fill(number)
        self.labelled("Expiry date").fill("12/31")
        self.labelled("Security code").fill("123")
        self.labelled("Holder").fill("Camille Martin")
