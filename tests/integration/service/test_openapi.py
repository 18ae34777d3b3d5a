"""Whatever is sent to any route: an answer that its OpenAPI page allows, never 500, and the service goes on."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.service import DOUBLE, Service, check, service

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6) | st.just("!"), inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    small = ("--set", "limits.cpu_s=1", "--set", "limits.idle_s=1")
    with service(tmp_path_factory.mktemp("service"), "--workers", "2", "--quiet", *small) as found:
        yield found


@pytest.fixture(scope="module")
def http(served: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served.url, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def page(http: httpx.Client) -> Any:
    return http.get("/openapi.json").json()


def fits(value: Any, schema: Any) -> bool:
    """Whether a value is what a schema says, as far as ours say anything."""
    if "anyOf" in schema:
        return any(fits(value, each) for each in schema["anyOf"])
    if "enum" in schema and value not in schema["enum"]:
        return False
    kinds: dict[str, Any] = {
        "object": dict,
        "array": list,
        "string": str,
        "boolean": bool,
        "number": (int, float),
        "integer": int,
        "null": type(None),
    }
    types = schema.get("type", [])
    if types and not isinstance(value, tuple(kinds[each] for each in ([types] if isinstance(types, str) else types))):
        return False
    if isinstance(value, dict) and "properties" in schema:
        known = schema["properties"]
        closed = schema.get("additionalProperties") is False
        return (
            all(name in value for name in schema.get("required", ()))
            and all(fits(item, known[name]) for name, item in value.items() if name in known)
            and not (closed and set(value) - set(known))
        )
    if isinstance(value, list) and "items" in schema:
        return all(fits(item, schema["items"]) for item in value)
    return True


def asked(http: httpx.Client, page: Any, path: str, body: bytes) -> httpx.Response:
    answer = http.post(path, content=body)
    described = page["paths"][path]["post"]["responses"]
    assert str(answer.status_code) in described, (path, body[:300], answer.status_code, answer.text[:300])
    assert answer.status_code != 500, (path, body[:300], answer.text)
    schema = described[str(answer.status_code)]["content"]["application/json"]["schema"]
    assert fits(answer.json(), schema), (path, body[:300], answer.text[:500])
    return answer


POSTS = ("/v1/check", "/v1/checks", "/v1/execute", "/run_code", "/test_program", "/test_program_stdio")


@pytest.mark.parametrize(
    ("place", "value"),
    [(("program", "kind"), [1]), (("program", "kind"), {}), (("watch_sources",), 1), (("watch_sources",), [])],
)
def test_what_is_no_kind_and_no_flag_is_said(http: httpx.Client, place: tuple[str, ...], value: Any) -> None:
    body = replaced(NEAR["/v1/execute"], place, value)
    answer = http.post("/v1/execute", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad-request"), answer.text


LONG = "1" + "0" * 5000
"""More digits than the interpreter writes by itself."""


CALLED = '"call": {"args": [], "kwargs": {}}, "expected": 1'


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/check", f'{{"program": {{"source": "", "entry": "f", "kind": %s}}, {CALLED}}}', 400),
        ("/v1/check", '{"program": {"source": "", "entry": "f"}, "call": {"args": [%s], "kwargs": {}}, "expected": %s}', 200),
        ("/v1/check", f'{{"program": {{"source": "", "entry": "f"}}, {CALLED}, "timeout_s": %s}}', 400),
        ("/run_code", '{"language": "python", "code": "", "run_timeout": %s}', 400),
        ("/run_code", '{"language": "python", "code": "", "memory_limit_MB": %s}', 200),
        ("/run_code", '{"language": "python", "code": "", "memory_limit_MB": 100.0}', 200),
        ("/run_code", '{"language": "python", "code": "", "memory_limit_MB": 100.5}', 400),
        ("/run_code", '{"language": "python", "code": "", "files": {"a": %s}}', 400),
        ("/test_program", '{"program": "", "tests": ["assert 1"], "max_execution_time": %s}', 400),
        ("/test_program", '{"program": "", "tests": [%s]}', 400),
        ("/test_program_stdio", '{"program": "print(input())", "tests": [{"input": %s, "output": [%s]}]}', 200),
    ],
)  # fmt: skip
def test_a_number_of_any_length_is_answered(http: httpx.Client, page: Any, path: str, body: str, status: int) -> None:
    assert asked(http, page, path, body.replace("%s", LONG).encode()).status_code == status


@pytest.mark.parametrize(
    "changed",
    [
        {"call": {"stdin": "1"}},
        {"program": {"kind": "script", "source": "", "entry": ""}},
        {"rule": {"token_numbers": "yes"}},
        {"rule": {"max_depth": 3.5}},
        {"rule": {"numbers": "nearly"}},
    ],
)
def test_what_does_not_fit_together_is_refused_alone_and_in_a_batch(http: httpx.Client, changed: dict[str, Any]) -> None:
    wrong = {**check(1, 2), **changed}
    alone = http.post("/v1/check", json=wrong)
    batch = http.post("/v1/checks", json={"checks": [check(1, 2), wrong]})
    assert (alone.status_code, batch.status_code) == (400, 400)
    assert "$.checks[1]" in batch.json()["error"]["message"]


def test_the_page_names_every_route(page: Any) -> None:
    assert {path for path, methods in page["paths"].items() if "post" in methods} == set(POSTS)
    assert {"/v1/health", "/v1/info", "/metrics"} <= set(page["paths"])


def test_the_page_says_which_routes_want_a_token(page: Any, tmp_path: Path) -> None:
    assert "securitySchemes" not in page.get("components", {})
    token = "0123456789abcdef"
    with service(tmp_path, "--workers", "1", env={"REEXEC_TOKEN": token}) as asking:
        found = httpx.get(f"{asking.url}/openapi.json", headers={"authorization": f"Bearer {token}"}).json()
        assert found["components"]["securitySchemes"] == {"token": {"type": "http", "scheme": "bearer"}}
        for path, methods in found["paths"].items():
            for method, operation in methods.items():
                refused = httpx.request(method, asking.url + path).status_code == 401
                assert operation["security"] == ([{"token": []}] if refused else [])
        assert found["paths"].keys() == page["paths"].keys()


@pytest.mark.parametrize("path", POSTS)
def test_any_json_is_answered(http: httpx.Client, page: Any, path: str) -> None:
    @QUICK
    @given(JSON)
    def run(value: Any) -> None:
        asked(http, page, path, json.dumps(value).encode())

    run()


@pytest.mark.parametrize("path", POSTS)
def test_any_bytes_are_answered(http: httpx.Client, page: Any, path: str) -> None:
    @QUICK
    @given(st.binary(max_size=60) | st.text(alphabet='{}[]",:0123e-\\u "!', max_size=40).map(str.encode))
    def run(body: bytes) -> None:
        asked(http, page, path, body)

    run()


NEAR: dict[str, dict[str, Any]] = {
    "/v1/check": check(1, 2),
    "/v1/checks": {"checks": [check(1, 2)]},
    "/v1/execute": {"program": {**DOUBLE, "kind": "function"}, "call": {"args": [1], "kwargs": {}}, "watch_sources": True},
    "/run_code": {"language": "python", "code": "print(1)"},
    "/test_program": {"program": DOUBLE["source"], "tests": ["assert double(1) == 2"]},
    "/test_program_stdio": {"program": "print(input())", "tests": [{"input": "1", "output": "1"}]},
}
MORE = (
    "timeout_s", "id", "rule", "watch_arguments", "stdin", "files", "fetch_files", "run_timeout", "memory_limit_MB",
    "max_execution_time", "kind", "entry", "source", "args", "kwargs", "expected", "word",
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in items:
        yield from places(item, (*path, name))


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


@pytest.mark.parametrize("path", POSTS)
def test_requests_that_are_nearly_right_are_answered(http: httpx.Client, page: Any, path: str) -> None:
    """One member is another value, or there is one more."""
    right = NEAR[path]
    assert asked(http, page, path, json.dumps(right).encode()).status_code == 200

    @QUICK
    @given(st.sampled_from(list(places(right))), JSON, st.sampled_from(MORE), st.booleans())
    def run(place: tuple[Any, ...], value: Any, name: str, one_more: bool) -> None:
        body = {**right, name: value} if one_more else replaced(right, place, value)
        asked(http, page, path, json.dumps(body).encode())

    run()


def test_the_service_is_well_after_all_this(http: httpx.Client, served: Service) -> None:
    assert http.post("/v1/check", json=check(1, 2)).json()["word"] == "accepted"
    assert served.events("error") == []
