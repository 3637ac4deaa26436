"""The billing information: the documented steps, wrong numbers, and the longest text."""

import re

import pytest
from playwright.sync_api import expect

from .conftest import Begin, WalkStory
from .matrix import SCRIPTS, Cell, in_the_matrix
from .stories import Story, billing_info
from .watcher import scrolls_sideways, violations


@in_the_matrix(billing_info.DOCUMENTED)
def test_the_documented_steps(walk_story: WalkStory, story: Story, cell: Cell) -> None:
    walk_story(story, cell)


@SCRIPTS
def test_a_wrong_number_is_reported_at_its_field_and_can_be_corrected(begin: Begin, scripts: bool) -> None:
    walk = begin("enterprise", scripts=scripts)
    walk.page.goto(f"{walk.sandbox.url}/billing/information")
    walk.labelled("VAT number").fill("FR41900300402")
    walk.labelled("Billing e-mails").fill("compta")
    walk.button("Save").click()
    alert = walk.page.get_by_role("alert")
    expect(alert).to_contain_text("Ce numéro de TVA n’est pas valide")
    expect(alert).to_contain_text("n’est pas une adresse e-mail")
    expect(alert).to_be_focused()
    expect(walk.page).to_have_title(re.compile("^Erreur"))
    if scripts:
        assert violations(walk.page) == []
    alert.get_by_role("link").first.click()
    expect(walk.page).to_have_url(re.compile("#vat_number$"))
    walk.labelled("VAT number").fill("fr 41 900 300 401")
    walk.labelled("Billing e-mails").fill("compta@example.test, achats@example.test")
    walk.labelled("Billing e-mails").blur()
    walk.button("Save").click()
    walk.heading("Payment & billing")
    expect(walk.page.get_by_text("compta@example.test, achats@example.test")).to_be_visible()


@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        pytest.param(1280, "dark", marks=pytest.mark.slow),
        pytest.param(360, "light", marks=pytest.mark.slow),
        (320, "dark"),
    ],
)
def test_the_longest_text_fits_and_can_be_read(begin: Begin, width: int, scheme: str) -> None:
    walk = begin("business", width=width, color_scheme=scheme)
    walk.page.goto(f"{walk.sandbox.url}/billing/information")
    walk.labelled("Legal name").fill("<script>alert(1)</script>" + "W" * 175)
    walk.labelled("Purchase order").fill("=" * 100)
    walk.button("Save").click()
    walk.heading("Payment & billing")
    for path in ("/billing", "/billing/information", "/contact"):
        walk.page.goto(walk.sandbox.url + path)
        assert not scrolls_sideways(walk.page), path
        assert violations(walk.page) == []


@SCRIPTS
def test_two_people_with_the_form_open_see_each_others_changes(begin: Begin, scripts: bool) -> None:
    walk, other = begin("business", scripts=scripts), begin("business", scripts=scripts)
    other.account = walk.account
    other.page.context.clear_cookies()
    other.sign_in()
    for each in (walk, other):
        each.page.goto(f"{walk.sandbox.url}/billing/information")
    other.page.get_by_label("Ville").fill("Villeurbanne")
    other.page.get_by_label("Adresse", exact=True).fill("1 rue de la Paix")
    other.button("Save").click()
    other.heading("Payment & billing")
    walk.page.get_by_label("Ville").fill("Vénissieux")
    walk.labelled("Purchase order").fill("BC-7")
    walk.button("Save").click()
    expect(walk.alert()).to_contain_text("Rien n’est encore enregistré")
    expect(walk.alert()).to_contain_text("a enregistré «\u00a0Villeurbanne\u00a0»")
    expect(walk.alert()).to_be_focused()
    expect(walk.page.get_by_label("Ville")).to_have_value("Vénissieux")
    expect(walk.page.get_by_label("Ville")).to_have_accessible_description(re.compile("Villeurbanne"))
    expect(walk.page.get_by_label("Adresse", exact=True)).to_have_value("1 rue de la Paix")
    expect(walk.labelled("Purchase order")).to_have_value("BC-7")
    if scripts:
        assert violations(walk.page) == []
    walk.button("Save").click()
    walk.heading("Payment & billing")
    for text in ("Vénissieux", "1 rue de la Paix", "BC-7"):
        expect(walk.page.get_by_text(text)).to_be_visible()
