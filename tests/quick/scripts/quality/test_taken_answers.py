"""What is told of answers before they are taken in."""

from __future__ import annotations

from scripts.files.answer_file import read_answers
from scripts.quality.taken_answers import tell_unnamed
from shared.taxonomy import default_taxonomy


def test_answers_of_nobody_are_told_since_they_count_as_of_one_more_person(tmp_path, capsys):
    path = tmp_path / "a.csv"
    path.write_text("id;category;annotator\n1;обувь;Анна\n2;обувь;\n", encoding="utf-8")
    tell_unnamed(read_answers(path, default_taxonomy(), ""))
    assert "1 answer names nobody who gave it" in capsys.readouterr().err
    tell_unnamed(read_answers(path, default_taxonomy(), "Борис"))
    assert "nobody" not in capsys.readouterr().err
