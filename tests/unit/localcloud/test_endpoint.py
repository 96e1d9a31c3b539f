import socket
from urllib.parse import urlsplit

from agent.localcloud.endpoint import reachable


def test_a_name_becomes_an_address_so_that_buckets_are_asked_for_by_path() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert reachable(f"http://localhost:{port}/") == f"http://127.0.0.1:{port}"


def test_a_name_that_a_certificate_may_be_for_is_kept() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://localhost:{listener.getsockname()[1]}"
        assert reachable(f"{url}/") == url
        assert urlsplit(reachable(url)).hostname == "localhost"
