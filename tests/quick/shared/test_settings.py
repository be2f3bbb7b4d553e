"""Settings: ranges, the sentences about values out of range, and a documentation that is complete."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import annotated_types
import pytest

from shared.errors import SettingsError
from shared.settings import Settings, load, unknown

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "settings.md"
ROW = re.compile(r"^\| `(OTZYV_[A-Z_]+)` \| (?:`(.*?)`|empty) \| (.+?) \| (.+?) \|$", re.MULTILINE)


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch):
    for name in Settings.model_fields:
        monkeypatch.delenv(f"OTZYV_{name.upper()}", raising=False)


@pytest.fixture(scope="module")
def documented() -> dict[str, tuple[str, str, str]]:
    rows = ROW.findall(DOCUMENT.read_text(encoding="utf-8"))
    assert len({name for name, *_ in rows}) == len(rows), "a variable is documented twice"
    return {name: (default, limits, purpose) for name, default, limits, purpose in rows}


def limits(name: str) -> tuple[int | None, int | None]:
    """The least and the greatest value of a number."""
    metadata = Settings.model_fields[name].metadata
    least = next((int(m.ge) for m in metadata if isinstance(m, annotated_types.Ge)), None)  # type: ignore[call-overload]
    most = next((int(m.le) for m in metadata if isinstance(m, annotated_types.Le)), None)  # type: ignore[call-overload]
    return least, most


NUMBERS = [name for name, field in Settings.model_fields.items() if field.annotation is int]


def test_the_documentation_lists_every_setting_and_nothing_else(documented):
    assert set(documented) == {f"OTZYV_{name.upper()}" for name in Settings.model_fields}


@pytest.mark.parametrize("name", Settings.model_fields)
def test_the_documentation_gives_the_default_of_every_setting(documented, name):
    default = Settings.model_fields[name].get_default()
    assert documented[f"OTZYV_{name.upper()}"][0] == ("" if default is None else str(default))


@pytest.mark.parametrize("name", NUMBERS)
def test_the_documentation_gives_the_range_of_every_number(documented, name):
    least, most = limits(name)
    assert documented[f"OTZYV_{name.upper()}"][1].startswith(f"{least} to {most}")


@pytest.mark.parametrize(
    "name", [n for n, f in Settings.model_fields.items() if len(get_args(f.annotation)) > 1]
)
def test_the_documentation_gives_every_choice(documented, name):
    choices = [
        choice
        for choice in get_args(Settings.model_fields[name].annotation)
        if isinstance(choice, str) and choice
    ]
    assert all(f"`{choice}`" in documented[f"OTZYV_{name.upper()}"][1] for choice in choices)


def test_every_number_has_a_least_and_a_greatest_value():
    assert [name for name in NUMBERS if None in limits(name)] == []


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_below_its_range_is_refused_by_the_name_of_its_variable(monkeypatch, name):
    least, most = limits(name)
    monkeypatch.setenv(f"OTZYV_{name.upper()}", str(least - 1))
    with pytest.raises(SettingsError) as refused:
        load()
    assert str(refused.value) == (
        f"OTZYV_{name.upper()}: expected {least:,} to {most:,}; found '{least - 1}'\n"
        "See docs/settings.md for ranges and defaults."
    )


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_above_its_range_is_refused_by_the_name_of_its_variable(monkeypatch, name):
    least, most = limits(name)
    monkeypatch.setenv(f"OTZYV_{name.upper()}", str(most + 1))
    with pytest.raises(SettingsError, match=f"^OTZYV_{name.upper()}: expected {least:,} to {most:,}; found"):
        load()


@pytest.mark.parametrize("name", NUMBERS)
def test_both_ends_of_a_range_are_accepted(monkeypatch, name):
    for value in limits(name):
        monkeypatch.setenv(f"OTZYV_{name.upper()}", str(value))
        assert getattr(load(), name) == value


def test_a_word_where_a_number_is_wanted_is_refused(monkeypatch):
    monkeypatch.setenv("OTZYV_BATCH_ROWS", "many")
    with pytest.raises(SettingsError, match=r"^OTZYV_BATCH_ROWS: expected a whole number; found 'many'"):
        load()


def test_neither_true_nor_false_is_refused_with_what_is_expected(monkeypatch):
    monkeypatch.setenv("OTZYV_MASK_LOGS", "maybe")
    with pytest.raises(SettingsError, match="OTZYV_MASK_LOGS: expected true or false; found 'maybe'"):
        load()


def test_every_wrong_variable_is_named_at_once(monkeypatch):
    monkeypatch.setenv("OTZYV_BATCH_ROWS", "0")
    monkeypatch.setenv("OTZYV_LOG_LEVEL", "loud")
    with pytest.raises(SettingsError) as refused:
        load()
    assert "OTZYV_BATCH_ROWS" in str(refused.value)
    assert "OTZYV_LOG_LEVEL: Input should be 'debug', 'info', 'warning' or 'error'; found 'loud'" in str(
        refused.value
    )


def test_an_unknown_stage_is_refused_with_the_known_ones(monkeypatch):
    monkeypatch.setenv("OTZYV_CASCADE_STAGES", "keywords,magic")
    with pytest.raises(SettingsError) as refused:
        load()
    assert "OTZYV_CASCADE_STAGES: " in str(refused.value)
    assert "expected different stages out of keywords, similarity, student, zero_shot, llm" in str(
        refused.value
    )
    assert "'keywords,magic'" in str(refused.value)


def test_a_threshold_may_be_of_one_category(monkeypatch):
    monkeypatch.setenv("OTZYV_THRESHOLDS", '{"llm": 0.8, "llm/shoes": 0.95}')
    assert load().thresholds == {"llm": 0.8, "llm/shoes": 0.95}


def test_extra_fields_that_are_not_json_are_refused_with_an_example(monkeypatch):
    monkeypatch.setenv("OTZYV_LLM_EXTRA", "seed=1")
    with pytest.raises(
        SettingsError, match=r"^OTZYV_LLM_EXTRA: expected a JSON object such as .*found 'seed=1'"
    ):
        load()


def test_the_key_of_the_llm_server_is_not_shown(monkeypatch):
    monkeypatch.setenv("OTZYV_LLM_API_KEY", "secret-key")
    assert "secret-key" not in repr(load())
    assert load().llm_api_key.get_secret_value() == "secret-key"


@pytest.mark.parametrize("stages", ["keywords,keywords", ",", " , "])
def test_the_same_stage_twice_or_no_stage_is_refused(monkeypatch, stages):
    monkeypatch.setenv("OTZYV_CASCADE_STAGES", stages)
    with pytest.raises(SettingsError, match="expected different stages"):
        load()


def test_stages_keep_the_order_they_are_named_in(monkeypatch):
    monkeypatch.setenv("OTZYV_CASCADE_STAGES", " llm, keywords ,zero_shot")
    assert load().stages == ("llm", "keywords", "zero_shot")


def test_the_stages_in_use_by_default_need_neither_a_gpu_nor_a_download():
    assert load().stages == ("keywords", "similarity", "student")
    assert load().similarity_encoder == "navec"


def test_thresholds_are_read_from_json(monkeypatch):
    monkeypatch.setenv("OTZYV_THRESHOLDS", '{"keywords": 0.9, "llm": 1}')
    assert load().thresholds == {"keywords": 0.9, "llm": 1.0}


@pytest.mark.parametrize("value", ["keywords=0.9", "{", '{"keywords": 0.9'])
def test_thresholds_that_are_not_json_are_refused_with_an_example(monkeypatch, value):
    monkeypatch.setenv("OTZYV_THRESHOLDS", value)
    with pytest.raises(SettingsError) as refused:
        load()
    assert str(refused.value).startswith(
        'OTZYV_THRESHOLDS: expected a JSON object such as {"keywords": 0.9}; found'
    )
    assert value in str(refused.value)


@pytest.mark.parametrize("value", ['{"keywords": 1.01}', '{"keywords": -0.1}', '{"keywords": "high"}'])
def test_a_threshold_outside_zero_to_one_is_refused_by_the_name_of_its_stage(monkeypatch, value):
    monkeypatch.setenv("OTZYV_THRESHOLDS", value)
    with pytest.raises(
        SettingsError, match=r"^OTZYV_THRESHOLDS \(keywords\): (Input should be|expected a number)"
    ):
        load()


def test_a_threshold_of_an_unknown_stage_is_refused(monkeypatch):
    monkeypatch.setenv("OTZYV_THRESHOLDS", '{"keyword": 0.9}')
    with pytest.raises(
        SettingsError,
        match=r"^OTZYV_THRESHOLDS \(keyword\): expected a stage out of keywords, similarity.*'keyword'",
    ):
        load()


def test_a_misspelt_variable_is_told_with_the_setting_that_was_meant():
    assert unknown(["PATH", "OTZYV_CASCADE_STAGE", "OTZYV_BATCH_ROWS", "OTZYV_QQQQQQQQ"]) == {
        "OTZYV_CASCADE_STAGE": "OTZYV_CASCADE_STAGES",
        "OTZYV_QQQQQQQQ": "",
    }


@pytest.mark.parametrize("name", Settings.model_fields)
def test_an_empty_variable_means_the_default(monkeypatch, name):
    monkeypatch.setenv(f"OTZYV_{name.upper()}", "")
    assert getattr(load(), name) == Settings.model_fields[name].get_default()


def test_a_value_given_by_the_caller_wins_over_the_environment(monkeypatch):
    monkeypatch.setenv("OTZYV_BATCH_ROWS", "7")
    assert load(batch_rows=9).batch_rows == 9


def test_settings_cannot_be_changed_afterwards():
    with pytest.raises(ValueError, match="frozen"):
        load().batch_rows = 3


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ('{"worker": "secret1"}', "OTZYV_DATABASE_LOGINS (worker): expected a password of 8 or more characters"),
        ('{"worker": 1234567890}', "OTZYV_DATABASE_LOGINS (worker): Input should be a valid string"),
        ('{"wrker": "secret123"}', "OTZYV_DATABASE_LOGINS (wrker): Input should be 'migrator', 'worker', 'trainer'"),
        ('{"worker": "secret123', 'OTZYV_DATABASE_LOGINS: expected a JSON object such as {"worker": "a-long'),
    ],
)  # fmt: skip
def test_a_password_is_in_no_message_about_it(monkeypatch, value, found):
    monkeypatch.setenv("OTZYV_DATABASE_LOGINS", value)
    with pytest.raises(SettingsError) as refused:
        load()
    assert str(refused.value).startswith(found)
    assert "secret1" not in str(refused.value)
    assert "1234567890" not in str(refused.value)


def test_a_password_is_not_printed_with_the_settings(monkeypatch):
    monkeypatch.setenv("OTZYV_DATABASE_LOGINS", '{"worker": "secret123", "reader": ""}')
    assert "secret123" not in repr(load())
    assert load().database_logins["worker"].get_secret_value() == "secret123"
