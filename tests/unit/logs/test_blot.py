"""A secret that a runner printed stays neither in CloudWatch nor on the disk."""

import pytest

from tests.fakes_shipper import RUNNER, Bench, say, soon

SECRET = "AAAA-geheim-€-BBBB"


@pytest.mark.parametrize("own", [True, False])
def test_a_secret_is_taken_out_of_the_agents_own_file_and_of_no_other(
    own: bool,  # noqa: FBT001 - a parameter of the test
    bench: Bench,
) -> None:
    bench.redactor.add(SECRET)
    said = f"before\nä {SECRET} and {SECRET}\nafter\n"
    say(bench.file, said)
    shipper = bench.shipper()
    shipper.follow(bench.file, RUNNER, own=own)
    assert shipper.flush(soon(), final=True).complete
    say(bench.file, "later\n")
    assert shipper.flush(soon(), final=True).complete
    assert bench.client.streams[RUNNER] == ["before", "ä *** and ***", "after", "later"]
    stars = "*" * len(SECRET.encode())
    on_disk = said.replace(SECRET, stars) if own else said
    assert bench.file.read_text() == on_disk + "later\n"


def test_invalid_utf8_beside_a_secret_stays_as_it_is(bench: Bench) -> None:
    bench.redactor.add(SECRET)
    bench.file.write_bytes(b"first \xff\xfe line\n\xff " + SECRET.encode() + b" \xc3\n")
    shipper = bench.shipper()
    shipper.follow(bench.file, RUNNER, own=True)
    assert shipper.flush(soon(), final=True).complete
    stars = b"*" * len(SECRET.encode())
    assert bench.file.read_bytes() == b"first \xff\xfe line\n\xff " + stars + b" \xc3\n"
