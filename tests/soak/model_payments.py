"""Payments and refunds of the modelled subscription, with the gateway's own view of them."""

from datetime import date, timedelta

from tests.soak.model_parts import Attempt, Card, Credit, Quote, Refused, half_up
from tests.soak.model_state import State


class Payments(State):
    def _usable(self, card: Card | None) -> Card:
        if card is None:
            raise Refused("CardMissing")
        if self._expired(card):
            raise Refused("CardExpired")
        return card

    def _expired(self, card: Card) -> bool:
        return (self.today.year, self.today.month) > card.expires

    def _charge(self, quote: Quote, attempt: Attempt) -> None:
        if attempt.state != "pending" or self.fault == "down":
            return
        fault = None
        if attempt.bank is None and attempt.card:
            fault, self.fault = self.fault, None
            if fault not in ("timeout", "error"):
                attempt.bank, attempt.heard = self._verdict(fault, attempt.card.behaviour), True
        if fault not in ("timeout", "error", "timeout_after_charge"):
            self._settle(quote, attempt, attempt.bank)

    def _verdict(self, fault: str | None, behaviour: str) -> str:
        if fault == "decline":
            return "declined"
        if "challenge" in (fault, behaviour):
            return "challenged"
        return "captured" if behaviour == "accepted" else "declined"

    def _settle(self, quote: Quote, attempt: Attempt, outcome: str | None) -> None:
        if outcome == "challenged":
            self.mails["confirm"] += attempt.automatic and not attempt.asked
            attempt.asked = True
            return
        if outcome == "cancelled" and attempt.automatic and attempt.asked:
            outcome = "declined"  # an unanswered challenge counts as one of the sweep's refused attempts
        attempt.state = outcome or "pending"
        if outcome == "declined" and attempt.automatic:
            if attempt.first is None and self.backup_usable(attempt):
                attempt.backup_since = self.today
            else:
                self.refused(attempt, self.today)
                self.mails["refused"] += 1
        if outcome == "cancelled" and not attempt.asked:
            self.mails["not_made"] += not attempt.automatic
        if outcome == "captured":
            self._take_effect(quote)

    def backup_usable(self, refused: Attempt) -> bool:
        if self.backup is None or self._expired(self.backup):
            return False
        return (self.backup, self.backup.entered) != (refused.card, refused.entered)

    def refused(self, attempt: Attempt, day: date) -> None:
        """The default and the backup card together are one of the sweep's attempts."""
        (attempt.first or attempt).backup_since = None
        self.refusals.append(day)

    def _take_effect(self, quote: Quote) -> None:
        if quote.kind == "addition":
            self.seats |= {n: max(seats, quote.seats) for n, seats in self.seats.items() if n >= quote.ordinal}
        else:
            self.seats[quote.ordinal], self.paid_at[quote.ordinal] = quote.seats, quote.prices
            self.refusals = []
            self._close("reduction", "applied" if quote.automatic else "superseded")
        self.invoices.append((self.today, quote.net, quote.tax))
        self.mails["receipt"] += 1
        self.mails["document"] += 1
        self.mails["over_seats"] += quote.automatic and self.known > quote.seats

    def ask_again(self, quote: Quote) -> None:
        """Asks the gateway for a payment's outcome, for a returning owner or the sweep."""
        attempt = quote.unrefused
        if attempt is None or attempt.state != "pending":
            return
        if self.fault == "down":
            raise Refused("OutcomeUnknown")
        given_up = attempt.bank is None and self.now >= attempt.at + timedelta(seconds=15)
        if given_up or (attempt.bank == "challenged" and self.now >= quote.expires):
            self._give_up(quote, attempt)
        elif attempt.bank:
            self._settle(quote, attempt, attempt.bank)

    def abandon(self, quote: Quote) -> None:
        attempt = quote.unrefused
        if attempt and attempt.state == "pending" and attempt.asked:
            if self.fault == "down":
                raise Refused("OutcomeUnknown")
            if attempt.bank == "challenged":
                self._give_up(quote, attempt)
            else:
                self._settle(quote, attempt, attempt.bank)

    def _give_up(self, quote: Quote, attempt: Attempt) -> None:
        attempt.bank = "cancelled"
        self._settle(quote, attempt, "cancelled")

    def replace_challenge(self) -> bool:
        """Cancels the sweep's challenge for the owner's own command, without a mail. False if the bank was answered."""
        assert self.pending
        quote, attempt = self.pending
        if self.fault == "down":
            raise Refused("OutcomeUnknown")
        if attempt.bank != "challenged":
            self._settle(quote, attempt, attempt.bank)
            return False
        attempt.bank, attempt.state = "cancelled", "declined"
        self.refused(attempt, self.today)
        return True

    def credit(self, invoice: int, net: int | None) -> str:
        """Partial credits are taxed so that their taxes add up to the tax on their sum."""
        ours = [credit for credit in self.credits if credit.invoice == invoice and credit.state != "refused"]
        waiting = next((credit for credit in ours if credit.state == "pending"), None)
        if waiting is None:
            _, whole, tax = self.invoices[invoice]
            before = sum(credit.net for credit in ours)
            net = whole - before if net is None else net
            if not 0 < net <= whole - before:
                raise Refused("NotCredited")
            rate = half_up(tax * 1000, whole)  # per mille, as 8.5 % is a rate, too
            taxed = half_up((before + net) * rate, 1000) - sum(credit.tax for credit in ours)
            waiting = Credit(invoice, net, taxed)
            self.credits.append(waiting)
        elif net not in (None, waiting.net):
            raise Refused("NotCredited")
        self._give_back(waiting)
        return waiting.state

    def _give_back(self, credit: Credit) -> None:
        if self.fault == "down":
            return
        fault = None
        if credit.bank is None:
            if self.fault != "challenge":
                fault, self.fault = self.fault, None
            if fault not in ("timeout", "error"):
                credit.bank = "refused" if fault == "decline" else "made"
        if credit.bank and fault != "timeout_after_charge":
            credit.state = credit.bank
            if credit.state == "made":
                credit.day = self.today
                self.mails["credited"] += 1
                self.mails["document"] += 1
