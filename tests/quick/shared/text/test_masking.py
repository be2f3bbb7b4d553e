"""Personal data is masked; sizes, prices, dates, articles and order numbers are not."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from shared.cascade.stage import verdicts
from shared.reviews.wire import Message, Rejected, masked
from shared.stages.keywords.stage import KeywordStage
from shared.text.masking import CARD, MAIL, PHONE, mask, mask_all, mask_json, mask_log, without_words

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
    "8916-123-45-67",
    "8916 1234567",
    "8916 123 45 67",
    "7916-123-45-67",
    "8800-555-35-35",
    "8495 123-45-67",
    "8-916-1234567",
    "8 916 123 - 45 - 67",
    "8 (916) - 123-45-67",
    "8 (3412) 12-34-56",
    "8(3412)123456",
    "8-3412-12-34-56",
    "(3412) 12-34-56",
    "8 (34122) 1-23-45",
    "+7 (34122) 1-23-45",
]
MAILS = [
    "anna@example.ru",
    "a.b+shop@mail.example.com",
    "анна@почта.рф",
    "ANNA_1987@EXAMPLE.RU",
    "a-b@my-shop.travel",
    "user@xn--e1afmkfd.xn--p1ai",
    "user@пример.рф",
    "user@пример.com",
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
    "8 900 000 00 00 рублей",
    "8 900 000 00 00 р.",
    "8 900 000 00 00₽",
    "89160000000 руб",
    "цена 8 900 000 00 00",
    "8 900 - 1 290 000 руб",
    "+1234567890 плюсов",
    "+1234567890",
    "модель 999-123-45-67",
    "Модель: 8-916-123-45-67",
    "артикул 8 916 123-45-67",
    "артикул WB 89161234567",
    "артикул товара № 89161234567",
    "арт. на вб 89161234567",
    "WB 89161234567",
    "Чек 8 495 123 45 67",
    "заказ на Озон 8 916 123 45 67",
    "№ 916-123-45-67",
    "код 8 916 123 45 67",
    "ISBN 8-916-12-34567",
    "SKU: 89161234567",
    "icon@2x.png",
    "cpu@host.celery.pidbox",
    "otzyv.x@host",
    "cpu@hostname.local",
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


@pytest.mark.parametrize(
    "text",
    [
        "тел. № {}",
        "Тел. для заказа {}",
        "телефон: {}",
        "WhatsApp {}",
        "заказывайте {}",
        "отдала чек, {}",
        "чек на {}",
        "мой номер {}",
        "положила на {} 500 рублей",
    ],
)
@pytest.mark.parametrize("given", ["89161234567", "8 916 123 45 67", "8-916-123-45-67", "916-123-45-67"])
def test_words_that_name_no_article_leave_no_telephone(text, given):
    assert mask(text.format(given)) == text.format(PHONE)


@pytest.mark.parametrize("before", ["Заказ", "№", "Код", "Номер заказа:", "WB", "Чек"])
def test_the_whole_form_of_a_telephone_counts_for_more_than_a_word_that_may_mean_anything(before):
    assert mask(f"{before} 8-800-555-35-35") == f"{before} {PHONE}"
    assert mask(f"{before} 8 800 555 35 35") == f"{before} 8 800 555 35 35"


@pytest.mark.parametrize(
    "given", ["+7 916 123-45-67", "+79161234567", "8 (916) 123-45-67", "(495) 123-45-67"]
)
@pytest.mark.parametrize("around", ["артикул {}", "модель {}", "{} руб"])
def test_with_a_plus_or_brackets_it_is_a_telephone_whatever_is_beside_it(given, around):
    assert mask(around.format(given)) == around.format(PHONE)


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
        "[", "1\n", "8-", "8 (3", "8916 ", "916-", "8 916 - ", "1 - ", "артикул № ", "тел. № ", "xn--a.", "a@xn--",
    ],
)  # fmt: skip
def test_a_million_hostile_characters_take_no_longer_than_a_million_others(part):
    # With a cost that grew with the square this would take hours, and the test's time limit would end it.
    text = part * (MILLION // len(part))
    assert mask(f"{text} и anna@example.ru").endswith(f" и {MAIL}")


HUNDRED_THOUSAND = 100_000


@pytest.mark.parametrize(
    "part",
    [
        "№89161234567 ", "чек 8 495 123 45 67 ", "8 900 000 00 00 руб ", "тел. для заказа 8-916-123-45-67 ",
        "0123456789- ()", "8 (3412) 12-34-5", "123 - 45 - ", "- ", "cpu@a.celery.pidbox ",
    ],
)  # fmt: skip
def test_a_hundred_thousand_characters_full_of_numbers_are_done_at_once(part):
    text = part * (HUNDRED_THOUSAND // len(part))
    begun = time.process_time()
    mask(text)
    assert time.process_time() - begun < 2


@pytest.mark.parametrize(
    "name",
    ["cpu@srv.example.com", "gpu-2@srv.example.com", "train@srv.local", "cpu@srv.example.com.celery.pidbox"],
)
def test_the_name_of_a_worker_stays_readable_in_a_log_line(name):
    assert mask_log(f"{name} ready, anna@example.ru waits") == f"{name} ready, {MAIL} waits"


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
    text = (Path(__file__).parents[4] / "examples" / "reviews.csv").read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if mask(line) != line] == []


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ('{"a": "+79161234567", "n": 89161234567}', '{"a": "[телефон]", "n": "[телефон]"}'),
        ('{"a":[{"b" : 4111111111111111},79161234567]}', '{"a":[{"b" : "[карта]"},"[телефон]"]}'),
        ('[-89161234567, 89161234567.5, 1.89161234567, 89161234567e1]',) * 2,
        ('[9161234567, 4111111111111112, 12345678901, 1700000000000]',) * 2,
        ('{"sku": 89161234567, "orderId":"89161234567", "order_id": 89161234567, "Артикул": 89161234567}',) * 2,
        ('{"phone_number": 89161234567, "idea": 89161234567}', '{"phone_number": "[телефон]", "idea": "[телефон]"}'),
        ('["8\\u00a0916\\u00a0123-45-67 \\ud83d"]', '["[телефон] \\ud83d"]'),
        ('\ufeff{"id": 1, "text": "+79161234567"}', '\ufeff{"id": 1, "text": "[телефон]"}'),
        ('{"text": "звоните\\n89161234567', '{"text": "звоните\\n[телефон]'),
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
    given = (
        '{"reviews": [{"id": "+79161234567", "source" : "anna@example.ru", "text": "89161234567"}, '
        '{"id": 89161234567}]}'
    )
    assert mask_json(given, names=False) == given.replace('"text": "89161234567"', '"text": "[телефон]"')
    assert mask_json(given) == (
        '{"reviews": [{"id": "[телефон]", "source" : "[почта]", "text": "[телефон]"}, {"id": 89161234567}]}'
    )


def masked_payload(payload: bytes) -> bytes:
    return masked(Message([], [Rejected("broken", payload)])).rejected[0].payload


WHOLE = '{"id":"79161234567","text":"Звоните\\n89161234567, спасибо","ok":"да"}'
BROKEN = '{"text":"Звоните\\n89161234567","ok":"да"'


@pytest.mark.parametrize("encoding", ["cp1251", "koi8-r", "cp866"])
@pytest.mark.parametrize("given", [WHOLE, BROKEN, "Звоните 89161234567, жду"])
def test_a_payload_that_is_no_utf_8_keeps_every_byte_that_is_not_masked(given, encoding):
    payload = given.encode(encoding)
    assert masked_payload(payload) == payload.replace(b"89161234567", PHONE.encode())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("given", [WHOLE, BROKEN])
def test_a_payload_in_another_form_of_unicode_is_masked_in_it(given, encoding):
    assert masked_payload(given.encode(encoding)) == given.replace("89161234567", PHONE).encode(encoding)


@pytest.mark.parametrize(
    "payload",
    [
        bytes(range(256)),
        b"\xff\xfe\x00",
        b"\x00",
        b"a\x00",
        b"\xff\xfe\x3d\xd8",
        b'{"a": "\xcf\\ud83d\xf0"}',
        b"\x1f\x8b\x08\x00",
    ],
)
def test_a_payload_without_personal_data_is_not_touched_whatever_its_bytes_are(payload):
    assert masked_payload(payload) == payload


def test_bytes_that_are_no_text_and_halves_of_characters_both_stay_what_they_are():
    given = b'["\xcf\xf0 89161234567", "\\ud83d 89161234567", "\\udccf 89161234567"]'
    assert masked_payload(given) == given.replace(b"89161234567", PHONE.encode())


@pytest.mark.parametrize("part", ['"', '"a', '\\"', '"\\', '["\\"', '"id":'])
def test_a_million_hostile_characters_of_json_take_no_longer_than_a_million_others(part):
    text = part * (MILLION // len(part))
    assert mask_json(json.dumps([text, "+79161234567"])) == json.dumps([text, "PHONE"]).replace(
        "PHONE", PHONE
    )


def test_a_placeholder_is_no_word_for_whoever_judges_the_text(market: KeywordStage):
    given = f"Жмут, {PHONE} {MAIL}, {CARD}; [нет]"
    assert without_words(given) == "Жмут, [*******] [*****], [*****]; [нет]"
    judged, plain = verdicts(
        market, [without_words(f"Кроссовки жмут, звоните {PHONE}"), "Кроссовки жмут, звоните"]
    )
    assert judged == plain
