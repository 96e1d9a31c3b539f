from agent.outcome import EXPLAINED, Reason, Status


def test_every_reason_is_explained_to_the_person_on_call() -> None:
    assert set(EXPLAINED) == set(Reason)
    assert all(each.meaning.endswith(".") and each.what_to_do for each in EXPLAINED.values())


def test_a_final_status_is_never_started() -> None:
    assert Status.STARTED not in {each.status for each in EXPLAINED.values()}


def test_only_wrong_settings_exit_with_2() -> None:
    assert [r for r, each in EXPLAINED.items() if each.exit_status == 2] == [
        Reason.SETTINGS_INVALID
    ]
