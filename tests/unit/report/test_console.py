from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.report.console import stream_url


def test_a_link_is_what_the_console_itself_writes() -> None:
    assert stream_url("eu-central-1", "/runs-fleet/agent", "4711/i-1/agent") == (
        "https://eu-central-1.console.aws.amazon.com/cloudwatch/home?region=eu-central-1"
        "#logsV2:log-groups/log-group/$252Fruns-fleet$252Fagent/log-events/4711$252Fi-1$252Fagent"
    )


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("us-east-1", "us-east-1.console.aws.amazon.com"),
        ("cn-north-1", "cn-north-1.console.amazonaws.cn"),
        ("us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com"),
    ],
)
def test_each_partition_has_a_console_of_its_own(region: str, host: str) -> None:
    url = stream_url(region, "g", "s")
    assert url.startswith(f"https://{host}/cloudwatch/home?region={region}#")


@given(st.text(min_size=1), st.text(min_size=1))
def test_any_name_comes_back_out_of_its_link(group: str, stream: str) -> None:
    url = stream_url("eu-central-1", group, stream)
    assert url.isascii()
    assert not set(url) & set(" <>\"'()[]\\`") - set("'()")
    rest = url.partition("#logsV2:log-groups/log-group/")[2]
    named = [unquote(unquote(part.replace("$", "%"))) for part in rest.split("/log-events/")]
    readable = [text.encode(errors="surrogatepass").decode(errors="replace") for text in (group, stream)]  # fmt: skip
    assert named == readable
