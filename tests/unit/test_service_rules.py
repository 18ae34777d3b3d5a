"""Rules of the service that need no service: who is let in, how much at a time, which limits hold, what clients are told."""

import base64
import contextlib
from typing import Any

import pytest

from reexec.engine.errors import DeadlineExceededError, EngineError, UsageError
from reexec.engine.own_terms import CallLimits
from reexec.policies.model import Limits
from reexec.runners.rows.text import BadRowError
from reexec.runners.service.app import timeout_of
from reexec.runners.service.callers import client_of
from reexec.runners.service.desk import Client, Desk
from reexec.runners.service.faults import Refused, refusal_of
from reexec.runners.service.settings import ServiceSettings, is_loopback

FIRST, SECOND = "first-token-0123456789", "second-token-0123456789"
GUARDED = ServiceSettings(tokens=(FIRST, SECOND))
SMALL = ServiceSettings(batch_calls=4, client_calls=6, calls=9, held_bytes=1000)


def basic(text: str) -> bytes:
    return b"Basic " + base64.b64encode(text.encode())


# -- who ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("authorization", "token"),
    [
        (f"Bearer {FIRST}".encode(), 0),
        (f"Bearer {SECOND}".encode(), 1),
        (f"bearer  {SECOND} ".encode(), 1),
        (basic(f"any:{SECOND}"), 1),
        (basic(f":{FIRST}"), 0),
    ],
)
def test_a_token_says_who_asks(authorization: bytes, token: int) -> None:
    found = client_of({b"authorization": authorization, b"x-client-id": b"a"}, GUARDED)
    assert found == Client(token, "a")


@pytest.mark.parametrize(
    "authorization",
    [
        b"", b"Bearer", b"Bearer ", FIRST.encode(), f"Bearer {FIRST[:-1]}".encode(), f"Bearer {FIRST}x".encode(),
        f"Bearer {FIRST},{SECOND}".encode(), basic(f"{FIRST}:any"), basic(FIRST), b"Basic !!", f"Token {FIRST}".encode(),
        f"Bearer {FIRST.upper()}".encode(), "Bearer \u20ac".encode(),
    ],
)  # fmt: skip
def test_anything_but_a_token_is_refused(authorization: bytes) -> None:
    with pytest.raises(Refused) as refused:
        client_of({b"authorization": authorization}, GUARDED)
    assert (refused.value.status, refused.value.word) == (401, "unauthorized")
    assert "www-authenticate" in refused.value.all_headers()


def status_of(headers: dict[bytes, bytes]) -> int:
    try:
        assert client_of(headers, ServiceSettings()) == Client(-1, "")
    except Refused as refused:
        return refused.status
    return 200


@pytest.mark.parametrize(
    ("host", "is_served"),
    [
        (b"127.0.0.1", True), (b"127.3.2.1:80", True), (b"localhost:8317", True), (b"LOCALHOST.", True), (b"[::1]:80", True),
        (b"10.0.0.1", False), (b"192.168.1.1:80", False), (b"0.0.0.0", False), (b"[fe80::1]", False), (b"evil.example", False),
        (b"localhost.evil.example", False), (b"127.0.0.1@evil.example", False), (b"", False), (b"a b", False),
    ],
)  # fmt: skip
def test_without_tokens_only_this_machine_is_served_under_its_own_name(host: bytes, is_served: bool) -> None:
    assert status_of({b"host": host}) == (200 if is_served else 403)
    for origin in (b"http://localhost", b"null", b""):
        assert status_of({b"host": host, b"origin": origin}) == 403


@pytest.mark.parametrize("host", ["10.0.0.1", "192.168.0.1", "169.254.0.1", "::", "0.0.0.0", "fd00::1", "example.org", ""])
def test_an_address_that_others_reach_is_no_loopback(host: str) -> None:
    assert not is_loopback(host)
    with pytest.raises(UsageError, match="REEXEC_TOKEN"):
        ServiceSettings(host=host)
    assert ServiceSettings(host=host, tokens=(FIRST,)).host == host


# -- how much -----------------------------------------------------------------------------------------------------------


def refused_with(desk: Desk, client: Client, calls: int) -> str:
    """The word of the refusal, empty where there is room."""
    try:
        with desk.admitted(client, calls):
            return ""
    except Refused as refused:
        return refused.word


def test_a_request_may_have_its_bound_of_calls_and_not_one_more() -> None:
    desk = Desk(SMALL)
    assert refused_with(desk, Client(0), 4) == ""
    assert refused_with(desk, Client(0), 5) == "too-many-checks"


def test_a_client_may_have_its_bound_under_whatever_names() -> None:
    desk = Desk(SMALL)
    with desk.admitted(Client(0, "a"), 4):
        assert refused_with(desk, Client(0, "b"), 2) == ""
        assert refused_with(desk, Client(0, "b"), 3) == "too-many-requests"
        assert refused_with(desk, Client(1, "b"), 3) == ""
    with desk.admitted(Client(-1, "a"), 4):
        assert refused_with(desk, Client(-1, "a"), 3) == "too-many-requests"
        assert refused_with(desk, Client(-1, "b"), 3) == "", "without tokens a name is all there is"


def test_all_clients_together_may_have_their_bound() -> None:
    desk = Desk(SMALL)
    with desk.admitted(Client(0), 4), desk.admitted(Client(1), 3):
        assert refused_with(desk, Client(2), 2) == ""
        assert refused_with(desk, Client(2), 3) == "queue-full"


def test_room_is_given_back_whatever_ends_a_request() -> None:
    desk = Desk(SMALL)
    for _ in range(20):
        with contextlib.suppress(KeyError), desk.admitted(Client(0), 4):
            raise KeyError
    assert desk.calls == 0
    with desk.admitted(Client(0), 4):
        assert refused_with(desk, Client(0), 2) == ""


def test_bytes_are_counted_before_they_are_held_and_given_back() -> None:
    desk = Desk(SMALL)
    with desk.holding() as held:
        held.add(1000)
        with pytest.raises(Refused) as refused:
            held.add(1)
        assert (refused.value.status, refused.value.word) == (503, "memory-full")
        held.add_anyway(50)  # an answer that is there
        assert desk.held_bytes == 1050
    assert desk.held_bytes == 0


def test_who_is_refused_for_want_of_room_is_told_when_to_come_again() -> None:
    desk = Desk(SMALL)
    for _ in range(2):  # nothing is known yet of how fast calls are done, then something is
        with (
            desk.admitted(Client(0), 4),
            desk.admitted(Client(1), 4),
            pytest.raises(Refused) as refused,
            desk.admitted(Client(2), 4),
        ):
            pass
        after_s = int(refused.value.all_headers()["retry-after"])
        assert 1 <= after_s <= 60


# -- time ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("wanted", "found"), [(None, 600.0), (3, 3.0), (0.5, 0.5), (600, 600.0), (601, 600.0), (1e8, 600.0)])
def test_a_request_may_wait_less_than_the_service_allows_and_no_longer(wanted: Any, found: float) -> None:
    data = {"timeout_s": wanted, "more": 1}
    assert timeout_of(data, ServiceSettings()) == found
    assert data == {"more": 1}


@pytest.mark.parametrize("wanted", [0, -1, True, "3", float("nan"), float("inf"), 1e9, [1]])
def test_what_is_no_time_is_refused_with_its_place(wanted: Any) -> None:
    with pytest.raises(UsageError, match=r"\$\.timeout_s"):
        timeout_of({"timeout_s": wanted}, ServiceSettings())


def test_a_request_names_lower_limits_and_never_higher_ones() -> None:
    policy = Limits(cpu_s=10, idle_s=5, memory_bytes=100 << 20)
    usual = (10_000_000, 5_000_000, 100 << 20)
    assert CallLimits().under(policy) == usual
    assert CallLimits(cpu_s=11, idle_s=11, memory_bytes=1 << 40).under(policy) == usual
    assert CallLimits(cpu_s=0.5, idle_s=0.25, memory_bytes=50 << 20).under(policy) == (500_000, 250_000, 50 << 20)
    assert CallLimits(cpu_s=0.5).under(policy) == (500_000, *usual[1:])
    assert CallLimits(cpu_s=1e-9, idle_s=1e-9, memory_bytes=1).under(policy) == (1, 1, 1)
    assert CallLimits(cpu_s=11).changes_nothing(policy)
    assert not CallLimits(idle_s=1).changes_nothing(policy)


# -- what is said -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "status", "word", "said"),
    [
        (UsageError("no such thing, at $.call"), 400, "bad-request", "no such thing, at $.call"),
        (BadRowError("not JSON, at $"), 400, "bad-request", "not JSON, at $"),
        (DeadlineExceededError("over"), 504, "deadline-exceeded", "no answer within timeout_s"),
        (EngineError("no worker", stage="run", retry_helps=True), 503, "engine-error", "no worker"),
        (KeyError("a secret of the host"), 500, "internal-error", "an error in reexec itself"),
    ],
)
def test_every_error_has_a_status_and_a_word_and_ours_say_nothing_of_themselves(
    error: Exception, status: int, word: str, said: str
) -> None:
    refusal = refusal_of(error)
    assert (refusal.status, refusal.word) == (status, word)
    assert said in refusal.message
    assert "secret" not in refusal.message
    assert ("retry-after" in refusal.all_headers()) is (status == 503), "only where it helps to come again"
