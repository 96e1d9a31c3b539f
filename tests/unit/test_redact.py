import base64
import json
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.redact import Redactor

TOKEN = "~~~???+x/t%k€n"


def knows(*secrets: str | None) -> Redactor:
    redactor = Redactor()
    redactor.add(*secrets)
    return redactor


@pytest.mark.parametrize(
    "form",
    [
        TOKEN,
        quote(TOKEN, safe=""),
        base64.b64encode(TOKEN.encode()).decode(),
        base64.urlsafe_b64encode(TOKEN.encode()).decode(),
    ],
)
def test_a_secret_is_masked_in_every_form_it_travels_in(form: str) -> None:
    masked = knows(TOKEN).mask(f"before {form} after")
    assert masked.rstrip("=").replace("=", "") == "before *** after"


def test_a_secret_inside_a_json_string_is_masked() -> None:
    secret = 'quo"ted\\tök€n'
    line = json.dumps({"a": secret}) + json.dumps(secret, ensure_ascii=False)
    assert knows(secret).mask(line) == '{"a": "***"}"***"'


def test_short_secrets_and_none_are_ignored() -> None:
    assert knows(None, "", "abcde").mask("abcde") == "abcde"


def test_a_secret_that_holds_another_is_masked_whole() -> None:
    assert knows("secret", "mysecretlonger").mask("is mysecretlonger.") == "is ***."


def test_overlapping_secrets_leave_nothing_of_either() -> None:
    assert knows("abcdefgh", "efghijkl").mask("-abcdefghijkl-") == "-***-"


def test_each_line_of_a_secret_of_several_lines_is_masked() -> None:
    redactor = knows("-----BEGIN-----\nline-one\nline-two\n")
    assert redactor.mask("x line-two y") == "x *** y"


def test_bytes_are_masked_as_text_is() -> None:
    assert knows("geheimnis-ä").mask_bytes("x geheimnis-ä\xff".encode()) == "x ***\xff".encode()


def test_secrets_may_be_added_while_others_mask() -> None:
    redactor = Redactor()
    secrets = [f"secret-{number:04d}-end" for number in range(200)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(redactor.add, secrets))
    assert redactor.mask(" ".join(secrets)) == " ".join(["***"] * 200)


@given(
    st.lists(st.text(alphabet="abAB 1/+", min_size=6, max_size=12), min_size=1, max_size=4),
    st.lists(st.text(alphabet="abAB 1/+", max_size=20), max_size=4),
    st.data(),
)
def test_no_known_secret_is_ever_left_in_a_line(
    secrets: list[str], words: list[str], data: st.DataObject
) -> None:
    line = "".join(data.draw(st.permutations([*secrets, *words])))
    redactor = knows(*secrets)
    for masked in (redactor.mask(line), redactor.mask_bytes(line.encode()).decode()):
        assert not any(secret in masked for secret in secrets)
