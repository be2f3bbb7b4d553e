"""Telephone numbers, e-mail addresses and card numbers in texts, replaced by what they are.

Digits need the form of what they are taken for, and a card's check digit has to be right: a size, a date or a barcode
that is masked by mistake is lost for ever. Where the form is that of a telephone, the words beside it decide: it stays
after «артикул» or «чек», and before «рублей». In doubt it is masked, for a telephone that stays is worse than an
article that is lost. Names and postal addresses are not looked for.

Every pattern is bounded and begins where no digit or letter stands before: the time is linear in the text's length.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from shared.text.nesting import MAX_DEPTH

PHONE: Final = "[телефон]"
MAIL: Final = "[почта]"
CARD: Final = "[карта]"

_PLACEHOLDER: Final = re.compile("|".join(map(re.escape, (PHONE, MAIL, CARD))))

# The longest parts that RFC 5321 allows are 64 and 255 characters; letters may be of any alphabet.
_MAIL: Final = re.compile(
    r"(?<![\w.+-])([\w.+-]{1,64})@(?:[\w-]{1,63}\.){1,8}([^\W\d_]{2,24}|xn--[a-z0-9-]{1,59})(?![\w-])",
    re.IGNORECASE,
)
# Names inside of a network, mailboxes of Celery, pictures for dense screens: nobody gets mail there.
_NO_MAIL: Final = re.compile(
    r"local|localdomain|localhost|internal|intranet|lan|home|corp|invalid|arpa|pidbox|png|jpe?g|gif|webp|svg|pdf",
    re.IGNORECASE,
)
# What a worker calls itself (workers/process/worker_name.py), or Celery calls one that was given no name.
_WORKER: Final = re.compile(r"(?:cpu|gpu|train|celery)(?:-[0-9]+)?")

_DASHES: Final = "\\-\u2010\u2011\u2012\u2013\u2014\u2212"
_SPACES: Final = " \u00a0\u2009\u202f"
_GAP: Final = rf"[{_SPACES}{_DASHES}.]?"
_GAPS: Final = rf"[{_SPACES}{_DASHES}.]{{0,2}}"
_WIDE: Final = rf"(?:[{_SPACES}]?[{_DASHES}.][{_SPACES}]?|[{_SPACES}])?"

# Not inside of a word or a longer number, such as 12-8916...
_FREE: Final = rf"(?<![\w+])(?<![0-9][{_DASHES}.,/])"
_END: Final = rf"(?![0-9])(?![{_DASHES}/.,][0-9])(?![^\W\d_])"

# Seven digits in the usual divisions, in any division, and six and five for longer codes of towns.
_USUAL: Final = (
    rf"(?:[0-9]{{3}}{_WIDE}[0-9]{{2}}{_WIDE}[0-9]{{2}}|[0-9]{{3}}{_GAP}[0-9]{{4}}"
    rf"|[0-9]{{2}}{_GAP}[0-9]{{2}}{_GAP}[0-9]{{3}})"
)
_ANY_SEVEN: Final = rf"(?:{_GAP}[0-9]){{7}}"
_SEVEN: Final = rf"(?:{_USUAL}|{_ANY_SEVEN})"
_SIX: Final = rf"(?:{_GAP}[0-9]){{6}}"
_FIVE: Final = rf"(?:{_GAP}[0-9]){{5}}"
_PHONES: Final = (
    # 8 (916) 123-45-67, (495) 123 45 67, 8 (3412) 12-34-56, (3412) 12-34-56, 8 (34122) 1-23-45.
    rf"(?:[78]{_GAPS})?\([3489][0-9]{{2}}\){_WIDE}{_SEVEN}",
    rf"[78]{_GAPS}\([348][0-9]{{3}}\){_WIDE}{_SIX}",
    rf"\([348][0-9]{{3}}\){_WIDE}[0-9]{{2}}[{_DASHES}][0-9]{{2}}[{_DASHES}][0-9]{{2}}",
    rf"[78]{_GAPS}\([348][0-9]{{4}}\){_WIDE}{_FIVE}",
    # 8-800-555-35-35, 8 495 1234567.
    rf"[78][{_SPACES}{_DASHES}.][3489][0-9]{{2}}(?:{_WIDE}{_USUAL}|{_ANY_SEVEN})",
    # 8916-123-45-67, 8916 1234567.
    rf"[78][3489][0-9]{{2}}[{_SPACES}{_DASHES}.]{_USUAL}",
    # 916 123-45-67 without anything before it: only in this form. 89161234567: only of mobile telephones.
    rf"9[0-9]{{2}}[{_SPACES}{_DASHES}][0-9]{{3}}[{_SPACES}{_DASHES}][0-9]{{2}}[{_SPACES}{_DASHES}][0-9]{{2}}",
    r"[78]9[0-9]{9}",
)
_PHONE: Final = re.compile(f"{_FREE}(?:{'|'.join(_PHONES)}){_END}")
# With the code of a country, however it is divided: E.164 has up to 15 digits, of some countries it is known how many.
_ABROAD: Final = re.compile(rf"(?<![\w+])\+[1-9](?:{_GAPS}\([0-9]{{1,5}}\)|{_GAPS}[0-9]){{6,18}}")
_DIGITS: Final = {
    "1": 11, "7": 11, "375": 12, "380": 12, "992": 12, "994": 12, "995": 12, "996": 12, "998": 12
}  # fmt: skip
_DIGITS_LEAST, _DIGITS_MOST = 10, 15

_CARD: Final = re.compile(
    rf"{_FREE}(?:[2456][0-9]{{3}}([ \u00a0-]?)[0-9]{{4}}\1[0-9]{{4}}\1[0-9]{{1,4}}(?:\1[0-9]{{1,3}})?"
    rf"|3[47][0-9]{{2}}([ \u00a0-]?)[0-9]{{6}}\2[0-9]{{5}}"
    rf"|3[0689][0-9]{{2}}([ \u00a0-]?)[0-9]{{6}}\3[0-9]{{4}})(?![0-9])(?![{_DASHES}/][0-9])(?![^\W\d_])"
)
# Visa, Maestro and Mastercard, the two of Mir, UnionPay, American Express, Diners Club.
_ISSUER: Final = re.compile(r"4|5[0-8]|220[0-4]|22[2-9]|2[3-6]|27[01]|2720|6[0-9]|3[47]|3[0689]")

# What is said of a number right before it: that it is no telephone and no card. The first are sure of it. The others
# may also stand before a telephone, as in «заказ 8-800-555-35-35», and are believed where the form is a weaker one.
_SURE: Final = (
    r"\bартикул\w*|\bарт|\bsku|\barticle\w*|\bмодел\w*|\bmodel|\bсерийн\w*(?:\s+номер\w*)?|\bs/?n|imei"
    r"|\bisbn|\bissn|штрих-?\s?код\w*|barcode|\bean|\bgtin|\bинн|\bогрн|\bснилс"
)
_UNSURE: Final = (
    r"\bid|№|#|номер\w*\s+(?:заказ|товар|чек|посыл|отправл|накладн)\w*|заказ(?:а|у|ом|е|ы|ов)?|\border\w*|\bкод\w*"
    r"|трек\w*|отправлени\w*|посылк\w*|накладн\w*|\bсч[её]т\w*|договор\w*|\bчек(?:а|у|ом|е|и|ов)?"
    r"|\bцен[аеуы]|\bстоимост\w*|\bwb|\bвб|wildberries|ва[йи]лдберри[зс]\w*|\bозон\w*|\bozon"
)
_OF: Final = (
    r"(?:[\s:.№#\"«(]{1,3}(?:товар|издели|продавц|производител|заказ|чек|номер|number|no\b|(?:на\s+)?(?:wb|вб|озон|ozon))"
    r"\w*)?"
)
_APART: Final = r"[\s:.№#\"«()=-]{0,4}\Z"
_SURE_LABEL: Final = re.compile(rf"(?:{_SURE}){_OF}{_APART}", re.IGNORECASE)
_LABEL: Final = re.compile(rf"(?:{_SURE}|{_UNSURE}){_OF}{_APART}", re.IGNORECASE)
# A telephone's number, after all: «тел. № 8 916 123 45 67», «тел. для заказа 89161234567».
_CALLED: Final = re.compile(
    r"(?:\bтел|телефон\w*|\bмоб\w*|\bсотов\w*|звон\w*|whats\s?app|в[ао]тс\s?ап\w*|viber|вайбер\w*|telegram|телеграм\w*)"
    rf"[\s:.]{{0,3}}(?:(?:для|по|на)\s)?(?:заказ\w*|номер\w*)?{_APART}",
    re.IGNORECASE,
)
_LABEL_CHARS: Final = 40

# What is counted is no telephone: +1 000 000 000 руб., 8 900 000 00 00 ₽.
_COUNTED: Final = re.compile(
    r"\s{0,2}(?:руб|₽|р\b|коп\b|тыс|млн|млрд|шт\b|штук|%|\$|€|долл|евро|тенге|грн|балл|бонус|плюс)",
    re.IGNORECASE,
)
_THOUSANDS: Final = re.compile(rf"\+[0-9]{{1,3}}(?:[{_SPACES}.][0-9]{{3}})+")
_DIVIDED: Final = re.compile(rf"[{_DASHES}]")


def mask(text: str) -> str:
    """The text with personal data replaced. A masked text is not changed any more."""
    if "@" in text:
        text = _MAIL.sub(_mail, text)
    return _without_numbers(text)


def mask_log(text: str) -> str:
    """The same for a line of a log, where a worker's name is no address, whatever its machine is called."""
    if "@" in text:
        text = _MAIL.sub(lambda found: found[0] if _WORKER.fullmatch(found[1]) else _mail(found), text)
    return _without_numbers(text)


def _without_numbers(text: str) -> str:
    if not _TEN_DIGITS.search(text):
        return text
    text = _CARD.sub(_card, text)
    text = _ABROAD.sub(_abroad, text)
    return _PHONE.sub(_phone, text)


def without_words(text: str) -> str:
    """The text as it is judged: what was masked says nothing, where «телефон» would be a product. Places stay."""
    if "[" not in text:
        return text
    return _PLACEHOLDER.sub(lambda found: f"[{'*' * (len(found[0]) - 2)}]", text)


def as_judged(text: str, *, masks: bool) -> str:
    """A text as stages get it from the store, where personal data is masked or not."""
    return without_words(mask(text) if masks else text)


def mask_all(value: Any, depth: int = MAX_DEPTH) -> Any:
    """What a log line holds, with its strings masked at whatever depth; what lies too deep is left out."""
    if isinstance(value, str):
        return mask_log(value)
    if not isinstance(value, (dict, list, tuple)):
        return value
    if depth == 0:
        return "..."
    if isinstance(value, dict):
        return {key: mask_all(one, depth - 1) for key, one in value.items()}
    return [mask_all(one, depth - 1) for one in value]


# Ten digits close to each other, which most texts have not.
_TEN_DIGITS: Final = re.compile(r"[0-9](?:[^0-9\n]{0,4}[0-9]){9}")


def _mail(found: re.Match[str]) -> str:
    return found[0] if _NO_MAIL.fullmatch(found[2]) else MAIL


def _labelled(found: re.Match[str], label: re.Pattern[str] = _LABEL) -> bool:
    start = found.start()
    before = max(0, start - _LABEL_CHARS), start
    return bool(label.search(found.string, *before)) and not _CALLED.search(found.string, *before)


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
    counted = _THOUSANDS.fullmatch(given) and _COUNTED.match(found.string, found.end())
    return given if rest[:1].isdecimal() or counted else PHONE + given[end:]


def _phone(found: re.Match[str]) -> str:
    given = found[0]
    # Nobody writes a price or an article like this.
    if "(" in given:
        return PHONE
    divided = _DIVIDED.search(given) is not None
    if not divided and _COUNTED.match(found.string, found.end()):
        return given
    whole = divided and not given.startswith("9")
    return given if _labelled(found, _SURE_LABEL if whole else _LABEL) else PHONE


def _luhn(digits: str) -> bool:
    """Whether the check digit of a card number is right (ISO/IEC 7812-1, annex B)."""
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(doubled) + sum(int(digit) for digit in digits[::-2])) % 10 == 0


def _ean(digits: str) -> bool:
    """Whether the check digit of a barcode is right (GS1 General Specifications, 7.9)."""
    weighted = (int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(reversed(digits)))
    return sum(weighted) % 10 == 0


# A member's name with what follows it, if that is a string or a whole number; a string without an end goes to the end
# of the text.
_VALUE: Final = re.compile(
    r'(?:(?P<name>"(?:[^"\\]|\\.){0,100}+")(?P<colon>\s*+:\s*+))?'
    r'(?:(?P<string>"(?:[^"\\]++|\\.)*+(?:"|\\?\Z))|(?<![\w.+-])(?P<number>[0-9]{11,19}+)(?![\w.+-]))',
    re.DOTALL,
)
_NAMES_OF_REVIEW: Final = ('"id"', '"source"')
_LINE_ESCAPE: Final = re.compile(r"(\\[nrt])")
_HALF: Final = re.compile("[\ud800-\udfff]")
_WORD_IN_NAME: Final = re.compile(r"_|(?<=[a-zа-я])(?=[A-ZА-Я])")


def mask_json(text: str, *, names: bool = True) -> str:
    """JSON with the strings masked that are in it, and the whole numbers; every other value is as it was.

    Without `names`, the values of `id` and `source` stay. Text that is no JSON is masked as a whole.
    """
    if "\\" not in text and "@" not in text and not _TEN_DIGITS.search(text):
        return text
    try:
        json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        # JSON that broke off still has its escapes: the n of \n is no letter before a number.
        return "".join(part if part[:1] == "\\" else mask(part) for part in _LINE_ESCAPE.split(text))
    return _VALUE.sub(lambda found: _masked_member(found, names=names), text)


def _masked_member(found: re.Match[str], *, names: bool) -> str:
    name, colon = found["name"] or "", found["colon"] or ""
    if name in _NAMES_OF_REVIEW and not names:
        return found[0]
    number = found["number"] or found["string"][1:-1]
    # {"sku": 89161234567} says what the number is, as «SKU 89161234567» does.
    if number.isdecimal() and name and _LABEL.search(_WORD_IN_NAME.sub(" ", json.loads(name))):
        value = found["number"] or found["string"]
    elif found["string"]:
        value = _masked_string(found["string"])
    else:
        masked = mask(number)
        value = number if masked == number else json.dumps(masked, ensure_ascii=False)
    return (name and _masked_string(name)) + colon + value


def _masked_string(raw: str) -> str:
    given = json.loads(raw)
    masked = mask(given)
    if masked == given:
        return raw
    # Half of a surrogate pair can only be written as an escape, unless it stands for a byte that is no UTF-8.
    bytes_kept = set(_HALF.findall(raw))
    plain = json.dumps(masked, ensure_ascii=False)
    return _HALF.sub(lambda half: half[0] if half[0] in bytes_kept else f"\\u{ord(half[0]):04x}", plain)
