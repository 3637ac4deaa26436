"""The rules for one subscription, written a second time in the simplest way.

The model uses no code of the portal, so neither can hide a mistake of the other. A command changes the model, or raises
Refused with the name of the refusal. The `id`s are the portal's.
"""

from contextlib import suppress
from datetime import datetime, timedelta

from tests.soak.model_parts import NOTICES, TRIES, Attempt, Card, Change, Line, Quote, Refused, cost, half_up, tiers
from tests.soak.model_payments import Payments


class Model(Payments):
    def _allow(self, command: str) -> int | None:
        """Raises the refusal of the command, if any; for a renewal, returns the ordinal that it pays."""
        if self.forbids:
            raise Refused(self.forbids)
        status = self.status
        for no, so in (
            ("SubscriptionEnded", status == "ended"),
            ("PaymentPending", self.pending and not (self.challenge and command in ("renewal", "cancel"))),
            ("CancellationOpen", self.open("cancellation")),
            ("RenewalDue", status in ("past_due", "lapsed") and command in ("addition", "reduce")),
            ("RenewalDue", status == "lapsed" and command == "cancel"),
            ("ReductionOpen", command == "addition" and self.open("reduction")),
            ("NotFewerSeats", command == "reduce" and self.seats[self.last] == 1),
            ("AlreadyRenewed", command == "renewal" and status != "lapsed" and self.last > self.covering),
        ):
            if so:
                raise Refused(no)
        return self.covering if status == "lapsed" else self.last + 1

    def draft(self, kind: str, seats: int, automatic: bool = False) -> Quote:
        ordinal, prices, expires = self._allow(kind) or 0, self.prices, self.now + timedelta(minutes=30)
        lines: list[Line] = []
        if kind == "renewal":
            if seats < self.known and not automatic:
                raise Refused("BelowActiveUsers")
            lines = [(count, unit, count * unit * self.months) for count, unit in tiers(prices, seats)]
            if self.status == "lapsed":
                lines = [self._part(cost(prices, seats), ordinal)]
        else:
            ordinal = self.covering
            if seats <= self.seats[ordinal]:
                raise Refused("NotMoreSeats")
            for n in range(ordinal, self.last + 1):
                if seats > self.seats[n]:
                    more = cost(self.paid_at[n], seats) - cost(self.paid_at[n], self.seats[n])
                    lines.append(self._part(more, n))
            expires = min(expires, self.midnight(self.today + timedelta(days=1)))
        if automatic:
            expires = self.midnight(self.today + timedelta(days=2))
        return Quote(kind, ordinal, seats, prices, tuple(lines), self.treatment, expires, automatic)

    def _part(self, monthly: int, n: int) -> Line:
        left, days = self.start(n + 1) - max(self.today, self.start(n)), self.start(n + 1) - self.start(n)
        return (monthly, left.days, days.days, half_up(monthly * self.months * left.days, days.days))

    def quote(self, kind: str, seats: int) -> Quote:
        self._allow(kind)
        self.known = self.visible
        self.quotes.append(self.draft(kind, seats))
        return self.quotes[-1]

    def choose(self, quote: Quote, card: Card | None) -> None:
        if card and card.gone:
            raise Refused("NotFound")
        self._usable(card)
        if quote.unrefused is None:
            quote.card = card

    def pay(self, quote: Quote, attempt: int, shown: Card | None) -> str:
        if len(quote.attempts) < attempt:
            self.known = self.visible
        over = quote.expires <= self.now
        made = quote.unrefused or (quote.attempts[attempt - 1] if attempt <= len(quote.attempts) else None)
        if made is None:
            self._compare(quote, shown)
            if self.challenge and not self.replace_challenge():
                self._compare(quote, shown)  # the bank's answer may have moved it
            made = Attempt(quote.card, self.now, automatic=False)
            quote.attempts.append(made)
        if over:
            with suppress(Refused):
                self.ask_again(quote)
        else:
            self._charge(quote, made)
        return made.state

    def _compare(self, quote: Quote, shown: Card | None) -> None:
        fresh = self.draft(quote.kind, quote.seats)
        fresh.card = self._usable(quote.card)
        same = (fresh.ordinal, fresh.lines, fresh.treatment) == (quote.ordinal, quote.lines, quote.treatment)
        if quote.expires <= self.now or not same or (shown and shown is not quote.card):
            self.quotes.append(fresh)
            raise Refused("QuoteMoved")

    def reduce(self, seats: int) -> Change:
        self._allow("reduce")
        self.known = self.visible
        if seats >= self.seats[self.last]:
            raise Refused("NotFewerSeats")
        if seats < self.known:
            raise Refused("BelowActiveUsers")
        asked = self.open("reduction")
        if asked is None or asked.seats != seats:  # the same request twice is one request
            self._close("reduction", "superseded")
            self.changes.append(Change("reduction", seats, self.last + 1))
            self.mails["requested"] += 1
        return self.open("reduction") or self.changes[-1]

    def cancel(self) -> Change | None:
        replaced = self.challenge is not None and self.replace_challenge()
        if not replaced:
            self._allow("cancel")
        if replaced or self.status == "past_due":
            self._end(self.today)
            return None
        self.mails["requested"] += 1
        self.changes.append(Change("cancellation", None, self.last + 1))
        return self.changes[-1]

    def withdraw(self, change: Change) -> None:
        if change.state == "never":
            raise Refused("NotFound")
        if self.pending:
            raise Refused("PaymentPending")
        late = change.state == "open" and self.today >= self.start(change.ordinal)
        if (
            late
            or change.state in ("applied", "superseded")
            or (change.state == "withdrawn" and self.open(change.kind))
        ):
            raise Refused("ChangeClosed")
        self.mails["undone"] += change.state == "open"
        change.state = "withdrawn"

    def add_card(self, card: Card, quote: Quote | None) -> Card:
        """All cards look alike but for their expiry: one that is entered again stays one entry, the default first."""
        kept = [other for other in self.cards if not other.gone]
        kept.sort(key=lambda other: other is not self.default)
        known = next((other for other in kept if other.expires == card.expires), None)
        if known:
            known.behaviour, known.entered = card.behaviour, known.entered + 1
        else:
            self.cards.append(card)
            self.mails["security"] += 1
            self.default = self.default or card
        if quote and quote.unrefused is None:
            quote.card = known or card
        return known or card

    def delete_card(self, card: Card) -> None:
        if card.gone:
            raise Refused("NotFound")
        only = [other for other in self.cards if not other.gone] == [card]
        charged = not self.forbids and self.status != "ended"
        if card is self.default and (charged or not only):
            raise Refused("DefaultCardKept")
        if self.pending and self.pending[1].card is card:
            raise Refused("CardInUse")
        card.gone = True
        self.mails["security"] += 1
        self.default = None if self.default is card else self.default
        self.backup = None if self.backup is card else self.backup
        for quote in self.quotes:
            quote.card = None if quote.card is card else quote.card

    def make_default(self, card: Card) -> None:
        if card.gone:
            raise Refused("NotFound")
        self.mails["security"] += card is not self.default
        self.default = card
        self.backup = None if self.backup is card else self.backup

    def make_backup(self, card: Card) -> None:
        if card.gone:
            raise Refused("NotFound")
        if card is self.default:
            raise Refused("DefaultIsNoBackup")
        card = self._usable(card)
        self.mails["security"] += card is not self.backup
        self.backup = card

    def remove_backup(self, card: Card) -> None:
        if card.gone:
            raise Refused("NotFound")
        self.mails["security"] += card is self.backup
        self.backup = None if self.backup is card else self.backup

    def sweep(self) -> None:
        for credit in self.credits:
            if credit.state == "pending":
                self._give_back(credit)
        while not self._waits() and self._step():
            pass
        if self.ended_on or self.open("cancellation") or self.forbids:
            return
        due = self.start(self.last + 1)
        ahead = min((days for days in NOTICES[self.months] if due - timedelta(days) <= self.today < due), default=None)
        notices = {"renewal": ahead}
        if self.default and (due.year, due.month) > self.default.expires:
            notices["card_expires"] = id(self.default)
        for kind, which in notices.items():
            if ahead and (kind, self.last + 1, which) not in self.announced:
                self.announced.add((kind, self.last + 1, which))
                self.mails[kind] += 1

    def _waits(self) -> bool:
        if self.pending:
            with suppress(Refused):
                self.ask_again(self.pending[0])
        return self.pending is not None

    def _step(self) -> bool:
        due, leaving = self.start(self.last + 1), self.open("cancellation")
        if self.forbids:
            if self.today >= due:
                n = self.last
                self.seats[n + 1], self.paid_at[n + 1] = self.seats[n], self.prices
                return True
        elif self.ended_on is None and (leaving or len(self.refusals) == len(TRIES)):
            day = self.start(leaving.ordinal) if leaving else self.refusals[-1] + timedelta(days=30)
            if self.today >= day:
                self._end(day)
        elif self.ended_on is None:
            on_time = due + timedelta(days=TRIES[len(self.refusals)])
            if self.today >= max([on_time, *(day + timedelta(days=1) for day in self.refusals)]):
                self._renew_by_itself()
                return self.pending is None
        return False

    def _renew_by_itself(self) -> None:
        owed = [q for q in self.quotes if q.ordinal == self.last + 1]
        first = next((a for q in owed for a in q.attempts if a.backup_since), None)
        if first and first.backup_since and (first.backup_since != self.today or not self.backup_usable(first)):
            self.refused(first, first.backup_since)
            self.mails["refused"] += 1
            return
        quote = self.draft("renewal", self.confirmed, automatic=True)
        quote.card = self.backup if first else self.default
        attempt = Attempt(quote.card, self.now, automatic=True, first=first)
        quote.attempts.append(attempt)
        self.quotes.append(quote)
        if quote.card is None or self._expired(quote.card):
            self._settle(quote, attempt, "declined")
        else:
            known, self.known = self.known, self.visible
            self._charge(quote, attempt)
            self.known = self.known if attempt.state == "captured" else known

    def walk(self, to: datetime) -> None:
        """Time passes and the sweep is never late: it runs at midnight and when a pending payment is given up."""
        self.sweep()
        while True:
            stops = [self.midnight(self.today + timedelta(days=1)), to]
            if self.pending:
                quote, attempt = self.pending
                given_up = (attempt.at + timedelta(seconds=15), quote.expires)
                stops += [moment for moment in given_up if moment > self.now]
            self.now = min(stops).astimezone(to.tzinfo)
            self.sweep()
            if self.now >= to:
                return
