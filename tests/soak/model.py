"""What the rules say of one subscription, told again naively: no code of the portal is used, so that neither can hide
the other's mistake. Dates are found by walking the calendar, prices seat by seat; amounts are cents, ends exclusive.

A command changes the model, or raises Refused with the name of the refusal; `id`s are the portal's.
"""

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

TRIES = (0, 1, 3, 5, 7)  # days after the boundary
NOTICES = {1: (7,), 12: (30, 7)}
TAX = {"standard": 20, "reverse_charge": 0, "outside_eu": 0}  # per cent
Prices = tuple[tuple[int | None, int], ...]  # up to which seat, cents a seat and month
Line = tuple[int, ...]


class Refused(Exception):
    """A command that the rules do not allow; the first argument is the refusal's name."""


@cache
def boundary(anchor: date, months: int, n: int) -> date:
    year, month, day = anchor.year, anchor.month, anchor.day
    for _ in range(months * n):
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    while True:
        try:
            return date(year, month, day)
        except ValueError:
            day -= 1


@cache
def tiers(prices: Prices, seats: int) -> tuple[Line, ...]:
    """(seats, cents each) of each bracket that is reached."""
    units = [next(unit for last, unit in prices if last is None or seat <= last) for seat in range(1, seats + 1)]
    return tuple((count, unit) for unit, count in Counter(units).items())


def cost(prices: Prices, seats: int) -> int:
    return sum(count * unit for count, unit in tiers(prices, seats))


def half_up(numerator: int, denominator: int) -> int:
    quotient, rest = divmod(numerator, denominator)
    return quotient + (2 * rest >= denominator)


@dataclass(eq=False)
class Card:
    behaviour: str
    expires: tuple[int, int]  # year and month, the last in which it is good
    id: str
    gone: bool = False


@dataclass(eq=False)
class Attempt:
    """`bank` is the gateway's view (None: it never heard of it, or of no more than that it was given up: `heard`).

    `asked`: the portal knows of the 3-D Secure page.
    """

    card: Card | None
    at: datetime
    automatic: bool
    state: str = "pending"
    bank: str | None = None
    heard: bool = False
    asked: bool = False


@dataclass(eq=False)
class Quote:
    kind: str
    ordinal: int
    seats: int
    prices: Prices
    lines: tuple[Line, ...]  # the last number of each is its amount
    treatment: str
    expires: datetime
    automatic: bool = False
    card: Card | None = None
    id: str = ""
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def net(self) -> int:
        return sum(line[-1] for line in self.lines)

    @property
    def tax(self) -> int:
        return half_up(self.net * TAX[self.treatment], 100)

    @property
    def unrefused(self) -> Attempt | None:
        return next((one for one in self.attempts if one.state in ("pending", "captured")), None)


@dataclass(eq=False)
class Change:
    kind: str
    seats: int | None
    ordinal: int
    state: str = "open"
    id: str = ""


@dataclass(eq=False)
class Credit:
    """A refund of the nth invoice, and its credit note once it is made. `bank` is the gateway's view."""

    invoice: int
    net: int
    tax: int
    state: str = "pending"
    bank: str | None = None
    day: date | None = None


@dataclass
class Model:
    anchor: date
    months: int
    zone: ZoneInfo
    now: datetime
    forbids: str | None  # the refusal of every command, where somebody else makes the changes
    seats: dict[int, int]
    prices: Prices  # of the next quote; each period keeps its own in `paid_at`
    paid_at: dict[int, Prices]
    known: int  # active users, as the portal last heard
    crowd: list[tuple[datetime, int]]
    cards: list[Card]
    default: Card | None
    treatment: str = "standard"
    fault: str | None = None
    changes: list[Change] = field(default_factory=list)
    quotes: list[Quote] = field(default_factory=list)
    invoices: list[tuple[date, int, int]] = field(default_factory=list)  # day, net, tax
    credits: list["Credit"] = field(default_factory=list)
    mails: Counter[str] = field(default_factory=Counter)
    told: set[object] = field(default_factory=set)
    refusals: list[date] = field(default_factory=list)  # of the sweep, for the first period that is not paid
    ended_on: date | None = None

    # what is so today

    @property
    def today(self) -> date:
        return self.now.astimezone(self.zone).date()

    @property
    def last(self) -> int:
        return max(self.seats)

    def start(self, n: int) -> date:
        return boundary(self.anchor, self.months, n)

    @property
    def covering(self) -> int:
        n = 0
        while self.start(n + 1) <= self.today:
            n += 1
        return n

    def open(self, kind: str) -> Change | None:
        return next((change for change in self.changes if change.kind == kind and change.state == "open"), None)

    @property
    def status(self) -> str:
        leaving = self.open("cancellation")
        if self.ended_on or (leaving and self.today >= self.start(leaving.ordinal)):
            return "ended"
        if self.covering in self.seats:
            return "ending" if leaving else "active"
        return "lapsed" if len(self.refusals) == len(TRIES) else "past_due"

    @property
    def current(self) -> int:
        return self.covering if self.covering in self.seats else self.last

    @property
    def confirmed(self) -> int:
        fewer = self.open("reduction")
        return (fewer.seats if fewer else None) or self.seats[self.last]

    @property
    def next_seats(self) -> int | None:
        if self.ended_on:
            return None
        return self.seats.get(self.current + 1, None if self.open("cancellation") else self.confirmed)

    @property
    def pending(self) -> tuple[Quote, Attempt] | None:
        return next(((q, a) for q in self.quotes for a in q.attempts if a.state == "pending"), None)

    @property
    def visible(self) -> int:
        """What the tenant tells, two minutes late."""
        return [active for since, active in self.crowd if since <= self.now - timedelta(minutes=2)][-1]

    def midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), self.zone)

    # what an owner may ask

    def _allow(self, command: str) -> int | None:
        """The ordinal that a renewal pays, None of another command; or the refusal."""
        if self.forbids:
            raise Refused(self.forbids)
        status = self.status
        for no, so in (
            ("SubscriptionEnded", status == "ended"),
            ("PaymentPending", self.pending),
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

    def _usable(self, card: Card | None) -> Card:
        if card is None:
            raise Refused("CardMissing")
        if self._expired(card):
            raise Refused("CardExpired")
        return card

    def _expired(self, card: Card) -> bool:
        return (self.today.year, self.today.month) > card.expires

    def pay(self, quote: Quote, attempt: int, shown: Card | None) -> str:
        if len(quote.attempts) < attempt:
            self.known = self.visible
        over = quote.expires <= self.now
        made = quote.unrefused or (quote.attempts[attempt - 1] if attempt <= len(quote.attempts) else None)
        if made is None:
            fresh = self.draft(quote.kind, quote.seats)
            fresh.card = self._usable(quote.card)
            same = (fresh.ordinal, fresh.lines, fresh.treatment) == (quote.ordinal, quote.lines, quote.treatment)
            if over or not same or (shown and shown is not quote.card):
                self.quotes.append(fresh)
                raise Refused("QuoteMoved")
            made = Attempt(quote.card, self.now, automatic=False)
            quote.attempts.append(made)
        if over:
            with suppress(Refused):
                self.ask_again(quote)
        else:
            self._charge(quote, made)
        return made.state

    def reduce(self, seats: int) -> Change:
        self._allow("reduce")
        self.known = self.visible
        if seats >= self.seats[self.last]:
            raise Refused("NotFewerSeats")
        if seats < self.known:
            raise Refused("BelowActiveUsers")
        asked = self.open("reduction")
        if asked is None or asked.seats != seats:  # sent twice, it is one request
            self._close("reduction", "superseded")
            self.changes.append(Change("reduction", seats, self.last + 1))
            self.mails["requested"] += 1
        return self.open("reduction") or self.changes[-1]

    def cancel(self) -> Change | None:
        self._allow("cancel")
        if self.status == "past_due":
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

    def _close(self, kind: str, state: str) -> None:
        change = self.open(kind)
        if change:
            change.state = state

    def _end(self, day: date) -> None:
        self.ended_on = day
        self._close("cancellation", "applied")
        self._close("reduction", "superseded")
        self.mails["ended"] += 1

    # cards

    def add_card(self, card: Card, quote: Quote | None) -> None:
        self.cards.append(card)
        self.default = self.default or card
        if quote:
            quote.card = card

    def delete_card(self, card: Card) -> None:
        if card.gone:
            raise Refused("NotFound")
        if card is self.default:
            raise Refused("DefaultCardKept")
        if self.pending and self.pending[1].card is card:
            raise Refused("CardInUse")
        card.gone = True
        for quote in self.quotes:
            quote.card = None if quote.card is card else quote.card

    def make_default(self, card: Card) -> None:
        if card.gone:
            raise Refused("NotFound")
        self.default = card

    # payments

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
        attempt.state = outcome or "pending"
        if outcome == "declined" and attempt.automatic:
            self.refusals.append(self.today)
            self.mails["refused"] += 1
        if outcome == "cancelled" and not attempt.asked:
            self.mails["not_made"] += not attempt.automatic
        if outcome == "captured":
            self._take_effect(quote)

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
        """The owner comes back from the bank, or the sweep asks what became of a payment."""
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
        """A challenge of the sweep that nobody answers uses up one of its attempts."""
        challenged, attempt.bank = attempt.bank == "challenged", "cancelled"
        self._settle(quote, attempt, "declined" if challenged and attempt.automatic else "cancelled")

    # credit notes

    def credit(self, invoice: int, net: int | None) -> str:
        """The parts' taxes are such that their sum is the tax on the sum of the parts."""
        ours = [one for one in self.credits if one.invoice == invoice and one.state != "refused"]
        waiting = next((one for one in ours if one.state == "pending"), None)
        if waiting is None:
            _, whole, tax = self.invoices[invoice]
            before = sum(one.net for one in ours)
            net = whole - before if net is None else net
            if not 0 < net <= whole - before:
                raise Refused("NotCredited")
            rate = half_up(tax * 100, whole)
            taxed = half_up((before + net) * rate, 100) - sum(one.tax for one in ours)
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

    # time

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
            if ahead and (kind, self.last + 1, which) not in self.told:
                self.told.add((kind, self.last + 1, which))
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
        quote = self.draft("renewal", self.confirmed, automatic=True)
        quote.card, attempt = self.default, Attempt(self.default, self.now, automatic=True)
        quote.attempts.append(attempt)
        self.quotes.append(quote)
        if quote.card is None or self._expired(quote.card):
            self._settle(quote, attempt, "declined")
        else:
            known, self.known = self.known, self.visible
            self._charge(quote, attempt)
            self.known = self.known if attempt.state == "captured" else known

    def walk(self, to: datetime) -> None:
        """Time passes and the sweep is never late: it runs at every midnight, and when a quote in flight expires."""
        self.sweep()
        while True:
            stops = [self.midnight(self.today + timedelta(days=1)), to]
            stops += [self.pending[0].expires] if self.pending and self.pending[0].expires > self.now else []
            self.now = min(stops).astimezone(to.tzinfo)
            self.sweep()
            if self.now >= to:
                return
