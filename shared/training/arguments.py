"""How a model is trained: one validated object for every architecture, kept with the run.

A value of None is the architecture's own default, which `shared.training.architectures` fills in.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from shared.catalogue import ARCHITECTURES
from shared.errors import TrainingError
from shared.setting_values import Fraction


def _known(architecture: str) -> str:
    if architecture not in ARCHITECTURES:
        names = ", ".join(ARCHITECTURES)
        raise PydanticCustomError("architecture", "expected one of {names}", {"names": names})
    return architecture


class Arguments(BaseModel):
    """Raised as TrainingError when a value is out of range: use `arguments`, not the constructor."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    architecture: Annotated[str, AfterValidator(_known)]
    seed: int = Field(0, ge=0, lt=2**31, description="Of weights, oversampling and order of batches.")
    base: str | None = Field(
        None,
        min_length=1,
        description="Pretrained encoder: a name on the hub, or a folder with config and tokenizer.",
    )
    base_revision: str = Field("", description="Commit of the encoder on the hub. Empty: the newest.")
    random_weights: bool = Field(
        False,
        description="Begin with random weights instead of pretrained ones: the folder needs a config only.",
    )
    vectors: str | None = Field(
        None,
        min_length=1,
        description="Of lstm: a file of word vectors in navec's format. (default: those of natasha)",
    )
    epochs: int | None = Field(None, ge=1, le=1_000, description="Most passes over the training reviews.")
    patience: int = Field(
        3,
        ge=1,
        le=1_000,
        description="Epochs without a better F1 on held-out labels before it stops.",
    )
    batch_rows: int | None = Field(None, ge=1, le=4_096, description="Reviews of one training step.")
    learning_rate: float | None = Field(None, gt=0, le=1)
    weight_decay: float = Field(0.01, ge=0, le=1)
    warmup: Fraction = Field(0.1, description="Share of the steps in which the learning rate rises.")
    dropout: Annotated[float, Field(ge=0, lt=1)] | None = Field(None, description="Of the head.")
    hidden: int | None = Field(
        None, ge=1, le=8_192, description="Width of the head, where it has a layer of its own."
    )
    lora_rank: int = Field(16, ge=1, le=512)
    max_tokens: int = Field(128, ge=8, le=8_192, description="Longest text that is read, in tokens.")
    regularisation: float = Field(
        1.0, gt=0, le=1e6, description="C of the linear model: more fits the reviews closer."
    )
    balance: Literal["oversample", "weights", "roots", "none"] | None = Field(
        None,
        description="Rare categories: rows drawn again, class weights in the loss, their square roots, or nothing.",
    )
    clean_labels: bool = Field(
        False, description="Leave suspected label errors out (cleanlab, on out-of-fold probabilities)."
    )
    taxonomy_rows: bool = Field(
        True, description="Train on the taxonomy's keywords, phrases and examples as well, each a short text."
    )
    keyword_features: bool = Field(
        True, description="Of linear, lstm and pair: read what the taxonomy says of a text's words."
    )
    validation: float = Field(
        0.1, gt=0, le=0.5, description="Share of the reviews that early stopping looks at."
    )
    guesses: Fraction | None = Field(
        None,
        description="Train on best guesses too (needs_review) of at least this confidence, as 0.5. (default: on none)",
    )
    most_reviews: int = Field(
        200_000,
        ge=100,
        le=10_000_000,
        description="Most reviews that are trained on; of more, a random part is.",
    )
    fewest: int = Field(
        10, ge=2, le=1_000_000, description="Training rows below which a category has too few."
    )
    too_few: Literal["without", "refuse"] = Field(
        "without", description="What to do then: train without that category, or refuse."
    )
    checkpoint_steps: int = Field(
        0, ge=0, le=10_000_000, description="Steps between two checkpoints. 0: one after each epoch."
    )
    report_to: tuple[str, ...] = Field(
        (), description="Integrations of transformers' Trainer: tensorboard, mlflow."
    )
    device: str = Field("auto", description="auto, cuda, cuda:1, mps or cpu.")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="Mixed precision on a GPU; auto: bfloat16 where it computes it, else float16."
    )


def arguments(**values: object) -> Arguments:
    """Arguments out of what somebody gave, None left out. Raises TrainingError with the name, what and what instead."""
    try:
        return Arguments(**{name: value for name, value in values.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        told = [
            f"{'.'.join(map(str, item['loc']))}: {item['msg']}; found {item['input']!r}"
            for item in error.errors()
        ]
        raise TrainingError("training arguments: " + "; ".join(told)) from error
