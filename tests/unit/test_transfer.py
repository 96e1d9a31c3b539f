import os

from agent.transfer import Transfer


def test_what_a_forked_process_has_downloaded_is_seen_by_the_one_that_forked_it() -> None:
    transfer = Transfer()
    assert (transfer.got, transfer.of) == (0, None)
    child = os.fork()
    if not child:
        transfer.begin(100)
        transfer.more(30)
        transfer.more(12)
        os._exit(0)
    os.waitpid(child, 0)
    assert (transfer.got, transfer.of) == (42, 100)


def test_another_archive_begins_from_nothing() -> None:
    transfer = Transfer()
    transfer.begin(100)
    transfer.more(100)
    transfer.begin(None)
    assert (transfer.got, transfer.of) == (0, None)
