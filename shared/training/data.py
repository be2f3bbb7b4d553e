"""What a model is trained on: rows, cleaned and split the same way every time. Where they come from is the store's.

Pure functions, without torch. Suspected label errors are `label_errors`, the taxonomy's own texts `taxonomy_rows`.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice, tee
from typing import Any, Final

import msgspec
import numpy as np

from shared.errors import TrainingError
from shared.reviews.labelled_text import Row
from shared.taxonomy import Taxonomy
from shared.text.reading import CODEC, Page
from shared.training.arguments import Arguments
from shared.training.taxonomy_rows import own_texts

UNKNOWN: Final = "category that the taxonomy lacks"
EMPTY: Final = "text without letter, digit or symbol"
REPEATED: Final = "same text as a row that is trusted more"
GOLD: Final = "same text as a gold review"
GUESSED: Final = "a guess that is too unsure"
TOO_MANY: Final = "more than most_reviews"
TOO_FEW: Final = "too few of the category {}"
"""Reasons in `Data.left_out`."""
LEAST_CATEGORIES: Final = 2
CHUNK: Final = 4_096
"""Texts normalised at a time."""
HASH_BYTES: Final = 8


class Data(msgspec.Struct, frozen=True):
    """What one run trains on and stops by. `train` is before oversampling; `left_out` says what was removed and why.

    `taxonomy` is the one whose categories `labels` are, in its order; without it nothing is known of its entries.
    """

    labels: tuple[str, ...]
    train: tuple[Row, ...]
    validation: tuple[Row, ...]
    left_out: dict[str, int] = {}
    taxonomy: Taxonomy | None = None


def prepared(
    rows: Iterable[Row], gold_texts: Iterable[str], taxonomy: Taxonomy, arguments: Arguments
) -> Data:
    """Rows without those that repeat a better one, split by a hash of their text.

    `rows` come in order of trust: of equal texts the first counts. Whether a review is in the validation part depends
    on its text alone, so that it stays there from run to run. Guesses and the taxonomy's own texts are only trained on.

    Raises TrainingError where a category has too few rows and `arguments.too_few` is "refuse", or fewer than two
    categories have enough.
    """
    labels = taxonomy.slugs
    seen = dict.fromkeys(normalised(gold_texts), GOLD)
    left_out: Counter[str] = Counter()
    train: list[Row] = []
    validation: list[Row] = []
    for row, text in _normalised(rows):
        reason = _reason(row, text, labels, seen, arguments)
        if reason:
            left_out[reason] += 1
            continue
        seen[text] = REPEATED
        held = row.guess is None and is_validation(text, arguments.validation)
        (validation if held else train).append(row)
    held_out = round(arguments.most_reviews * arguments.validation)
    train = _some(train, arguments.most_reviews - held_out, left_out)
    validation = _some(validation, held_out, left_out)
    if left_out and not train:
        told = ", ".join(f"{count:,} {reason}" for reason, count in left_out.items())
        raise TrainingError(f"training rows: expected labelled reviews, found none that can be used: {told}")
    if arguments.taxonomy_rows:
        own = (Row(text, slug) for slug, text in own_texts(taxonomy))
        for row, text in _normalised(own):
            if text and text not in seen:
                seen[text] = REPEATED
                train.append(row)
    return _with_enough(Data(labels, tuple(train), tuple(validation), dict(left_out), taxonomy), arguments)


def _reason(row: Row, text: str, labels: Sequence[str], seen: Mapping[str, str], arguments: Arguments) -> str:
    """Why a row is left out; empty where it is not."""
    if row.guess is not None and (arguments.guesses is None or row.guess < arguments.guesses):
        return GUESSED
    if row.category not in labels:
        return UNKNOWN
    return seen.get(text, "") if text else EMPTY


def _some(rows: list[Row], most: int, left_out: Counter[str]) -> list[Row]:
    """All rows, or so many of them: labels of people first, then those with the least hash of their number."""
    if len(rows) <= most:
        return rows
    left_out[TOO_MANY] += len(rows) - most
    order = sorted(range(len(rows)), key=lambda at: (not rows[at].trusted, _share(str(rows[at].review_id))))
    return [rows[at] for at in sorted(order[:most])]


def _with_enough(data: Data, arguments: Arguments) -> Data:
    """The data without the categories that have too few rows."""
    found = counts(data.train)
    few = {slug: found[slug] for slug in data.labels if found[slug] < arguments.fewest}
    shown = ", ".join(f"{slug} {count:,}" for slug, count in few.items())
    if len(data.labels) - len(few) < LEAST_CATEGORIES:
        raise TrainingError(
            f"training rows: expected at least {LEAST_CATEGORIES} categories with {arguments.fewest:,} or more, found "
            f"too few of {shown}; label more reviews, or lower `fewest`"
        )
    if few and arguments.too_few == "refuse":
        raise TrainingError(
            f"training rows: expected at least {arguments.fewest:,} of each category, found {shown}; label more "
            "reviews of them, lower `fewest`, or train without them (`too_few`: without)"
        )
    left = Counter(row.category for row in (*data.train, *data.validation) if row.category in few)
    return Data(
        data.labels,
        tuple(row for row in data.train if row.category not in few),
        tuple(row for row in data.validation if row.category not in few),
        data.left_out | {TOO_FEW.format(slug): left[slug] for slug in few},
        data.taxonomy,
    )


def _normalised(rows: Iterable[Row]) -> Iterator[tuple[Row, str]]:
    walk, again = tee(rows)
    return zip(walk, normalised(row.text for row in again), strict=True)


def normalised(texts: Iterable[str]) -> Iterator[str]:
    """Texts as they count when they are compared: case, ё, accents, white space and punctuation do not.

    Empty where there is neither letter, digit nor symbol.
    """
    walk = iter(texts)
    while chunk := list(islice(walk, CHUNK)):
        page = Page(chunk)
        for at, text in enumerate(chunk):
            # Of what the code page lacks count letters of other alphabets, digits and symbols such as 👍.
            yield " ".join(page.text(at).decode(CODEC).split()) or "".join(
                char for char in text.casefold() if unicodedata.category(char)[0] in "LNMS"
            )


def is_validation(text: str, share: float) -> bool:
    """Whether a normalised text belongs to the validation part, to which `share` of all texts do."""
    return _share(text) < share


def _share(text: str) -> float:
    """The hash of a text as a number from 0 to 1."""
    digest = hashlib.blake2b(text.encode(errors="replace"), digest_size=HASH_BYTES).digest()
    return int.from_bytes(digest, "big") / 256**HASH_BYTES


def oversampled(rows: Sequence[Row], seed: int) -> list[Row]:
    """The rows, and rows of rarer categories drawn again until each category has as many as the largest."""
    return [rows[at] for at in oversampled_places([row.category for row in rows], seed)]


def oversampled_places(categories: Sequence[str], seed: int) -> list[int]:
    """Which rows `oversampled` takes, by number: first all of them, then the ones drawn again."""
    if len(set(categories)) < LEAST_CATEGORIES:
        return list(range(len(categories)))
    from imblearn.over_sampling import RandomOverSampler

    places = np.arange(len(categories)).reshape(-1, 1)
    drawn, _ = RandomOverSampler(random_state=seed).fit_resample(places, np.asarray(categories))
    found: list[int] = drawn[:, 0].tolist()
    return found


def class_weights(rows: Sequence[Row], labels: Sequence[str], *, roots: bool = False) -> list[float]:
    """A weight for each label: n / (k * count), k being the number of categories among the n rows; 1.0 for others.

    What scikit-learn calls balanced (King and Zeng, Logistic Regression in Rare Events Data, 2001). Their square roots
    lie between that and no weights.
    """
    found = counts(rows)
    power = 0.5 if roots else 1.0
    return [(len(rows) / (len(found) * found[label])) ** power if label in found else 1.0 for label in labels]


def counts(rows: Iterable[Row]) -> Counter[str]:
    """How many rows there are of each category that has any."""
    return Counter(row.category for row in rows)


def facts(data: Data) -> dict[str, Any]:
    """What an artefact says about its data: rows by category, in the order of labels, and what was left out."""
    return {
        "training_reviews": _by_label((row for row in data.train if row.review_id), data.labels),
        "taxonomy_texts": _by_label((row for row in data.train if not row.review_id), data.labels),
        "validation_reviews": _by_label(data.validation, data.labels),
        "left_out": dict(data.left_out),
    }


def _by_label(rows: Iterable[Row], labels: Sequence[str]) -> dict[str, int]:
    found = counts(rows)
    return {label: found[label] for label in labels}
