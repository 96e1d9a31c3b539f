"""The mutants fit the code as it is; `make security-mutants` kills them."""

import re

import pytest

from tests.security.mutants.mutant import ROOT, Mutant, mutants

PAGE = (ROOT / "docs/security.md").read_text()
EVERY = mutants()


@pytest.mark.parametrize("mutant", EVERY, ids=lambda mutant: f"row{mutant.row}: {mutant.name}")
def test_what_a_mutant_takes_out_is_there_once_and_its_tests_exist(mutant: Mutant) -> None:
    assert mutant.occurrences() == 1
    assert mutant.new != mutant.old
    assert mutant.tests
    for test in mutant.tests:
        path, _, name = test.partition("::")
        assert f"def {name.partition('[')[0]}(" in (ROOT / path).read_text(), test


def test_no_two_mutants_have_one_name() -> None:
    names = [mutant.name for mutant in EVERY]
    assert len(set(names)) == len(names)


def test_every_row_of_the_threat_model_names_tests_that_exist_and_has_mutants() -> None:
    rows = dict(re.findall(r"^\| (\d) \| .*`(tests/security/\w+\.py)` \|$", PAGE, re.MULTILINE))
    assert list(rows) == [str(number) for number in range(1, 10)]
    built = {number for number, path in rows.items() if (ROOT / path).is_file()}
    assert {str(mutant.row) for mutant in EVERY} >= built
