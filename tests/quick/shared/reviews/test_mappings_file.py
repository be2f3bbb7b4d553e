"""Mappings as people write them: what is taken, and the sentence about what is not."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from shared.errors import SettingsError
from shared.reviews import mappings_file
from shared.reviews.field_mapping import FieldMapping

ROOT = Path(__file__).resolve().parents[4]
GOOD = {
    "id": "externalId",
    "text": ["text", "pros", "cons"],
    "created_at": "createdDate",
    "source": {"const": "shop"},
    "meta": ["rating"],
}


def refusal(mapping: object) -> str:
    with pytest.raises(SettingsError) as refused:
        mappings_file.load(json.dumps({"shop.reviews": mapping}))
    return str(refused.value)


def test_a_mapping_says_of_itself_which_field_is_where():
    (mapping,) = mappings_file.load(json.dumps({"shop.reviews": {**GOOD, "zone": "Europe/Moscow"}})).values()
    assert mapping.name == "shop.reviews"
    assert str(mapping) == (
        "id: externalId; text: text + pros + cons; source: 'shop'; created_at: createdDate (Europe/Moscow); "
        "meta: rating; other fields are ignored"
    )


def test_a_mapping_may_lead_into_objects_and_out_of_the_array_of_reviews():
    given = {
        "id": "review.id", "text": "review.body", "source": {"message": "shop.name"}, "reviews": "data.items",
        "meta": {"stars": "review.rating"}, "unmapped": "meta",
    }  # fmt: skip
    (mapping,) = mappings_file.load(json.dumps({"a": given})).values()
    assert str(mapping) == (
        "id: review.id; text: review.body; source: shop.name of the message; meta: stars from review.rating; "
        "reviews: data.items; other fields are kept in meta"
    )


def test_nothing_given_is_no_mapping():
    assert mappings_file.load("") == {}


def test_a_file_is_read_with_its_byte_order_mark(tmp_path):
    path = tmp_path / "mappings.json"
    path.write_text(json.dumps({"shop.reviews": GOOD}), encoding="utf-8-sig")
    assert list(mappings_file.load(str(path))) == ["shop.reviews"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"external_id": "id"}, "expected the fields id, text, source, created_at, zone, meta, unmapped, reviews; "
         "found 'external_id'"),
        ({"id": 7}, 'id: expected a path such as "author.id", or {"message": PATH} for a field of the message around '
         "the reviews; found 7"),
        ({"id": ""}, 'id: expected a path such as "author.id", found ""'),
        ({"id": "a..b"}, 'id: expected a path such as "author.id", found "a..b"'),
        ({"id": {"const": "1"}}, 'found {"const":"1"}'),
        ({"id": "externalId "}, 'id: expected a path without spaces around it, found "externalId "'),
        ({"text": []}, "text: expected one or more different paths, found []"),
        ({"text": ["text", "text"]}, 'text: expected one or more different paths, found ["text","text"]'),
        ({"source": {"const": 5}}, 'or {"const": "shop"} for all; found {"const":5}'),
        ({"source": {"const": " "}}, "source: expected at least one visible character, found white space"),
        ({"zone": "Moscow"}, 'zone: expected a zone such as "Europe/Moscow", or an offset such as "+03:00"; found '
         '"Moscow"'),
        ({"zone": "../../etc/passwd"}, "zone: expected a zone"),
        ({"zone": 3}, "found 3"),
        ({"meta": "rating"}, 'meta: expected paths in a list, or an object of names with their paths; found "rating"'),
        ({"meta": {"stars": 5}}, "meta, stars: expected a path"),
        ({"unmapped": "keep"}, 'unmapped: expected "ignore" or "meta", found "keep"'),
        ({"created_at": None}, "created_at: expected a path"),
        ({"reviews": ["items"]}, "reviews: expected a path"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_refused_by_its_queue_and_its_name(change, sentence):
    told = refusal({**GOOD, **change})
    assert told.startswith("OTZYV_MAPPINGS, shop.reviews: ")
    assert sentence in told
    assert told.endswith("; see docs/producers.md")


def test_a_mapping_without_what_every_review_has_is_refused():
    told = refusal({"id": "id"})
    assert (
        "expected id, text and source, found no text and no source; where all reviews have the same" in told
    )
    assert '{"const": "shop"} is one' in told


def test_a_zone_without_a_time_is_refused():
    told = refusal({"id": "id", "text": "text", "source": "shop", "zone": "+03:00"})
    assert "zone: expected created_at beside it, found none" in told


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("{", "found: Expecting property name"),
        ("{}", "found no mapping"),
        (json.dumps(GOOD), "found one mapping without the name of its queue or stream"),
        ('{"a": {"id": "id", "id": "externalId", "text": "t"}}', "found: the name 'id' twice in one object"),
        ('{"a": {}, "a": {}}', "found: the name 'a' twice in one object"),
        ('{"a": ' + "[" * 200 + "]" * 200 + "}", "found: too many objects in each other"),
        (json.dumps({"shop ": GOOD}), "expected the name of a queue or stream without spaces around it"),
        (json.dumps({"": GOOD}), "OTZYV_MAPPINGS, '': expected the name of a queue or stream"),
        ('{"a": "id"}', 'expected an object with id, text and source, found "id"'),
    ],
)  # fmt: skip
def test_what_is_no_object_of_mappings_is_refused_with_an_example(given, sentence):
    with pytest.raises(SettingsError) as refused:
        mappings_file.load(given)
    assert sentence in str(refused.value)


def test_a_file_that_cannot_be_read_is_named_with_its_whole_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        SettingsError, match=f"OTZYV_MAPPINGS: {tmp_path}/none.json: expected a file in UTF-8"
    ):
        mappings_file.load("none.json")
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(SettingsError, match="found no object"):
        mappings_file.load("list.json")


def test_every_mapping_of_the_documentation_and_of_the_examples_is_one():
    page = (ROOT / "docs" / "producers.md").read_text(encoding="utf-8")
    blocks = [block for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL) if '"id": "' in block]
    written = [json.loads(block) for block in blocks]
    given = [block for block in written if {"shop.reviews", "reviews.incoming"} & block.keys()]
    assert len(given) == 4
    for mappings in (*given, json.loads((ROOT / "examples" / "mappings.json").read_text(encoding="utf-8"))):
        assert mappings_file.load(json.dumps(mappings)).keys() == mappings.keys()


def test_the_documentation_names_every_field_of_a_mapping():
    page = (ROOT / "docs" / "producers.md").read_text(encoding="utf-8")
    for field in FieldMapping.__struct_fields__[1:]:
        assert f"| `{field}` |" in page
