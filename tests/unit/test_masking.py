"""Personal data is masked; sizes, prices, dates, articles and order numbers are not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shared.masking import CARD, MAIL, PHONE, mask, mask_all, mask_json, without_words
from shared.stages.keywords import KeywordStage
from shared.taxonomy import default_taxonomy

PHONES = [
    "+7 916 123-45-67",
    "+79161234567",
    "+7(916)1234567",
    "+7 (916) 123 45 67",
    "+7-916-123-45-67",
    "+7 916 1234567",
    "+7 495 123-45-67",
    "+7 (4852) 12-34-56",
    "+7\u00a0916\u00a0123\u201145\u201167",
    "8 916 123-45-67",
    "8(916)123-45-67",
    "8 (495) 123-45-67",
    "8-800-555-35-35",
    "8 800 5553535",
    "8.916.123.45.67",
    "89161234567",
    "79161234567",
    "(495) 123-45-67",
    "916 123-45-67",
    "916-123-45-67",
    "+375 29 123-45-67",
    "+375 (29) 123 45 67",
    "+380501234567",
    "+998 90 123 45 67",
    "+374 91 123456",
    "+44 20 7946 0958",
    "+1 (202) 555-0143",
    "+49 30 123456789",
    "+86 138 0013 8000",
]
MAILS = [
    "anna@example.ru",
    "a.b+shop@mail.example.com",
    "анна@почта.рф",
    "ANNA_1987@EXAMPLE.RU",
    "a-b@my-shop.travel",
]
CARDS = [
    "4111111111111111",
    "4111 1111 1111 1111",
    "4111-1111-1111-1111",
    "4111\u00a01111\u00a01111\u00a01111",
    "5555 5555 5555 4444",
    "2200 0000 0000 0053",
    "2202200223948066",
    "6759649826438453",
    "378282246310005",
    "3782 822463 10005",
    "30569309025904",
    "4222222222222",
    "6200 0000 0000 0000 000",
]
AROUND = [
    "{}",
    "Звоните {}, жду",
    "тел. {}.",
    "({})",
    "«{}»",
    "{}!",
    "пишите: {}\nспасибо",
    "мой {} и ещё 2 шт",
]


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize(
    ("given", "placeholder"),
    [*((one, PHONE) for one in PHONES), *((one, MAIL) for one in MAILS), *((one, CARD) for one in CARDS)],
)
def test_personal_data_is_replaced_and_nothing_around_it(given, placeholder, around):
    assert mask(around.format(given)) == around.format(placeholder)


LEFT_ALONE = [
    "артикул 79123456789012",
    "Артикул: 89161234567",
    "арт.89161234567",
    "номер заказа 89161234567 не пришёл",
    "заказ №79161234567",
    "Заказ 50226589-0011-1 отменили",
    "заказ 89161234567-0012-1",
    "трек-номер 80081234567890",
    "трек 4111111111111111",
    "штрихкод 4006381333931 не читается",
    "4606224150628",  # a barcode whose digits would also do for a card
    "штрих-код 4606453849072",
    "ИНН 7707083893",
    "ИНН 770708389312",
    "СНИЛС 112-233-445 95",
    "IMEI 490154203237518",
    "imei: 356938035643809",
    "код 79161234567",
    "цена 12 000 руб",
    "12 000 000 руб",
    "за 8 900 руб",
    "от 8 900 до 12 300 рублей",
    "+1 000 000 000 руб",
    "+100500",
    "8 900 123 456",
    "размер 42-44",
    "размеры 40 42 44 46 48 50 52 54",
    "42-44, 46-48, 50-52, 54-56",
    "90-60-90",
    "рост 170-176, ОГ 88-92, ОТ 68-72",
    "размер 8-9 лет, рост 128-134",
    "01.02.2025 12:30:45",
    "2025-01-02 10:20:30",
    "с 01.02.2024 по 03.04.2025",
    "2019 2020 2021 2022",
    "в 2023-2024-2025 годах",
    "192.168.100.200",
    "8.8.8.8",
    "10.0.0.1:8080",
    "версия 8.900.123.4",
    "30 см х 40 см, 1920x1080, 4000 мАч",
    "SM-G998B89161234567",
    "X89161234567Z",
    "1 234 567 890 123",
    "4111 1111 1111 1112",
    "9999 9999 9999 9995",
    "1234567890123456",
    "12345678901234567890123456789",
    "@shop в телеграме",
    "user@localhost",
    "5@5",
    "2@3.4",
    "50% скидка, 3+1, 2+2=4",
    "+7 часов разницы",
    "+7 916",
    "8 (916)",
    "100500 раз",
    "0123456789",
    "1-2-3-4-5-6-7-8-9-0-1",
    "оценка 5/5, 10/10, 100/100, 1000/1000",
    "[телефон] [почта] [карта]",
]


@pytest.mark.parametrize("text", LEFT_ALONE)
def test_what_only_looks_like_personal_data_is_left_alone(text):
    assert mask(text) == text
    assert mask(f"Купила, {text}. Хорошо") == f"Купила, {text}. Хорошо"


def test_several_in_one_text_are_all_replaced():
    text = (
        "Анна, 8 916 123-45-67 или +7 495 765-43-21, anna@example.ru; карта 4111 1111 1111 1111, размер 42-44"
    )
    assert mask(text) == f"Анна, {PHONE} или {PHONE}, {MAIL}; карта {CARD}, размер 42-44"


@pytest.mark.parametrize("given", [*PHONES, *MAILS, *CARDS, *LEFT_ALONE])
def test_a_masked_text_stays_as_it_is(given):
    assert mask(mask(given)) == mask(given)


MILLION = 1_000_000


@pytest.mark.parametrize(
    "part",
    [
        "1", " ", "8", "9 ", "8 9", "+", "+7", "+7 ", "(", "8(", "+1(", "a", "@", "a@", "a.", "a@a.", "@a.a", "4111 ",
        "4111-", "4", "1-", "1.", "№ ", "заказ ", "а1", "8916123456", "8916123456 ", "+7916123456а", "\u00a0", "-",
        "[", "1\n",
    ],
)  # fmt: skip
def test_a_million_hostile_characters_take_no_longer_than_a_million_others(part):
    # With a cost that grew with the square this would take hours, and the test's time limit would end it.
    text = part * (MILLION // len(part))
    assert mask(f"{text} и anna@example.ru").endswith(f" и {MAIL}")


def test_strings_are_masked_wherever_they_are():
    given = {
        "a": ["+79161234567", {"b": "anna@example.ru"}],
        "n": 89161234567,
        "none": None,
        "t": ("x", True),
    }
    assert mask_all(given) == {"a": [PHONE, {"b": MAIL}], "n": 89161234567, "none": None, "t": ["x", True]}


def test_what_is_nested_without_end_comes_to_an_end():
    endless: list[object] = []
    endless.append(endless)
    assert "..." in str(mask_all(endless))


def test_our_sample_reviews_hold_no_personal_data():
    text = (Path(__file__).parents[2] / "examples" / "reviews.csv").read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if mask(line) != line] == []


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ('{"a": "+79161234567", "n": 89161234567}', '{"a": "[телефон]", "n": 89161234567}'),
        ('["8\\u00a0916\\u00a0123-45-67 \\ud83d"]', '["[\\u0442\\u0435\\u043b\\u0435\\u0444\\u043e\\u043d] \\ud83d"]'),
        ('{"anna@example.ru": [NaN, 1.50, "\\"anna@example.ru\\""]}', '{"[почта]": [NaN, 1.50, "\\"[почта]\\""]}'),
        ('{"text": "звоните +79161234567', '{"text": "звоните [телефон]'),
        ("звоните +79161234567", "звоните [телефон]"),
        ("[" * 100_000 + '"+79161234567"', "[" * 100_000 + '"[телефон]"'),
        ("{}", "{}"),
        ("", ""),
    ],
)  # fmt: skip
def test_json_keeps_its_form_and_what_is_none_is_masked_as_a_whole(given, expected):
    assert mask_json(given) == expected


def test_what_names_a_review_can_be_left_in_json():
    given = '{"reviews": [{"id": "89161234567", "source" : "anna@example.ru", "text": "89161234567"}]}'
    assert mask_json(given, names=False) == given.replace('"text": "89161234567"', '"text": "[телефон]"')
    assert mask_json(given) == (
        '{"reviews": [{"id": "[телефон]", "source" : "[почта]", "text": "[телефон]"}]}'
    )


@pytest.mark.parametrize("part", ['"', '"a', '\\"', '"\\', '["\\"', '"id":'])
def test_a_million_hostile_characters_of_json_take_no_longer_than_a_million_others(part):
    text = part * (MILLION // len(part))
    assert mask_json(json.dumps([text, "+79161234567"])) == json.dumps([text, "PHONE"]).replace(
        "PHONE", PHONE
    )


def test_a_placeholder_is_no_word_for_whoever_judges_the_text():
    given = f"Жмут, {PHONE} {MAIL}, {CARD}; [нет]"
    assert without_words(given) == "Жмут, [*******] [*****], [*****]; [нет]"
    stage = KeywordStage(default_taxonomy())
    judged, plain = stage.verdicts(
        [without_words(f"Кроссовки жмут, звоните {PHONE}"), "Кроссовки жмут, звоните"]
    )
    assert judged == plain
