"""v1 subjects: what is known of the names under which usage arrives."""

import asyncio
from typing import Any

import pytest

from tests.api_house import ApiHouse
from tests.api_house import api as api
from tests.api_house import api_on_each_database as api_on_each_database
from tests.api_house import api_sandbox as api_sandbox

PATH = "/api/v1/subjects"


async def told(api: ApiHouse, **subject: Any) -> dict[str, Any]:
    """One subject, upserted."""
    (one,) = await api.ok("POST", PATH, [subject])
    return one


async def test_a_subject_keeps_what_an_upsert_does_not_name_and_drops_what_is_null(
    api_on_each_database: ApiHouse,
) -> None:
    api = api_on_each_database
    period = {"currentPeriodStart": "2026-01-01T00:00:00Z", "currentPeriodEnd": "2026-02-01T00:00:00Z"}
    metadata = {"plan": "pro", "seats": 5, "nested": {"a": [1.5, None, True]}}
    made = await told(api, key="acme", displayName="ACME", metadata=metadata, stripeCustomerId="cus_1", **period)
    assert made["metadata"] == metadata
    changed = await told(api, key="acme", displayName="ACME, Inc.")
    assert changed == made | {"displayName": "ACME, Inc.", "updatedAt": changed["updatedAt"]}
    bare = await told(api, key="acme", displayName=None, metadata=None, stripeCustomerId=None)
    assert (bare["id"], bare["currentPeriodEnd"]) == (made["id"], "2026-02-01T00:00:00Z")
    assert not {"displayName", "metadata", "stripeCustomerId"} & set(bare)


async def test_subjects_are_found_by_id_and_key_and_listed_by_key(api: ApiHouse) -> None:
    globex, acme = await api.ok("POST", PATH, [{"key": "globex"}, {"key": "a/c me"}])
    assert [one["key"] for one in await api.ok("GET", PATH)] == ["a/c me", "globex"]
    assert await api.ok("GET", f"{PATH}/a%2Fc%20me") == acme
    assert await api.ok("GET", f"{PATH}/{globex['id'].lower()}") == globex
    # The key of one that looks like the id of the other.
    await told(api, key=globex["id"])
    assert await api.ok("GET", f"{PATH}/{globex['id']}") == globex


async def test_a_forgotten_subject_leaves_its_usage_with_the_customer(api: ApiHouse) -> None:
    customer = await api.customer(key="acme", usageAttribution={"subjectKeys": ["acme-api"]})
    await told(api, key="acme-api", displayName="The API of ACME")
    await api.ok("DELETE", f"{PATH}/acme-api")
    await api.refused(404, "GET", f"{PATH}/acme-api")
    await api.refused(404, "DELETE", f"{PATH}/acme-api")
    seen = await api.ok("GET", f"/api/v1/customers/{customer['id']}")
    assert seen["usageAttribution"]["subjectKeys"] == ["acme-api"]


async def test_subjects_are_taken_all_or_none(api: ApiHouse) -> None:
    backwards = {"currentPeriodStart": "2026-02-01T00:00:00Z", "currentPeriodEnd": "2026-01-01T00:00:00Z"}
    problem = await api.refused(400, "POST", PATH, [{"key": "a"}, {"key": "b"} | backwards])
    assert problem["extensions"]["validationErrors"][0]["field"] == "currentPeriodEnd"
    for wrong in (
        [{"key": "x" * 257}],
        [{"key": "a", "metadata": {"much": "x" * 20_000}}],
        [{"key": f"key-{number}"} for number in range(1001)],
    ):
        await api.refused(400, "POST", PATH, wrong)
    assert await api.ok("GET", PATH) == []


@pytest.mark.parametrize("number", ["1e400", "-9E+999", "9" * 309 + ".5"])
async def test_a_number_that_would_be_read_as_infinite_is_refused(api_on_each_database: ApiHouse, number: str) -> None:
    body = f'[{{"key": "a", "metadata": {{"much": [{number}]}}}}]'.encode()
    headers = {"content-type": "application/json"}
    await api_on_each_database.refused(400, "POST", PATH, content=body, headers=headers)


async def test_two_who_make_the_same_subject_at_once_make_one(api_on_each_database: ApiHouse) -> None:
    api = api_on_each_database
    made = await asyncio.gather(*(told(api, key="acme", displayName=f"Number {n}") for n in range(5)))
    assert len({one["id"] for one in made}) == 1
