from datetime import UTC, datetime, timedelta

import pytest

from dashboard.access import passwords
from dashboard.access.inputs import CreateApiKey
from dashboard.access.slow_down import WAIT_LONGEST, network_of, wait_after
from dashboard.access.views import ApiKey, Role, SignedInUser, actor_of
from dashboard.kit.database import Actor
from dashboard.kit.errors import InvalidInput
from dashboard.kit.inputs import parse_input

IN_EARNEST = passwords._hasher
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


def test_each_role_reaches_itself_and_the_ones_before_it():
    order = [Role.VIEWER, Role.OPERATOR, Role.ADMIN, Role.OWNER]
    for rank, role in enumerate(order):
        assert [role.reaches(other) for other in order] == [n <= rank for n in range(4)]


def test_a_password_hash_costs_what_rfc_9106_recommends_for_a_server():
    assert (IN_EARNEST.type.name, IN_EARNEST.memory_cost, IN_EARNEST.time_cost) == ("ID", 64 * 1024, 3)


async def test_a_hash_matches_its_password_only_and_never_shows_it():
    stored = await passwords.hash_password("a long password")
    assert "password" not in stored
    assert await passwords.matches(stored, "a long password")
    assert not await passwords.matches(stored, "a long passwore")
    assert not await passwords.matches(None, "a long password")
    assert not await passwords.matches("not a hash", "a long password")


@pytest.mark.parametrize(
    ("failures", "seconds"), [(0, 0), (4, 0), (5, 5), (6, 10), (7, 20), (10, 160), (11, 300), (10_000, 300)]
)
def test_the_wait_doubles_from_the_fifth_failure_and_never_passes_five_minutes(failures, seconds):
    assert wait_after(failures, 5) == timedelta(seconds=seconds)
    assert wait_after(failures, 5) <= WAIT_LONGEST


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("a unix socket", "a unix socket"),
    ],
)
def test_an_address_stands_for_everything_its_holder_can_use(address, network):
    assert network_of(address) == network


def test_a_person_acts_under_their_email_and_a_key_under_its_name():
    assert actor_of(SignedInUser("1", "ada@example.com", "Ada", Role.OWNER)) == Actor("person", "1", "ada@example.com")
    key = ApiKey("2", "ci", Role.ADMIN, "mdk_…", NOON, "ada@example.com", None, None)
    assert actor_of(key) == Actor("api_key", "2", "ci")


def test_no_key_is_an_owner():
    with pytest.raises(InvalidInput) as refusal:
        parse_input(CreateApiKey, {"name": "ci", "role": "owner"})
    assert list(refusal.value.fields) == ["role"]
