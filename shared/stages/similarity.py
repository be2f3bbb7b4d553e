"""The similarity stage: which category's keywords and examples lie nearest to a review in an embedding space.

For a review x, and for each kind k of what a taxonomy says of category c (its keywords; its sentences, which are
the examples, the description and the titles):

    closeness   s_k(x, c) = mean of the NEAREST highest cosines between x and c's entries of kind k
    habit       h_k(c)    = mean of s_k(y, c) over the entries y of all other categories
    score       z(x, c)   = sum over k of s_k(x, c) - h_k(c)
    confidence  p(c | x)  = exp(z(x, c) / TEMPERATURE) / (1 + sum over c' of exp(z(x, c') / TEMPERATURE))

The habit is how close a category is to what is none of its business. Without it, categories with many entries or
with everyday words win everywhere (hubs; Conneau et al., Word Translation Without Parallel Data, 2018, correct for
them in the same spirit). A kind that a category lacks adds nothing to its score. The 1 stands for a category
that is as close as its habit: a review that is near to nothing gets no confident answer, even with one category.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.cascade.stage import ABSTAINED, Answer, Verdict
from shared.catalogue import NAVEC
from shared.encoders.encoder import Encoder, Vectors, known
from shared.encoders.navec import NavecEncoder
from shared.encoders.sentence import SentenceEncoder
from shared.settings import Settings
from shared.stages.parts import StageParts
from shared.taxonomy import Category, Taxonomy

DEFAULT_THRESHOLD: Final = 0.9
"""Verdicts at or above this are kept unless the settings say otherwise; chosen with navec vectors."""
NEAREST: Final = 5
"""How many of a category's entries have to be near. One alone is often near by chance."""
TEMPERATURE: Final = 0.07
"""How large a lead in score makes sure. Changes the scale of the confidence, hardly the order."""
CHUNK: Final = 256
"""Reviews compared at a time: 256 x 50,000 entries take 50 MB."""
MOST_FOREIGN: Final = 2000
"""Entries from which the habits are taken; of larger taxonomies every second, third, ... one."""


class _Entries:
    """Everything of one kind that a taxonomy says, as vectors, category by category.

    `bounds[c]` and `bounds[c + 1]` enclose the entries of category c.
    """

    def __init__(self, texts: Sequence[Iterable[str]], encoder: Encoder) -> None:
        distinct = [list(dict.fromkeys(some)) for some in texts]
        listed = [text for some in distinct for text in some]
        vectors = encoder.embed(listed, "document")
        owners = np.repeat(np.arange(len(distinct)), [len(some) for some in distinct])
        kept = known(vectors)
        self.texts = [listed[at] for at in kept]
        self.vectors: Vectors = vectors[kept]
        self.owners: NDArray[np.intp] = owners[kept]
        self.bounds: list[int] = np.searchsorted(self.owners, np.arange(len(distinct) + 1)).tolist()
        self.habits = np.zeros(len(distinct), np.float32)

    def closeness(self, cosines: Vectors) -> Vectors:
        """Mean of the highest of cosines [texts, entries] with each category, less its habit; [texts, categories]."""
        close = np.zeros((len(cosines), len(self.bounds) - 1), np.float32)
        for category, (first, last) in enumerate(zip(self.bounds, self.bounds[1:], strict=False)):
            own = cosines[:, first:last]
            if last - first > NEAREST:
                own = np.partition(own, last - first - NEAREST, axis=1)[:, -NEAREST:]
            if last > first:
                close[:, category] = own.mean(axis=1)
        return close - self.habits

    def learn_habits(self, rows: Vectors, owners: NDArray[np.intp]) -> None:
        """Take the habits from entries, given with their categories."""
        sums, counts = np.zeros((2, len(self.habits)))
        for start in range(0, len(rows), CHUNK):
            close = self.closeness(rows[start : start + CHUNK] @ self.vectors.T)
            foreign = owners[start : start + CHUNK, None] != np.arange(len(self.habits))
            sums += np.where(foreign, close, 0).sum(axis=0)
            counts += foreign.sum(axis=0)
        self.habits = (sums / np.maximum(counts, 1)).astype(np.float32)


class SimilarityStage:
    """Implements `shared.cascade.stage.Stage`. Embeds the taxonomy when it is made; share one per process.

    Abstains where the encoder knows no word of the text. `evidence` holds the entry of the taxonomy that was
    nearest (`nearest`), its `cosine`, and the category that came second (`runner_up`, None where there is one).
    """

    name = "similarity"
    default_threshold = DEFAULT_THRESHOLD

    def __init__(self, taxonomy: Taxonomy, encoder: Encoder) -> None:
        self.model = f"similarity/1 {encoder.model}"
        self._encoder = encoder
        self._slugs = taxonomy.slugs
        categories = taxonomy.categories
        self._kinds = [
            _Entries([list(say(category)) for category in categories], encoder) for say in (words, sentences)
        ]
        rows = np.concatenate([kind.vectors for kind in self._kinds])
        owners = np.concatenate([kind.owners for kind in self._kinds])
        step = len(rows) // MOST_FOREIGN + 1
        for kind in self._kinds:
            kind.learn_habits(rows[::step], owners[::step])

    def answers(self, texts: Sequence[str]) -> list[Answer]:
        """One answer per text, in order; it abstains where no word is known. Identical texts are embedded once."""
        distinct = list(dict.fromkeys(texts))
        rows = self._encoder.embed(distinct, "query")
        answers = dict.fromkeys(distinct, ABSTAINED)
        readable = known(rows)
        for start in range(0, len(readable), CHUNK):
            some = readable[start : start + CHUNK]
            answers.update(zip((distinct[at] for at in some), self._judged(rows[some]), strict=True))
        return [answers[text] for text in texts]

    def _judged(self, rows: Vectors) -> Iterator[Answer]:
        cosines = [rows @ kind.vectors.T for kind in self._kinds]
        scores = sum(kind.closeness(some) for kind, some in zip(self._kinds, cosines, strict=True))
        powers = np.exp(np.asarray(scores, np.float64) / TEMPERATURE)
        confidences = powers / (1.0 + powers.sum(axis=1, keepdims=True))
        order = np.argsort(-confidences, axis=1, kind="stable")
        for at, (best, *others) in enumerate(order.tolist()):
            nearest, cosine = self._nearest(best, [some[at] for some in cosines])
            evidence = {
                "nearest": nearest,
                "cosine": round(cosine, 4),
                "runner_up": self._slugs[others[0]] if others else None,
            }
            yield Answer(Verdict(self._slugs[best], float(confidences[at, best]), evidence))

    def _nearest(self, category: int, cosines: list[Vectors]) -> tuple[str | None, float]:
        """The entry of a category with the highest cosine, of whatever kind; None where it has no known entry."""
        found: tuple[str | None, float] = (None, 0.0)
        for kind, some in zip(self._kinds, cosines, strict=True):
            first, last = kind.bounds[category : category + 2]
            if last > first:
                at = first + int(some[first:last].argmax())
                if found[0] is None or some[at] > found[1]:
                    found = kind.texts[at], float(some[at])
        return found


def build(parts: StageParts) -> SimilarityStage:
    """The stage for a taxonomy, with the encoder that the settings name. Raises ConfigurationError."""
    return SimilarityStage(parts.taxonomy, encoder(parts.settings))


def encoder(settings: Settings) -> Encoder:
    """The encoder that the settings name, one for the whole process. Raises ConfigurationError."""
    return _encoder(settings.similarity_encoder, settings.similarity_revision, settings.device)


@lru_cache(maxsize=1)
def _encoder(name: str, revision: str, device: str) -> Encoder:
    if name == NAVEC:
        return NavecEncoder()
    return SentenceEncoder(name, device=None if device == "auto" else device, revision=revision or None)


def words(category: Category) -> Iterator[str]:
    """The keywords of a category. Phrases and hints are left out: they made the stage less precise."""
    for keyword in category.keywords:
        yield from keyword.word


def sentences(category: Category) -> Iterator[str]:
    """The examples of a category, its description and its titles."""
    yield from category.examples
    yield from filter(None, (category.description, category.title, category.zero_shot_label))
