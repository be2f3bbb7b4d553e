"""Cases that tests elsewhere are: `python -m tests.faults.elsewhere` prints them for pytest's command line."""

from __future__ import annotations

import msgspec


class Case(msgspec.Struct, frozen=True):
    """A case by its number, what happens in a test of it, and what is expected."""

    case: int
    what: str
    expected: str


_TRAINING = "tests/services/workers/training/test_training_worker.py"
_CELLS = "tests/store/scripts/files/test_formula_cells.py"

ELSEWHERE = {
    f"{_TRAINING}::test_a_run_whose_worker_is_killed_goes_on_from_its_checkpoint_on_another": Case(
        18,
        "A training worker is killed in the middle of an epoch.",
        "another one goes on from the checkpoint",
    ),
    f"{_TRAINING}::test_a_worker_that_is_killed_while_it_saves_leaves_the_champion_serving_and_the_run_goes_on": Case(
        18, "A training worker is killed while it saves.", "the champion serves on, the run goes on"
    ),
    f"{_CELLS}::test_no_cell_of_the_labels_is_a_formula": Case(
        22, "Reviews begin with = + - @ and are written to a CSV file.", "no cell of it is a formula"
    ),
}
"""Tests by name."""

if __name__ == "__main__":
    print("\n".join(ELSEWHERE))
