"""A small taxonomy, and labelled reviews that know more words than it does. All of them are our own."""

from __future__ import annotations

from itertools import product

PET_SHOP = """\
# our shop
name: petshop
none_category: nothing
categories:
  - slug: food
    title: корм
    keywords: [корм, паштет]   # what they eat
  - slug: bowls
    title: миски
    keywords: [миска]
  - slug: nothing
    title: нет товара
    hints: [доставка, продавец, отлично, спасибо]
"""
_FOOD = ("Сухарики хрустящие", "Сухариков хватило на месяц", "Коту понравились сухарики", "Сухарик крепкий")
_BOWLS = ("Поилка протекает", "Поилку моем каждый день", "Купили поилку щенку", "Две поилки и обе целые")
_NOTHING = ("Курьер опоздал", "Курьер вежливый", "Курьеру спасибо", "Доставка: курьер молодец")
_TAILS = ("", " второй раз", " и все", " вчера", " опять")
KNOWN = (("Паштет съел сразу", "food"), ("Миска тяжёлая", "bowls"), ("Спасибо, отлично", "nothing"))


def labelled(tails: int = len(_TAILS)) -> tuple[list[str], list[str]]:
    """Texts and slugs: four reviews a category for each tail, and some that the taxonomy knows."""
    pairs = [
        (f"{head}{tail}", slug)
        for slug, heads in (("food", _FOOD), ("bowls", _BOWLS), ("nothing", _NOTHING))
        for head, tail in product(heads, _TAILS[:tails])
    ]
    texts, slugs = zip(*pairs, *KNOWN, strict=True)
    return list(texts), list(slugs)
