"""Telephone numbers, e-mail addresses and card numbers in texts, replaced by what they are.

Precision comes first: a size, a price, a date, an article or an order number that is masked by mistake is lost for
ever. So digits need the form of what they are taken for, a card's check digit has to be right, and a bare number after
a word such as «артикул» is left alone. Names and postal addresses are not looked for.

Every pattern is bounded and begins where no digit or letter stands before: the time is linear in the text's length.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from shared.nesting import MAX_DEPTH

PHONE: Final = "[телефон]"
MAIL: Final = "[почта]"
CARD: Final = "[карта]"

_PLACEHOLDER: Final = re.compile("|".join(map(re.escape, (PHONE, MAIL, CARD))))

# The longest parts that RFC 5321 allows are 64 and 255 characters; letters may be of any alphabet.
_MAIL: Final = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}(?![\w-])")

_DASHES: Final = "\\-\u2010\u2011\u2012\u2013\u2014\u2212"
_SPACES: Final = " \u00a0\u2009\u202f"
_GAP: Final = rf"[{_SPACES}{_DASHES}.]?"
_GAPS: Final = rf"[{_SPACES}{_DASHES}.]{{0,2}}"

# Not inside of a word or a longer number, such as 12-8916...
_FREE: Final = rf"(?<![\w+])(?<![0-9][{_DASHES}.,/])"
_END: Final = rf"(?![0-9])(?![{_DASHES}/.,][0-9])(?![^\W\d_])"

_SEVEN: Final = rf"(?:{_GAP}[0-9]){{7}}"
_PHONES: Final = (
    # 8 (916) 123-45-67, 8-800-555-35-35, (495) 123 45 67, 8 495 1234567.
    rf"{_FREE}(?:[78]{_GAPS})?\([3489][0-9]{{2}}\){_GAP}{_SEVEN}{_END}",
    rf"{_FREE}[78][{_SPACES}{_DASHES}.][3489][0-9]{{2}}{_SEVEN}{_END}",
    # 916 123-45-67 without anything before it: only in this form.
    rf"{_FREE}9[0-9]{{2}}[{_SPACES}{_DASHES}][0-9]{{3}}[{_SPACES}{_DASHES}][0-9]{{2}}[{_SPACES}{_DASHES}][0-9]{{2}}{_END}",
)
_PHONE: Final = re.compile("|".join(_PHONES))
# With the code of a country, however it is divided: E.164 has up to 15 digits, of some countries it is known how many.
_ABROAD: Final = re.compile(rf"(?<![\w+])\+[1-9](?:{_GAPS}\([0-9]{{1,5}}\)|{_GAPS}[0-9]){{6,18}}")
_DIGITS: Final = {"7": 11, "375": 12, "380": 12, "992": 12, "994": 12, "995": 12, "996": 12, "998": 12}
_DIGITS_LEAST, _DIGITS_MOST = 10, 15
_BARE_PHONE: Final = re.compile(rf"{_FREE}[78]9[0-9]{{9}}{_END}")

_CARD: Final = re.compile(
    rf"{_FREE}(?:[2456][0-9]{{3}}([ \u00a0-]?)[0-9]{{4}}\1[0-9]{{4}}\1[0-9]{{1,4}}(?:\1[0-9]{{1,3}})?"
    rf"|3[47][0-9]{{2}}([ \u00a0-]?)[0-9]{{6}}\2[0-9]{{5}}"
    rf"|3[0689][0-9]{{2}}([ \u00a0-]?)[0-9]{{6}}\3[0-9]{{4}})(?![0-9])(?![{_DASHES}/][0-9])(?![^\W\d_])"
)
# Visa, Maestro and Mastercard, the two of Mir, UnionPay, American Express, Diners Club.
_ISSUER: Final = re.compile(r"4|5[0-8]|220[0-4]|22[2-9]|2[3-6]|27[01]|2720|6[0-9]|3[47]|3[0689]")

# What is said of a bare number before it: that it is no telephone and no card.
_LABEL: Final = re.compile(
    r"(?:артикул\w*|\bарт|\bsku|\bid|№|#|номер\w*\s+(?:заказ|товар|чек|посыл|отправл|накладн)\w*|заказ\w*|штрих-?\s?код\w*"
    r"|\bкод\w*|barcode|\bean|трек\w*|отправлени\w*|посылк\w*|накладн\w*|модел\w*|серийн\w*(?:\s+номер\w*)?|\bs/?n|imei"
    r"|инн|огрн|снилс|\bсч[её]т\w*|договор\w*|\bчек\w*)[\s:.№#\"«()=-]{0,4}\Z",
    re.IGNORECASE,
)
_LABEL_CHARS: Final = 40

# What is counted is no telephone: +1 000 000 000 руб.
_MONEY: Final = re.compile(r"\s{0,2}(?:руб|₽|р\b|тыс|млн|шт|%|\$|€)", re.IGNORECASE)
_THOUSANDS: Final = re.compile(rf"\+[0-9]{{1,3}}(?:[{_SPACES}.][0-9]{{3}})+")


def mask(text: str) -> str:
    """The text with personal data replaced. A masked text is not changed any more."""
    if "@" in text:
        text = _MAIL.sub(MAIL, text)
    if not _has_digits(text):
        return text
    text = _CARD.sub(_card, text)
    text = _ABROAD.sub(_abroad, text)
    text = _PHONE.sub(PHONE, text)
    return _BARE_PHONE.sub(_bare_phone, text)


def without_words(text: str) -> str:
    """The text as it is judged: what was masked says nothing, where «телефон» would be a product. Places stay."""
    if "[" not in text:
        return text
    return _PLACEHOLDER.sub(lambda found: f"[{'*' * (len(found[0]) - 2)}]", text)


def mask_all(value: Any, depth: int = MAX_DEPTH) -> Any:
    """The same value with the strings masked that are in it, at whatever depth; what lies too deep is left out."""
    if isinstance(value, str):
        return mask(value)
    if not isinstance(value, (dict, list, tuple)):
        return value
    if depth == 0:
        return "..."
    if isinstance(value, dict):
        return {key: mask_all(one, depth - 1) for key, one in value.items()}
    return [mask_all(one, depth - 1) for one in value]


_TEN_DIGITS: Final = re.compile(r"[0-9](?:[^0-9\n]{0,3}[0-9]){9}")


def _has_digits(text: str) -> bool:
    """Whether there are ten digits close to each other, which most texts have not."""
    return _TEN_DIGITS.search(text) is not None


def _labelled(found: re.Match[str]) -> bool:
    start = found.start()
    return _LABEL.search(found.string, max(0, start - _LABEL_CHARS), start) is not None


def _card(found: re.Match[str]) -> str:
    digits = re.sub(r"[^0-9]", "", found[0])
    bare = digits == found[0]
    if not (_ISSUER.match(digits) and 13 <= len(digits) <= 19 and _luhn(digits)):
        return found[0]
    # Thirteen digits in one are a barcode more often than an old card.
    if bare and (_labelled(found) or (len(digits) == 13 and _ean(digits))):
        return found[0]
    return CARD


def _abroad(found: re.Match[str]) -> str:
    given = found[0]
    places = [place for place, letter in enumerate(given) if letter.isdecimal()]
    digits = "".join(given[place] for place in places)
    wanted = next((count for code, count in _DIGITS.items() if digits.startswith(code)), 0)
    count = wanted or len(digits)
    if not _DIGITS_LEAST <= count <= _DIGITS_MOST or len(digits) < count:
        return given
    end = places[count - 1] + 1
    # Of a known length, what follows is something else; a number that simply goes on is none.
    rest = given[end:] + found.string[found.end() : found.end() + 1]
    counted = _THOUSANDS.fullmatch(given) and _MONEY.match(found.string, found.end())
    return given if rest[:1].isdecimal() or counted else PHONE + given[end:]


def _bare_phone(found: re.Match[str]) -> str:
    return found[0] if _labelled(found) else PHONE


def _luhn(digits: str) -> bool:
    """Whether the check digit of a card number is right (ISO/IEC 7812-1, annex B)."""
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(doubled) + sum(int(digit) for digit in digits[::-2])) % 10 == 0


def _ean(digits: str) -> bool:
    """Whether the check digit of a barcode is right (GS1 General Specifications, 7.9)."""
    weighted = (int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(reversed(digits)))
    return sum(weighted) % 10 == 0


# A string without an end goes to the end of the text. What names a review is no text of it.
_STRING: Final = re.compile(
    r'(?P<name>"(?:id|source)"\s*:\s*)?(?P<string>"(?:[^"\\]++|\\.)*+(?:"|\\?\Z))', re.DOTALL
)


def mask_json(text: str, *, names: bool = True) -> str:
    """JSON with the strings masked that are in it, and every other character as it was.

    Without `names`, the values of `id` and `source` stay. Text that is no JSON is masked as a whole.
    """
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return mask(text)
    return _STRING.sub(lambda found: _masked_string(found, names=names), text)


def _masked_string(found: re.Match[str], *, names: bool) -> str:
    if found["name"] and not names:
        return found[0]
    given = json.loads(found["string"])
    masked = mask(given)
    if masked == given:
        return found[0]
    # Half of a surrogate pair can only be written as an escape.
    plain = json.dumps(masked, ensure_ascii=any("\ud800" <= letter <= "\udfff" for letter in masked))
    return (found["name"] or "") + plain
