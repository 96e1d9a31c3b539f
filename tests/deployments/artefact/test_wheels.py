from pathlib import Path
from typing import Any

import pytest
from packaging.pylock import Pylock

from deployments.artefact.targets import Target
from deployments.artefact.wheels import BuildError, locked_digests, selected

OLD, NEW = Target("x86_64", "3.11.0"), Target("x86_64", "3.13.0")


def lock_of(*packages: dict[str, Any]) -> Pylock:
    return Pylock.from_dict(
        {"lock-version": "1.0", "created-by": "a test", "packages": list(packages)}
    )


def package(name: str, *files: str, **more: Any) -> dict[str, Any]:
    wheels = [{"name": f, "url": f"https://x/{f}", "hashes": {"sha256": "0" * 64}} for f in files]
    return {"name": name, "version": "1.0", "wheels": wheels, **more}


def test_each_python_gets_its_own_wheel() -> None:
    lock = lock_of(
        package(
            "fast",
            "fast-1.0-cp311-cp311-manylinux_2_17_x86_64.whl",
            "fast-1.0-cp313-cp313-manylinux_2_28_x86_64.whl",
        )
    )
    assert selected(lock, OLD)[0].filename == "fast-1.0-cp311-cp311-manylinux_2_17_x86_64.whl"
    assert selected(lock, NEW)[0].filename == "fast-1.0-cp313-cp313-manylinux_2_28_x86_64.whl"


def test_what_only_an_early_patch_version_needs_is_there() -> None:
    lock = lock_of(
        package(
            "async-timeout",
            "async_timeout-1.0-py3-none-any.whl",
            marker="python_full_version < '3.11.3'",
        )
    )
    assert [wheel.filename for wheel in selected(lock, OLD)] == [
        "async_timeout-1.0-py3-none-any.whl"
    ]
    assert selected(lock, NEW) == []


def test_a_package_that_would_have_to_be_compiled_is_refused() -> None:
    lock = lock_of(
        {
            "name": "slow",
            "version": "1.0",
            "sdist": {
                "name": "slow-1.0.tar.gz",
                "url": "https://x/slow-1.0.tar.gz",
                "hashes": {"sha256": "0" * 64},
            },
        }
    )
    with pytest.raises(BuildError, match=r"slow 1\.0 has no wheel for CPython 3\.11 on x86_64"):
        selected(lock, OLD)


def test_the_digests_of_a_lock_are_all_read(tmp_path: Path) -> None:
    lock = tmp_path / "run.txt"
    one, other = "1" * 64, "2" * 64
    lock.write_text(
        f"a==1 \\\n    --hash=sha256:{one} \\\n    --hash=sha256:{other}\n    # via b\n"
    )
    assert locked_digests(lock) == {one, other}
