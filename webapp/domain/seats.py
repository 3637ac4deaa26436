"""How many seats a subscription may have, and how that number is typed."""

MAX_SEATS = 10_000  # the tables' CHECK constraints were made with it: another number needs a migration, too

CAUTION_TIMES = 3  # more than so many times today's seats may be a slip: a word of caution before Pay


def allowed(seats: int) -> bool:
    return 1 <= seats <= MAX_SEATS


def parse_seats(text: str) -> int | None:
    """ASCII digits alone; None for anything else (`１２`, `1e3`, `2.5`) and for a number that is not allowed."""
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MAX_SEATS))):
        return None
    seats = int(text)
    return seats if allowed(seats) else None
