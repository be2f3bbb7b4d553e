"""Every setting of Otzyv: one frozen, range-checked object read from the environment (`OTZYV_*`).

Lives here: names, units, ranges, defaults and what each is for. Not here: anything derived from them.
docs/settings.md shows the same table; a test keeps the two together.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError as MalformedValue

from shared import setting_values as values
from shared.catalogue import ARCHITECTURES
from shared.errors import SettingsError
from shared.setting_values import Fraction

_SEE = "\nSee docs/settings.md for ranges and defaults."

DatabaseRole = Literal["migrator", "worker", "trainer", "operator", "reader"]
RETRAINING = (
    "retrain",
    "retrain_arguments",
    "retrain_new_labels",
    "retrain_on_alarm",
    "training_time_limit_s",
)
"""Settings that `otzyv beat` sends along: whoever does the work need not have them."""


class Settings(BaseSettings):
    """What a process is told about its surroundings. Raised as SettingsError when a value is out of range.

    Those that are read as JSON have an example; no message shows the value of one with `repr=False`.
    """

    model_config = SettingsConfigDict(env_prefix="OTZYV_", env_ignore_empty=True, extra="ignore", frozen=True)

    amqp_url: str = Field(
        "amqp://guest:guest@127.0.0.1:5672//", description="RabbitMQ, with the virtual host at the end."
    )
    database_url: str = Field(
        "postgresql://postgres@127.0.0.1:5432/otzyv", description="PostgreSQL, as a libpq URL."
    )
    database_logins: dict[DatabaseRole, Annotated[SecretStr, AfterValidator(values.login)]] = Field(
        {},
        description="Passwords that `otzyv db upgrade` gives to roles of the database, as JSON.",
        examples=[{"worker": "a-long-password"}],
        repr=False,
    )
    taxonomy: Path | None = Field(
        None, description="Taxonomy file in YAML. Empty: the nine categories that ship with Otzyv."
    )
    cascade_stages: Annotated[str, AfterValidator(values.stage_list)] = Field(
        "keywords,similarity,student",
        description="Stages in use, in order, separated by commas. Reviews of which the last stage is unsure become "
        "`needs_review`. `student` rests until there is a champion.",
    )
    thresholds: dict[Annotated[str, AfterValidator(values.threshold_name)], Fraction] = Field(
        {},
        description="Confidence from which a stage's verdict is kept, as JSON: "
        '`{"keywords": 0.9}`, for one category `{"llm/shoes": 0.95}`. A stage not named uses what `otzyv '
        "calibrate` has stored, or else its own default.",
        examples=[{"keywords": 0.9}],
    )
    device: str = Field(
        "auto",
        description="Where networks compute: `auto` (cuda, mps, cpu, the first there is), `cuda:1`, `cpu`.",
    )
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="Numbers in which networks compute. `auto`: bfloat16 on CUDA, else float32."
    )
    zero_shot_model: str = Field(
        "MoritzLaurer/bge-m3-zeroshot-v2.0",
        min_length=1,
        description="NLI model: a name on the hub, or a folder.",
    )
    zero_shot_revision: str = Field("", description="Commit of that model on the hub. Empty: the newest.")
    zero_shot_tokens_per_batch: int = Field(
        16_384, ge=512, le=1_048_576, description="Tokens of one forward pass; halved when memory runs out."
    )
    similarity_encoder: str = Field(
        "navec",
        min_length=1,
        description="`navec` (word vectors that come with Otzyv, on CPU workers), or a sentence-transformers model, on "
        "GPU workers: a name on the hub such as `deepvk/USER2-small`, or a folder.",
    )
    similarity_revision: str = Field("", description="Commit of that model on the hub. Empty: the newest.")
    llm_url: str = Field(
        "",
        description="OpenAI-compatible server, such as `http://127.0.0.1:8000/v1`. Empty: the model runs in the GPU "
        "worker itself.",
    )
    llm_model: str = Field(
        "t-tech/T-lite-it-2.1",
        min_length=1,
        description="The model's name on that server or on the hub, or a folder.",
    )
    llm_revision: str = Field("", description="Commit of a local model on the hub. Empty: the newest.")
    llm_api_key: SecretStr = Field(SecretStr(""), description="Key for the server, sent as a bearer token.")
    llm_concurrency: int = Field(
        16, ge=1, le=512, description="Requests to the server at a time, per GPU worker."
    )
    llm_timeout_s: int = Field(60, ge=1, le=100, description="Seconds for one request with its reply.")
    llm_logprobs: bool = Field(
        True, description="Ask for log-probabilities. Without, every answer has the confidence 0.5."
    )
    llm_structured: Literal["", "structured_outputs", "guided_choice"] = Field(
        "",
        description="Field by which the server restricts answers to the options: vLLM's, from 0.12 on the first.",
    )
    llm_thinking_off: bool = Field(
        True,
        description="Send `chat_template_kwargs` that switch thinking off. A cloud may refuse the field.",
    )
    llm_extra: dict[str, Any] = Field(
        {},
        description="Fields merged into every request, as JSON; null removes one.",
        examples=[{"seed": 1}],
    )
    llm_prompt: Path | None = Field(None, description="Prompt template. Empty: the Russian one of Otzyv.")
    llm_examples: int = Field(
        3, ge=0, le=20, description="Gold reviews most like the one asked about that its prompt shows."
    )
    llm_daily_tokens: int = Field(
        0, ge=0, le=10**15, description="Tokens a day (UTC) for the LLM; then reviews wait. 0: no limit."
    )
    llm_price_in: float = Field(
        0.0, ge=0, le=10_000, description="Price of a million tokens read, for `otzyv plan`."
    )
    llm_price_out: float = Field(
        0.0, ge=0, le=10_000, description="Price of a million tokens written, for `otzyv plan`."
    )
    predictions: bool = Field(
        True, description="Put every incoming review in line for a prediction by the champion."
    )
    models: str = Field(
        "models",
        min_length=1,
        description="The process's own folder for copies of registered models, which PostgreSQL keeps; or an fsspec "
        "URL such as `s3://bucket/models` or `file:///srv/models` that all processes reach and that has them alone.",
    )
    student_withheld: float = Field(
        0.02,
        ge=0,
        le=1,
        description="Share of what the stage `student` would keep that goes on to the dearer stages and to people all "
        "the same: it measures the stage without bias.",
    )
    alarm_student_precision: float = Field(
        0.8,
        ge=0,
        le=1,
        description="Alarm, which suspends the stage `student`, when less than this share of the withheld labels turns "
        "out right, with 99 % certainty.",
    )
    alarm_psi: float = Field(
        0.25,
        gt=0,
        le=10,
        description="Alarm when a day's predictions or confidences are further than this (population stability index) "
        "from what the model said when it was made.",
    )
    alarm_accuracy_drop: float = Field(
        0.05,
        gt=0,
        le=1,
        description="Alarm when a day's expected accuracy is lower by more than this than when the model was made.",
    )
    alarm_disagreement: float = Field(
        0.2,
        gt=0,
        le=1,
        description="Alarm when more than this share of a day's predictions differs from labels, with 95 % certainty.",
    )
    training: str = Field(
        "training",
        min_length=1,
        description="Folder in which training runs keep their checkpoints. Workers that share it go on with each "
        "other's runs; others begin them anew.",
    )
    training_lease_s: int = Field(
        60,
        ge=2,
        le=3_600,
        description="Seconds without a sign of life after which another worker takes a run over.",
    )
    training_crashes: int = Field(
        5, ge=0, le=100, description="How often the process of a run may vanish before the run fails."
    )
    training_time_limit_s: int = Field(
        86_400, ge=1, le=2_592_000, description="Seconds that a training run may take, waiting not included."
    )
    gpu_shared: bool = Field(
        False,
        description="Let training and labelling use one GPU at the same time; otherwise the later one waits.",
    )
    promote_most_fall: float = Field(
        0.1,
        ge=0,
        le=1,
        description="Most that the F1 of any category on gold may fall when a model is promoted automatically.",
    )
    retrain: Annotated[str, AfterValidator(values.architectures)] = Field(
        "",
        description="Architectures that `otzyv beat` retrains by itself, separated by commas, out of "
        f"{', '.join(ARCHITECTURES)}. Empty: none.",
    )
    retrain_arguments: dict[str, Any] = Field(
        {},
        description="Arguments of these runs, as JSON: see `otzyv train --set help`.",
        examples=[{"base": "my-encoder"}],
    )
    retrain_new_labels: int = Field(
        10_000,
        ge=0,
        le=10**9,
        description="Retrain when so many labels are newer than the last run. 0: not for that.",
    )
    retrain_on_alarm: bool = Field(
        True, description="Retrain when a quality alarm is newer than the last run."
    )
    retrain_cron: Annotated[str, AfterValidator(values.crontab)] = Field(
        "",
        description="Retrain at these times (UTC), as five crontab fields such as `0 3 * * 1`. Empty: never.",
    )
    batch_rows: int = Field(
        500, ge=1, le=500, description="Reviews in one task, and in one message that `enqueue` sends."
    )
    judge_first: bool = Field(
        True,
        description="CPU workers take in what producers publish, and judge it by the stages that need no GPU before "
        "it is stored. false: `otzyv ingest` stores it, and CPU workers judge what it sends them.",
    )
    linger_ms: int = Field(
        10,
        ge=0,
        le=60_000,
        description="How long messages are gathered before a short batch of them is taken in.",
    )
    ingest_prefetch_messages: int = Field(
        200, ge=1, le=10_000, description="Incoming messages that a process may hold; bounds its memory."
    )
    ingest_bulk_messages: int = Field(
        4,
        ge=1,
        le=10_000,
        description="The same of messages in the bulk lane; what is held of it delays live ones. More for small ones.",
    )
    max_text_chars: int = Field(
        20_000, ge=100, le=1_000_000, description="Longest review text accepted; a longer one is rejected."
    )
    max_message_bytes: int = Field(
        16_777_216, ge=1_000, le=134_217_728, description="Largest incoming message accepted, in bytes."
    )
    mappings: str = Field(
        "",
        description="Where reviews are in messages that do not speak the wire contract: a JSON file, or JSON itself, "
        "of queues and streams with their mappings. Empty: only the contract is read.",
    )
    mask_personal_data: bool = Field(
        False,
        description="Mask telephone numbers, e-mail addresses and card numbers before a review is stored.",
    )
    worker_processes: int = Field(
        0, ge=0, le=512, description="Processes of one CPU worker. 0: one per core this process may use."
    )
    task_soft_limit_s: int = Field(
        120,
        ge=1,
        le=1_500,
        description="Seconds after which a task is stopped, and its batch split until the one slow review has failed.",
    )
    task_attempts: int = Field(
        10, ge=1, le=100, description="Tries of a task on errors that may pass, with growing pauses."
    )
    poison_streak: int = Field(
        10,
        ge=0,
        le=10_000,
        description="Batches that fail in a row, with none done between them, after which a worker stops consuming "
        "their queue until it is started anew. 0: never.",
    )
    sweep_after_s: int = Field(
        900,
        ge=10,
        le=604_800,
        description="Seconds a review may wait in an empty queue before it is sent again.",
    )
    connect_timeout_s: int = Field(
        5, ge=1, le=120, description="Seconds to wait for a connection to RabbitMQ or PostgreSQL."
    )
    broker_timeout_s: int = Field(
        20,
        ge=1,
        le=600,
        description="Seconds to wait for RabbitMQ's answer to one request, such as the confirmation of a message.",
    )
    statement_timeout_s: int = Field(
        60, ge=1, le=3_600, description="Seconds after which PostgreSQL gives up on one statement."
    )
    database_connections: int = Field(
        4, ge=1, le=100, description="Most PostgreSQL connections that one process opens."
    )
    log_format: Literal["console", "json"] = Field(
        "console", description="Log lines for people (`console`) or for machines (`json`)."
    )
    language: Literal["en", "ru"] | None = Field(
        None,
        description="Language of help, summaries and reports. Empty: Russian where the locale is (`LC_ALL`, "
        "`LC_MESSAGES`, `LANG`, `LANGUAGE`), else English. JSON, logs, metrics and errors are English.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe log lines shown."
    )
    metrics_port: int = Field(
        0,
        ge=0,
        le=65_535,
        description="Port on which workers, beat and ingest serve `/metrics` and `/healthz`. 0: none.",
    )
    metrics_address: str = Field("127.0.0.1", min_length=1, description="Address on which they do.")
    mask_logs: bool = Field(
        True, description="Mask telephone numbers, addresses and card numbers in log lines."
    )
    flower_port: int = Field(5555, ge=1, le=65_535, description="Port on which `otzyv flower` listens.")
    flower_address: str = Field("127.0.0.1", description="Address on which `otzyv flower` listens.")
    flower_basic_auth: str = Field(
        "", description="`user:password` for Flower, which refuses to start without."
    )

    @property
    def hasty(self) -> Settings:
        """The same for whoever asks after health: no answer is waited for longer than a connection."""
        limits = dict.fromkeys(("statement_timeout_s", "broker_timeout_s"), self.connect_timeout_s)
        return self.model_copy(update=limits)

    @property
    def taken_in_by(self) -> str:
        """The command that takes in what producers publish, for sentences that tell people to start it."""
        return "otzyv worker cpu" if self.judge_first else "otzyv ingest"

    @property
    def retrained(self) -> tuple[str, ...]:
        """`retrain` as names, in order."""
        return values.names_in(self.retrain)

    @property
    def stages(self) -> tuple[str, ...]:
        """`cascade_stages` as names, in order."""
        return values.names_in(self.cascade_stages)


@cache
def settings() -> Settings:
    """The process's settings, read once. Raises SettingsError that names the variable and the range."""
    return load()


def load(**overrides: object) -> Settings:
    """Settings from the environment, with `overrides` on top."""
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        complaints = (values.complaint(item, Settings.model_fields) for item in error.errors())
        raise SettingsError("\n".join(complaints) + _SEE) from error
    except MalformedValue as error:
        # Some settings are read as JSON; the error names the one.
        name, field = next(one for one in Settings.model_fields.items() if f'"{one[0]}"' in str(error))
        variable, example = f"OTZYV_{name.upper()}", json.dumps((field.examples or [{}])[0])
        found = values.found(os.environ.get(variable), field)
        raise SettingsError(
            f"{variable}: expected a JSON object such as {example}; found {found}{_SEE}"
        ) from error


def unknown(environment: Iterable[str]) -> dict[str, str]:
    """Variables that look like settings and are none, each with the setting that was probably meant, or nothing."""
    known = [f"OTZYV_{name.upper()}" for name in Settings.model_fields]
    strangers = sorted(name for name in environment if name.startswith("OTZYV_") and name not in known)
    return {name: next(iter(get_close_matches(name, known, 1, cutoff=0.8)), "") for name in strangers}
