"""A small linear model for the nine categories, trained on what the taxonomy says of them."""

from __future__ import annotations

from functools import cache

from shared.classifiers import LinearClassifier
from shared.taxonomy import default_taxonomy
from shared.training.arguments import arguments
from shared.training.data import Data, prepared
from shared.training.linear import train_linear

TEXTS = [
    "Платье село отлично, ткань приятная",
    "Ботинки жмут, подошва скользит",
    "Телефон приехал разбитым, экран не работает",
    "Чайник кипятит быстро и тихо",
    "Игрушка детям понравилась",
    "Доставка быстрая, спасибо",
    "Постельное бельё мягкое",
    "Серьги красивые, блестят",
]


def data() -> Data:
    """Rows of the taxonomy alone."""
    return prepared([], [], default_taxonomy(), arguments(architecture="linear"))


@cache
def model(regularisation: float = 1.0) -> LinearClassifier:
    """The model."""
    return train_linear(arguments(architecture="linear", regularisation=regularisation), data())
