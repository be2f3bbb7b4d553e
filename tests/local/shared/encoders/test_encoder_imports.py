"""What encoders import, and what is told where it isn't there: seen in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.processes import printed


def test_nothing_of_torch_or_natasha_is_imported_for_word_vectors() -> None:
    code = (
        "import sys; from shared.encoders import sentence; from shared.stages.similarity import SimilarityStage;"
        "from shared.encoders.navec import NavecEncoder; NavecEncoder().embed(['платье'], 'query');"
        "print(sorted({'torch', 'sentence_transformers', 'natasha', 'pymorphy2'} & sys.modules.keys()))"
    )
    assert printed(code) == "[]"


def test_without_sentence_transformers_it_is_told_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "sentence_transformers.py").write_text("raise ImportError('No module named torch')")
    root = Path(__file__).resolve().parents[4]
    code = (
        f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(root)!r}];"
        "from shared.encoders.sentence import SentenceEncoder; SentenceEncoder()"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stderr.splitlines()[-1] == (
        "shared.errors.ConfigurationError: expected the package sentence-transformers for the encoder "
        "'deepvk/USER2-small', found: No module named torch. Install it (pip install 'otzyv[gpu]'), "
        "or use the encoder 'navec'."
    )
