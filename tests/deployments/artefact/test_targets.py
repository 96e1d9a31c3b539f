from packaging.tags import Tag

from deployments.artefact.targets import MACHINES, PYTHONS, Target, targets


def tags(text: str) -> set[Tag]:
    return {Tag(*text.split("-"))}


def test_there_is_a_target_for_every_python_on_both_architectures() -> None:
    made = {arch: [(t.machine, t.minor) for t in targets(arch)] for arch in MACHINES}
    minors = ("3.11", "3.12", "3.13", "3.14")
    assert made == {
        "x64": [("x86_64", minor) for minor in minors],
        "arm64": [("aarch64", minor) for minor in minors],
    }


def test_a_target_takes_its_own_abi_the_stable_one_and_pure_python() -> None:
    fits = set(Target("aarch64", "3.12.0").tags)
    assert tags("cp312-cp312-manylinux_2_28_aarch64") <= fits
    assert tags("cp39-abi3-manylinux2014_aarch64") <= fits
    assert tags("py3-none-any") <= fits


def test_a_target_takes_nothing_that_may_not_start_on_it() -> None:
    fits = set(Target("x86_64", "3.11.0").tags)
    for wrong in (
        "cp312-cp312-manylinux_2_28_x86_64",
        "cp311-cp311-manylinux_2_34_x86_64",
        "cp311-cp311-musllinux_1_2_x86_64",
        "cp311-cp311-manylinux_2_17_aarch64",
        "cp311-cp311-linux_x86_64",
    ):
        assert not tags(wrong) & fits, wrong


def test_the_first_patch_of_each_python_is_what_markers_are_read_for() -> None:
    markers = [Target("x86_64", python).markers for python in PYTHONS]
    assert [m["python_full_version"] for m in markers] == ["3.11.0", "3.12.0", "3.13.0", "3.14.0"]
