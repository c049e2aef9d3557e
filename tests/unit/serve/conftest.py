"""A small service to be asked, over HTTP without a network."""

import pytest
from starlette.testclient import TestClient

import corated as cr
from corated.serve.app import build
from corated.serve.modeling import build_model
from corated.serve.service import Service
from corated.serve.settings import Settings

MODEL = {"measure": "jaccard", "k": 10, "min_common": 1, "refit_seconds": 0.0}


@pytest.fixture(scope="session")
def made():
    return cr.sample(users=20, items=15, ratings=150, seed=11)


@pytest.fixture
def embedded(tmp_path, made):
    model = build_model(Settings(**MODEL))
    with cr.open(tmp_path / "shop.db", model=model, restart=False, threads=1) as embedded:
        embedded.import_(made.ratings)
        embedded.put_items(made.catalog)
        yield embedded


@pytest.fixture
def service_of(embedded):
    """A function from settings to a service that is ready."""

    def make(**settings):
        service = Service(embedded, Settings(**{**MODEL, **settings}))
        service.warm = True
        return service

    return make


@pytest.fixture
def client_of(service_of):
    """A function from settings, and maybe keys, to a client; ``client.service`` is what it asks."""

    def make(keys=None, base_url="http://localhost", **settings):
        service = service_of(**settings)
        client = TestClient(build(service, keys), base_url=base_url, raise_server_exceptions=False)
        client.service = service
        return client

    return make


@pytest.fixture
def client(client_of):
    return client_of()
