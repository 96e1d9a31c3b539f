import base64
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import ConfigError, RunnerDirError
from agent.runner.files import (
    JIT_LIMIT_BYTES,
    credentials_left,
    decode_jit,
    registered,
    write_env,
    write_jit_files,
)

from .conftest import Stage

FILES = {
    ".runner": b'{"AgentId":"11","Ephemeral":"True"}',
    ".credentials": b'{"scheme":"OAuth"}',
    ".credentials_rsaparams": b'{"d":"c2VjcmV0"}',
}


def encoded(files: dict[str, bytes]) -> str:
    inner = {name: base64.b64encode(content).decode() for name, content in files.items()}
    return base64.b64encode(json.dumps(inner).encode()).decode()


def test_a_jit_config_becomes_the_runners_own_files(stage: Stage) -> None:
    write_jit_files(stage.dir, encoded(FILES) + "\n", stage.user)
    assert {path.name: path.read_bytes() for path in stage.dir.iterdir()} == FILES
    assert {path.stat().st_mode & 0o777 for path in stage.dir.iterdir()} == {0o600}
    assert registered(stage.dir)


def test_a_link_in_the_place_of_a_jit_file_is_replaced_not_followed(stage: Stage) -> None:
    victim = stage.dir.parent / "victim"
    victim.write_text("precious")
    (stage.dir / ".runner").symlink_to(victim)
    (stage.dir / ".credentials.new").symlink_to(victim)
    write_jit_files(stage.dir, encoded(FILES), stage.user)
    assert victim.read_text() == "precious"
    assert not (stage.dir / ".runner").is_symlink()


def test_a_runner_directory_that_is_not_there_is_named(stage: Stage) -> None:
    with pytest.raises(RunnerDirError, match=r"\.runner cannot be written: No such file"):
        write_jit_files(stage.dir / "nowhere", encoded(FILES), stage.user)


SECRET = "c2VjcmV0"


@pytest.mark.parametrize(
    ("jit", "why"),
    [
        ("!" + SECRET, "it is not base64"),
        ("ключ", "it is not base64"),
        (base64.b64encode(SECRET.encode()).decode(), "it holds no JSON object"),
        (base64.b64encode(b'["' + SECRET.encode() + b'"]').decode(), "it holds no JSON object"),
        (base64.b64encode(b"[" * 100_000).decode(), "it holds no JSON object"),
        (encoded({**FILES, "../.bashrc": b"{}"}), "a file with a path in it: '../.bashrc'"),
        (encoded({**FILES, "/etc/passwd": b"{}"}), "a file with a path in it"),
        (encoded({**FILES, "run.sh": b"{}"}), "an unknown file: 'run.sh'"),
        (encoded({".runner": FILES[".runner"]}), "it lacks .credentials"),
        (encoded({}), "it lacks .runner and .credentials"),
        (encoded({**FILES, ".runner": SECRET.encode()}), ".runner holds no JSON object"),
        (base64.b64encode(b'{".runner": 1, ".credentials": "e30="}').decode(), ".runner is not base64"),
        ("A" * (JIT_LIMIT_BYTES * 2), "larger than 1 MiB"),
    ],
)  # fmt: skip
def test_an_unusable_jit_config_is_refused_in_one_line_without_its_content(
    jit: str, why: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        decode_jit(jit)
    assert why in caught.value.what
    assert SECRET not in str(caught.value)
    assert len(str(caught.value)) < 300


@given(st.text() | st.binary().map(lambda b: base64.b64encode(b).decode()))
def test_no_jit_config_is_too_odd(jit: str) -> None:
    with pytest.raises(ConfigError):
        decode_jit(jit)


@given(
    st.dictionaries(
        st.text() | st.sampled_from([".runner", ".credentials"]), st.integers() | st.text()
    )
)
def test_no_names_or_contents_are_too_odd(files: dict[str, int | str]) -> None:
    jit = base64.b64encode(json.dumps(files).encode()).decode()
    with pytest.raises(ConfigError):
        decode_jit(jit)


def test_env_keeps_what_config_sh_left_and_may_be_written_twice(stage: Stage) -> None:
    path = stage.dir / ".env"
    path.write_bytes(b"LANG=C.UTF-8\nNAME=old\xff")
    for _ in range(2):
        write_env(stage.dir, {"NAME": "new=er", "OTHER": ""}, stage.user)
    assert path.read_bytes() == b"LANG=C.UTF-8\nNAME=new=er\nOTHER=\n"
    assert path.stat().st_mode & 0o777 == 0o600


def test_env_is_made_where_there_is_none(stage: Stage) -> None:
    write_env(stage.dir, {}, stage.user)
    assert (stage.dir / ".env").read_bytes() == b""


@pytest.mark.parametrize(
    ("name", "value"),
    [("A", "1\nLD_PRELOAD=x"), ("A", "1\r"), ("A", "\0"), ("A=B", "1"), ("", "1")],
)
def test_a_value_cannot_bring_a_second_variable_into_env(
    stage: Stage, name: str, value: str
) -> None:
    with pytest.raises(ConfigError, match="must be one line"):
        write_env(stage.dir, {name: value}, stage.user)
    assert not (stage.dir / ".env").exists()


def test_env_is_not_read_through_a_link(stage: Stage) -> None:
    (stage.dir / "other").write_text("SECRET=1\n")
    (stage.dir / ".env").symlink_to("other")
    with pytest.raises(RunnerDirError):
        write_env(stage.dir, {"A": "1"}, stage.user)


def test_a_registration_with_a_byte_order_mark_is_one(stage: Stage) -> None:
    for name in (".runner", ".credentials"):
        (stage.dir / name).write_text('{"agentId": 1}', encoding="utf-8-sig")
    assert registered(stage.dir)


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b"\xff\xfe"])
def test_half_a_registration_is_none(stage: Stage, content: bytes | None) -> None:
    (stage.dir / ".runner").write_bytes(b"{}")
    if content is not None:
        (stage.dir / ".credentials").write_bytes(content)
    assert not registered(stage.dir)


def test_credentials_that_are_left_are_listed(stage: Stage) -> None:
    assert credentials_left(stage.dir) == []
    (stage.dir / ".credentials").touch()
    (stage.dir / ".runner_migrated").symlink_to("nowhere")
    assert [path.name for path in credentials_left(stage.dir)] == [
        ".credentials",
        ".runner_migrated",
    ]


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_the_files_are_the_runner_users(stage: Stage, tmp_path: Path) -> None:
    from agent.runner.user import runner_user

    nobody = runner_user("nobody")
    write_jit_files(stage.dir, encoded(FILES), nobody)
    write_env(stage.dir, {"A": "1"}, nobody)
    assert {path.stat().st_uid for path in stage.dir.iterdir()} == {nobody.uid}
