"""Money: whole minor units inside, a decimal string outside, never a float."""

from __future__ import annotations

import re
from decimal import Decimal

#: Digits after the point, by ISO 4217; a currency that is not here is refused rather than guessed.
MINOR_DIGITS = {
    "AED": 2, "BGN": 2, "BHD": 3, "CHF": 2, "CZK": 2, "DKK": 2, "EGP": 2, "EUR": 2, "GBP": 2, "HUF": 2, "ILS": 2,
    "ISK": 0, "JOD": 3, "KES": 2, "KWD": 3, "MAD": 2, "NGN": 2, "NOK": 2, "OMR": 3, "PLN": 2, "QAR": 2, "RON": 2,
    "SAR": 2, "SEK": 2, "TND": 3, "TRY": 2, "UAH": 2, "USD": 2, "ZAR": 2,
}  # fmt: skip

_AMOUNT = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,3})?", re.ASCII)


def to_minor(amount: str | int, currency: str) -> int:
    """Minor units of "12.34" or of the whole number 12. Raises ValueError in words when it is no positive amount."""
    digits = MINOR_DIGITS.get(currency)
    if digits is None:
        raise ValueError(f"currency {currency!r} is not one we take")
    text = str(amount)
    if not _AMOUNT.fullmatch(text):
        raise ValueError('amount must be a decimal string such as "12.34"')
    minor = Decimal(text).scaleb(digits)
    if minor != int(minor):
        raise ValueError(f"{currency} has {digits} digits after the point")
    if minor == 0:
        raise ValueError("amount must be more than zero")
    return int(minor)


def to_text(minor: int, currency: str) -> str:
    """The one way an amount is written: with exactly the currency's digits."""
    digits = MINOR_DIGITS[currency]
    if digits == 0:
        return str(minor)
    whole, rest = divmod(minor, 10**digits)
    return f"{whole}.{rest:0{digits}d}"
