"""schemathesis over the service's OpenAPI page: whatever the page allows is answered as the page says, what it forbids is
refused, and nothing is status 500. The short form runs with the other tests, the long one with `make test-slow`."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from tests.support.service import Service, service

schemathesis = pytest.importorskip("schemathesis")

BODIES = ("/v1/check", "/v1/checks", "/v1/execute", "/run_code", "/test_program", "/test_program_stdio")
SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
NOT_NOW = (429, 503, 504)
"""Allowed of a good request: full, or no answer in its time, which may be as short as the request says."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    short = ("--set", "limits.cpu_s=0.5", "--set", "limits.idle_s=0.5")
    with service(tmp_path_factory.mktemp("service"), "--workers", "2", "--quiet", *short) as found:
        yield found
        assert found.events("error") == []


@pytest.fixture(scope="module")
def operations(served: Service) -> dict[str, Any]:
    found = schemathesis.openapi.from_url(f"{served.url}/openapi.json")
    return {each.ok().path: each.ok() for each in found.get_all_operations()}


def is_documented(case: Any, answer: Any) -> None:
    """Status, content type and body are those of the page, and it is no fault of ours."""
    from schemathesis import checks

    of_the_page = (
        checks.CHECKS.get_one("status_code_conformance"),
        checks.CHECKS.get_one("content_type_conformance"),
        checks.CHECKS.get_one("response_headers_conformance"),
        checks.CHECKS.get_one("response_schema_conformance"),
    )
    assert answer.status_code != 500, (case.body, answer.text)
    case.validate_response(answer, checks=of_the_page)


def is_more_than_a_schema_says(body: Any) -> bool:
    """Whether it has tests as packed text, or an object of the form that stands for what JSON lacks."""
    if isinstance(body, dict):
        return "!" in body or isinstance(body.get("tests"), str) or any(map(is_more_than_a_schema_says, body.values()))
    return isinstance(body, list) and any(map(is_more_than_a_schema_says, body))


def ask(operation: Any, allowed: bool, examples: int) -> int:
    """How many requests of one kind were asked."""
    mode = schemathesis.GenerationMode.POSITIVE if allowed else schemathesis.GenerationMode.NEGATIVE
    asked = 0

    @settings(max_examples=examples, deadline=None, suppress_health_check=SLOW, database=None)
    @given(operation.as_strategy(generation_mode=mode))
    def run(case: Any) -> None:
        nonlocal asked
        asked += 1
        answer = case.call(timeout=60)
        is_documented(case, answer)
        if allowed and not is_more_than_a_schema_says(case.body):
            assert answer.status_code == 200 or answer.status_code in NOT_NOW, (case.body, answer.text)
        if not allowed:
            assert answer.status_code != 200, (case.body, answer.text[:500])

    run()
    return asked


def test_the_page_is_whole(operations: dict[str, Any]) -> None:
    assert set(BODIES) | {"/v1/health", "/v1/info", "/metrics"} == set(operations)


@pytest.mark.parametrize("path", ["/v1/health", "/v1/info", "/metrics"])
def test_what_takes_no_body_is_answered_as_the_page_says(operations: dict[str, Any], path: str) -> None:
    assert ask(operations[path], True, 3) >= 1


@pytest.mark.parametrize("allowed", [True, False], ids=["allowed", "forbidden"])
@pytest.mark.parametrize("path", BODIES)
def test_a_few_requests_of_each_route(operations: dict[str, Any], path: str, allowed: bool) -> None:
    assert ask(operations[path], allowed, 15) >= 5


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("allowed", [True, False], ids=["allowed", "forbidden"])
@pytest.mark.parametrize("path", BODIES)
def test_many_requests_of_each_route(operations: dict[str, Any], path: str, allowed: bool) -> None:
    assert ask(operations[path], allowed, 400) >= 200
