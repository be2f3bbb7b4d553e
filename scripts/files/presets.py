"""Names that marketplaces give the columns of reviews: in exports, and in the JSON of their interfaces for sellers."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

PresetName = Literal["wildberries", "ozon", "yandex-market"]
Headings = tuple[str, ...]


class Preset(msgspec.Struct, frozen=True):
    """For each thing, the names that it may have, the likeliest first. A text is joined from all of its parts."""

    text: tuple[Headings, ...]
    id: Headings
    created_at: Headings
    meta: dict[str, Headings]
    """What is kept beside the review, by the names that it gets there."""


# What columns are called in Russian. No marketplace publishes the names in its tables for sellers, see docs/files.md.
RUSSIAN: Final = Preset(
    text=(
        ("Текст отзыва", "Отзыв", "Комментарий", "Текст"),
        ("Достоинства", "Плюсы"),
        ("Недостатки", "Минусы"),
    ),
    id=("ID отзыва", "Идентификатор отзыва", "Номер отзыва"),
    created_at=("Дата", "Дата отзыва", "Дата публикации", "Дата создания", "Дата и время"),
    meta={
        "rating": ("Оценка", "Количество звезд", "Количество звёзд"),
        "category": ("Категория", "Категория товара", "Предмет"),
        "product": ("Наименование товара", "Название товара", "Наименование", "Название", "Товар"),
        "brand": ("Бренд",),
        "article": ("Артикул WB", "SKU", "Ваш SKU", "Артикул"),
    },
)


def _preset(text: tuple[str, ...], id: str, created_at: str, meta: str) -> Preset:  # noqa: A002  a column
    """One whose columns have Russian names, or those of an interface: text, pros and cons; meta as name=field."""
    fields = dict(pair.split("=") for pair in meta.split())
    return Preset(
        text=tuple((*russian, field) for russian, field in zip(RUSSIAN.text, text, strict=True)),
        id=(*RUSSIAN.id, id),
        created_at=(*RUSSIAN.created_at, created_at),
        meta={name: (*russian, fields.get(name, name)) for name, russian in RUSSIAN.meta.items()},
    )


PRESETS: Final[dict[PresetName, Preset]] = {
    # GET /api/v1/feedbacks
    "wildberries": _preset(
        ("text", "pros", "cons"),
        "id",
        "createdDate",
        "rating=productValuation category=subjectName product=productDetails.productName "
        "brand=productDetails.brandName article=productDetails.nmId",
    ),
    # POST /v1/review/list, which has one text
    "ozon": _preset(("text", "pros", "cons"), "id", "published_at", "article=sku"),
    # POST v2/businesses/{businessId}/goods-feedback
    "yandex-market": _preset(
        ("description.comment", "description.advantages", "description.disadvantages"),
        "feedbackId",
        "createdAt",
        "rating=statistics.rating article=identifiers.offerId",
    ),
}
