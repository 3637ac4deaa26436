"""Which passwords are refused as easy to guess: well-known ones, in French too, and those made of names."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask

from webapp.access import passwords, strength
from webapp.config import DEMO_EMAIL, DEMO_PASSWORD
from webapp.sandbox.scenarios import Made

OWNER = ("camille.martin@example.test", ("Camille Martin", "Ateliers Beaumont SARL"))
WEAK = """
123456789012 1234567890123 0123456789012 111111111111 000000000000 121212121212 123123123123 123321123321
112233445566 987654321098 098765432109 qwertyuiop12 qwertyuiop[] qwertyuiopasdf asdfghjkl123 zxcvbnm12345
1qaz2wsx3edc 1q2w3e4r5t6y q1w2e3r4t5y6 qazwsxedcrfv qwerty123456 Qwerty123456! qwertyqwerty azertyuiop12
azertyuiop123 Azerty123456! azerty123456 azertyazerty AZERTYUIOP12 azertyuiopqsdf azertyuiopqsdfghjklm
qsdfghjklm12 wxcvbn123456 aqwzsxedcrfv 1a2z3e4r5t6y motdepasse12 motdepasse123 Motdepasse123! motdepasse2026
MotDePasse2026! monmotdepasse motdepassemotdepasse password1234 password12345 Password1234! Password2026!
passwordpassword P@ssw0rd1234 P@ssword2026 p4ssw0rdp4ssw0rd adminadmin12 administrateur administrator
administrator1 welcome12345 Welcome2026! Bienvenue2026 Bienvenue123! bonjour12345 Bonjour2026! bonjourbonjour
soleil123456 Soleilsoleil1 soleil2026!! doudou123456 doudoudoudou loulou123456 chouchou1234 Chouchou2026
jetaime12345 jetaimejetaime princesse123 Princesse2026 marseille13000 Marseille2026 chocolat1234 nicolas12345
camille12345 Camille2026! iloveyou1234 iloveyouiloveyou letmein12345 monkey123456 dragon123456 football1234
Football2026 baseball1234 superman1234 batman123456 starwars1234 pokemon12345 sunshine1234 princess1234
abcdefghijkl abcdef123456 abc123abc123 aaaaaaaaaaaa aaaaaabbbbbb abababababab QlikSense2026 qliksense123
Qlik2026Qlik QlikQlikQlik Qlikview2026! MyQlik123456 qlik-sense-2026 Beaumont2026! ateliersbeaumont
AteliersBeaumont1 Beaumont123456 Janvier2026! Decembre2025! Septembre2026 Automne2026! Hiver20262027
January2026! Summer202612 Winter2026!! 01/01/1990ab 31121999311299 juillet14071789 secret123456 Secret2026!!
changeme1234 changezmoi123 test12345678 testtesttest trustno1trust parisparis75 Paris2026!!! toulouse3131
france123456 Liberte2026! internet1234 ordinateur12 !!!!!!!!!!!! ............ 123456123456 654321654321
20262026202620 p@ssw0rd!p@ssw0rd M0td3p4ss32026 Az3rty123456
"""
GOOD = """
correct horse battery staple
quatre mots bien longs
girafe tiroir nuage boulon
lampe-veston-crabe-tilleul
trombone glacier mouton pivot
cactus violon brouette savane
marmite alpage tonnerre bocal
peigne fusain caribou volcan
grenier sablier moufle ortie
tambour cerfeuil ancre lucarne
brume-castor-jonquille-visse
noyau filet harpe moulin
cheval agrafe pile correct
écharpe nénuphar bêtise cône
wagon quiche éclipse marteau
soleil tournevis rivage puzzle
plumber violet anchor mustard
walnut kettle orbit saddle
lantern gravel tuba pigeon
copper-marble-sprout-yodel
thimble oyster canyon flute
quilt hammock zebra cider
window trumpet maple socket
giraffe stapler monsoon pillow
9Zk#vq1x8PzL
xR7!mT2@kW9q
u4hWcQz8mP3t
Jv9$eLr2-Ya7w
hx3kqz7wmv9tbn
Tq8vLm3ZrWk6Yd
kdU2-mPx9-Rv4q
0f8b2d7c41e96a35
$%&*!x#@Q?+=
"""


@pytest.mark.parametrize("password", WEAK.split())
def test_a_well_known_password_is_refused(app: Flask, password: str) -> None:
    assert len(password) >= passwords.SHORTEST
    with app.test_request_context(headers={"Accept-Language": "en"}):
        assert passwords.find_problem(password, *OWNER)


def test_there_are_enough_of_each() -> None:
    assert (len(set(WEAK.split())) >= 100, len(set(GOOD.strip().splitlines())) >= 30) == (True, True)


@pytest.mark.parametrize("password", GOOD.strip().splitlines())
def test_four_words_or_a_random_password_are_accepted(password: str) -> None:
    assert passwords.find_problem(password, *OWNER) == ""


@pytest.mark.parametrize(
    ("language", "said"),
    [("en", "such as four unrelated words"), ("fr", "par exemple quatre mots sans rapport")],
)
def test_the_sentence_says_what_to_do(app: Flask, language: str, said: str) -> None:
    with app.test_request_context(headers={"Accept-Language": language}):
        assert said in passwords.find_problem("motdepasse123", *OWNER)


@pytest.mark.parametrize("password", ["ateliersbeaumont", "Beaumont-2026-!", "camille-2026-06", "Martin_Camille_1"])
def test_names_are_weak_for_their_owner_only(app: Flask, business: Made, password: str) -> None:
    names = passwords.names_of(business.email)
    assert names == ("Camille Martin", "Ateliers Beaumont SARL")
    assert strength.is_weak(password, names)
    assert passwords.names_of("nobody@example.test") == ()


@pytest.mark.parametrize(
    "pattern",
    [
        "4a8e3i1o0s5t7",
        "4@8({[<369&#!1|0$5+7%2x",
        "(69!1|7+7$5%204@a",
        "p@ssw0rd",
        "1qaz2wsx",
        "ab",
        "aA1!",
        "é",
        "x01.01.1990",
        "q\u0301",
        "𝔞",
    ],
)
def test_no_password_takes_long_to_judge(pattern: str) -> None:
    password = (pattern * passwords.LONGEST)[: passwords.LONGEST]
    strength.is_weak("once, to load the words")
    began = time.thread_time()
    strength.is_weak(password, OWNER[1])
    assert time.thread_time() - began < 0.05


def test_the_words_of_one_owner_are_not_used_for_another() -> None:
    """zxcvbn itself keeps them in one place for all threads."""

    def weak(name: str) -> bool:
        return strength.is_weak("Zyglorinthaque7", [name])

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(weak, ["Zyglorinthaque", "nobody"] * 50))
    assert found == [True, False] * 50


def test_the_demo_account_is_still_made(app: Flask) -> None:
    """Its password is published, so it opens nothing but the sandbox."""
    assert app.test_cli_runner().invoke(args=["demo"]).exit_code == 0
    form = {"email": DEMO_EMAIL, "password": DEMO_PASSWORD}
    assert app.test_client().post("/sign-in", data=form).status_code == 303
