"""The service against its own OpenAPI document: it takes and gives what the document says."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

import corated as cr
from corated.serve import service as service_module
from corated.serve.app import build
from corated.serve.modeling import build_model
from corated.serve.service import Service
from corated.serve.settings import Settings


def no_error_of_its_own(ctx, response, case):
    """Nothing fails inside; a position that was not reached yet is a matter of time."""
    assert response.status_code < 500 or response.json()["code"] == "behind", response.text


CHECKS = [
    no_error_of_its_own,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]


@pytest.fixture(scope="module")
def schema(tmp_path_factory):
    made = cr.sample(users=15, items=10, ratings=80, seed=2)
    chosen = Settings(measure="jaccard", k=5, refit_seconds=3600, hosts=("testserver",))
    embedded = cr.open(
        tmp_path_factory.mktemp("schema") / "a.db", model=build_model(chosen), restart=False, threads=1
    )
    with pytest.MonkeyPatch.context() as patch, embedded:
        patch.setattr(service_module, "_WAIT_SECONDS", 0.0)
        patch.setattr(Service, "close", lambda _: None)  # every request comes with a start and a stop
        embedded.import_(made.ratings)
        embedded.put_items(made.catalog)
        service = Service(embedded, chosen)
        service.warm = True
        yield schemathesis.openapi.from_asgi("/openapi.json", build(service))


COMMON = {"suppress_health_check": list(HealthCheck)}


def check_all(schema, examples):
    """Send generated requests to every operation; a failure names its operation."""
    labels = []
    for found in schema.get_all_operations():
        operation = found.ok()

        @settings(max_examples=examples, **COMMON)
        @given(case=operation.as_strategy())
        def check(case):
            case.call_and_validate(checks=CHECKS)

        try:
            check()
        except BaseException as error:
            error.add_note(f"of {operation.label}")
            raise
        labels.append(operation.label)
    assert len(labels) > 20


def test_each_operation_is_as_documented(schema):
    check_all(schema, 6)


@pytest.mark.slow
def test_each_operation_is_as_documented_at_length(schema):
    check_all(schema, 150)


def check_sequences(schema, examples, steps):
    """Send sequences of requests, in which answers give what later ones ask about."""
    machine, asked, linked = schema.as_state_machine(), set(), 0

    class Sequences(machine):
        def validate_response(self, response, case, additional_checks=None, **transport):
            asked.add(case.operation.label)
            case.validate_response(response, checks=CHECKS, transport_kwargs=transport or None)

        def step(self, input):
            nonlocal linked
            linked += input.is_applied
            return super().step(input)

    options = settings(max_examples=examples, stateful_step_count=steps, **COMMON)
    Sequences.run(settings=options)
    assert len(asked) > 3 and linked > examples, (asked, linked)


def test_sequences_of_requests_are_as_documented(schema):
    check_sequences(schema, 20, 20)


@pytest.mark.slow
def test_sequences_of_requests_are_as_documented_at_length(schema):
    check_sequences(schema, 300, 20)
