"""Exactly one owner, in any order of what happens to a team, and when much of it happens at once."""

import random
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import pytest
from flask import Flask
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import select

from tests.support import team
from tests.support.together import Stop, together
from webapp.access.identity import SignedIn
from webapp.db import NotFound, db, new_id
from webapp.domain.permissions import INVITABLE, Role
from webapp.domain.refusals import Refusal
from webapp.models.accounts import Member
from webapp.models.mail import Message
from webapp.sandbox import scenarios
from webapp.sandbox.scenarios import Made
from webapp.team import handover, invitations, members

PEOPLE = st.integers(0, 4)
ROLES = st.sampled_from(INVITABLE)


def acting(member: Member) -> SignedIn:
    role = Role(member.role)
    return SignedIn(member.id, member.account_id, member.name, member.email, "en", "Ateliers", "", role)


def owners(account_id: str) -> list[str]:
    db.session.rollback()
    query = select(Member.email).where(Member.account_id == account_id, Member.role == Role.OWNER)
    return list(db.session.scalars(query))


class Life(RuleBasedStateMachine):
    """Each rule lets somebody try something, whether they may or not. Whoever may not is refused."""

    app: Flask

    @initialize()
    def begin(self) -> None:
        self.context = self.app.test_request_context()
        self.context.push()
        self.made = scenarios.make("business")
        self.links: list[str] = []

    def teardown(self) -> None:
        self.context.pop()

    def somebody(self, number: int) -> Member:
        present = members.list_members(self.made.account)
        db.session.rollback()
        return present[number % len(present)]

    def tries(self, what: Callable[[], object]) -> None:
        with suppress(Refusal, NotFound):
            what()

    @rule(who=PEOPLE, role=ROLES)
    def invite(self, who: int, role: Role) -> None:
        email = f"{new_id()[:8]}@example.test"
        self.tries(partial(invitations.invite, acting(self.somebody(who)), email, role))
        db.session.rollback()
        bodies = db.session.scalars(select(Message.body).where(Message.recipient == email)).all()
        self.links += [body.partition("/invitations/")[2].split()[0] for body in bodies]

    @rule(which=st.integers(0, 9))
    def accept(self, which: int) -> None:
        if self.links:
            token = self.links[which % len(self.links)]
            with self.app.test_request_context():
                self.tries(partial(invitations.accept, token, "Nadia", team.PASSWORD))

    @rule(who=PEOPLE, whom=PEOPLE, role=ROLES)
    def change_role(self, who: int, whom: int, role: Role) -> None:
        self.tries(partial(members.change_role, acting(self.somebody(who)), self.somebody(whom).id, role))

    @rule(who=PEOPLE, whom=PEOPLE)
    def remove(self, who: int, whom: int) -> None:
        self.tries(partial(members.remove, acting(self.somebody(who)), self.somebody(whom).id))

    @rule(who=PEOPLE)
    def leave(self, who: int) -> None:
        self.tries(partial(members.leave, acting(self.somebody(who))))

    @rule(who=PEOPLE, whom=PEOPLE)
    def propose(self, who: int, whom: int) -> None:
        self.tries(partial(handover.propose, acting(self.somebody(who)), self.somebody(whom).id))

    @rule(who=PEOPLE, answer=st.sampled_from((handover.accept, handover.decline, handover.cancel)))
    def answer(self, who: int, answer: Callable[[SignedIn], None]) -> None:
        self.tries(partial(answer, acting(self.somebody(who))))

    @invariant()
    def there_is_exactly_one_owner(self) -> None:
        if hasattr(self, "made"):
            assert len(owners(self.made.account)) == 1


@pytest.mark.service
def test_any_order_leaves_exactly_one_owner(app: Flask) -> None:
    life = type("OneLife", (Life,), {"app": app})
    few = settings(
        max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    run_state_machine_as_test(life, settings=few)


@pytest.fixture
def people(business: Made) -> tuple[SignedIn, SignedIn, SignedIn]:
    """The owner and two managers."""
    first, second = team.add(business, "manager"), team.add(business, "manager")
    owner = next(member for member in members.list_members(business.account) if member.role == Role.OWNER)
    signed_in = acting(owner), acting(first), acting(second)
    db.session.rollback()
    return signed_in


def propose(owner: SignedIn, member_id: str) -> str:
    handover.propose(owner, member_id)
    return "done"


@pytest.mark.service
def test_two_proposals_at_once(app: Flask, people: tuple[SignedIn, SignedIn, SignedIn]) -> None:
    owner, first, second = people
    outcomes = together(app, [partial(propose, owner, member.member_id) for member in (first, second)])
    assert sorted(map(str, outcomes)) == ["HandoverOpen", "done"]


@pytest.mark.service
@pytest.mark.parametrize("stop", [None, *(Stop(act, moment) for act in (0, 1) for moment in (1, 2, 3, 5, 8))])
@pytest.mark.parametrize("other", ["accept", "cancel", "remove", "demote", "leave", "decline"])
def test_accepting_while_something_else_happens(
    app: Flask, people: tuple[SignedIn, SignedIn, SignedIn], other: str, stop: Stop | None
) -> None:
    """One is stopped at a moment while the other goes on, as far as its locks let it."""
    owner, first, _second = people
    handover.propose(owner, first.member_id)
    acts: dict[str, Callable[[], object]] = {
        "accept": partial(handover.accept, first),
        "cancel": partial(handover.cancel, owner),
        "remove": partial(members.remove, owner, first.member_id),
        "demote": partial(members.change_role, owner, first.member_id, Role.VIEWER),
        "leave": partial(members.leave, first),
        "decline": partial(handover.decline, first),
    }
    together(app, [partial(handover.accept, first), acts[other]], stop)
    assert owners(owner.account_id) in ([owner.email], [first.email])


@pytest.mark.service
@pytest.mark.parametrize("seed", range(3))
def test_any_acts_at_once_leave_exactly_one_owner(
    app: Flask, business: Made, people: tuple[SignedIn, SignedIn, SignedIn], seed: int
) -> None:
    """Rounds of acts that are drawn at random and start together, by whoever may do them or not."""
    chance, owner = random.Random(seed), people[0]
    for _round in range(6):
        present = [acting(member) for member in members.list_members(owner.account_id)]
        db.session.rollback()
        acts = [_drawn(chance, present) for _ in range(5)]
        together(app, acts)
        assert len(owners(owner.account_id)) == 1, (seed, acts)
        while len(members.list_members(owner.account_id)) < 3:
            team.add(business, "manager")


def _drawn(chance: random.Random, present: list[SignedIn]) -> Callable[[], object]:
    first, *_others = present
    who, whom = (chance.choice((first, *present)) for _ in range(2))  # mostly the owner
    email = f"{new_id()[:8]}@example.test"
    return chance.choice(
        (
            partial(invitations.invite, who, email, chance.choice(INVITABLE)),
            partial(members.change_role, who, whom.member_id, chance.choice(INVITABLE)),
            partial(members.remove, who, whom.member_id),
            partial(members.leave, who),
            partial(handover.propose, who, whom.member_id),
            partial(handover.accept, who),
            partial(handover.accept, whom),
            partial(handover.cancel, who),
        )
    )


@pytest.mark.service
def test_of_two_accounts_that_invite_the_same_person_one_gets_them(app: Flask, business: Made) -> None:
    email, links = "nadia@example.test", []
    for made in (business, scenarios.make("business")):
        owner = next(acting(member) for member in members.list_members(made.account) if member.role == Role.OWNER)
        db.session.rollback()
        invitations.invite(owner, email, Role.VIEWER)
        body = db.session.scalars(
            select(Message.body).where(Message.account_id == made.account, Message.recipient == email)
        ).one()
        links.append(f"/invitations/{body.partition('/invitations/')[2].split()[0]}")
    db.session.rollback()

    def accept(link: str) -> int:
        form = {"name": "Nadia", "password": team.PASSWORD}
        return app.test_client().post(link, data=form).status_code

    assert sorted(map(str, together(app, [partial(accept, link) for link in links]))) == ["303", "409"]


@pytest.mark.service
def test_an_invitation_is_accepted_once_however_often_it_is_sent(
    app: Flask, people: tuple[SignedIn, SignedIn, SignedIn]
) -> None:
    owner = people[0]
    invitations.invite(owner, "nadia@example.test", Role.VIEWER)
    body = db.session.scalars(select(Message.body).where(Message.recipient == "nadia@example.test")).one()
    db.session.rollback()
    link = f"/invitations/{body.partition('/invitations/')[2].split()[0]}"

    def send() -> int:
        form = {"name": "Nadia", "password": team.PASSWORD}
        return app.test_client().post(link, data=form).status_code

    assert sorted(map(str, together(app, [send] * 4))) == ["303", "410", "410", "410"]
    assert len(db.session.scalars(select(Member.id).where(Member.email == "nadia@example.test")).all()) == 1
