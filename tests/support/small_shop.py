"""A small taxonomy with words and sentences of each category, and texts that name none of its words."""

from __future__ import annotations

from shared.taxonomy import Taxonomy

SMALL = Taxonomy.parse("""
name: small
none_category: nothing
categories:
  - slug: clothes
    title: одежда
    keywords: [платье, кофта, юбка, куртка, рубашка, {word: [брюки, свитер], weight: 0.5}]
    examples: [Платье село по фигуре., Куртка тёплая и лёгкая.]
  - slug: shoes
    title: обувь
    keywords: [сапоги, туфли]
    description: Всё, что носят на ногах.
  - slug: kitchen
    title: посуда
    examples: [Тарелки без сколов., Кастрюля не пригорает.]
  - slug: nothing
    title: нет товара
    examples: [Продавец не отвечает., Деньги вернули.]
""")
TEXTS = (
    "Ботинки отличные",
    "пальто",
    "кружка треснула",
    "Деньги так и не вернули, продавец молчит",
    "ыыъпкх",
)
