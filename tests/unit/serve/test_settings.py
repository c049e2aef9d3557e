"""Settings: where they come from, what comes last, what is refused, what is masked."""

import pytest

from corated.errors import ParameterError
from corated.models.presets import preset
from corated.serve.modeling import build_model
from corated.serve.settings import ELSEWHERE, Settings, load_settings


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "corated.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_flags_come_after_variables_after_the_file(file):
    path = file('port = 1\nk = 1\nhosts = ["a", "b"]\nrate = 2.5\nscale = [1, 5, 1]\n')
    made = load_settings(
        path, environment={"CORATED_PORT": "2", "CORATED_K": "2"}, flags={"port": 3, "by": None}
    )
    assert (made.port, made.k, made.hosts, made.rate, made.scale) == (3, 2, ("a", "b"), 2.5, (1.0, 5.0, 1.0))
    assert made.by is None


def test_the_file_may_be_named_by_a_variable(file):
    path = file("port = 9\n")
    assert load_settings(environment={"CORATED_CONFIG": str(path)}).port == 9
    assert load_settings(environment={}).port == 8000


def test_variables_of_several_values():
    made = load_settings(environment={"CORATED_HOSTS": "a.example, b.example", "CORATED_SCALE": "1:5:0.5"})
    assert made.hosts == ("a.example", "b.example") and made.scale == (1.0, 5.0, 0.5)
    assert load_settings(environment={"CORATED_PAGES": "false"}).pages is False


def test_variables_that_are_read_elsewhere_are_let_be():
    assert load_settings(environment=dict.fromkeys(ELSEWHERE[:1] + ELSEWHERE[2:], "x")) == Settings()


@pytest.mark.parametrize(
    ("source", "told", "step"),
    [
        ({"flags": {"prot": 1}}, "no setting --prot", "did you mean port"),
        ({"environment": {"CORATED_PROT": "1"}}, "no setting CORATED_PROT", "did you mean port"),
        ({"environment": {"CORATED_ZZZZZZ": "1"}}, "no setting CORATED_ZZZZZZ", "leave it out"),
        ({"flags": {"port": 99999}}, "--port cannot be used", "config show"),
        ({"environment": {"CORATED_PORT": "x"}}, "CORATED_PORT cannot be used", "config show"),
        ({"flags": {"max_body": 3}}, "--max-body cannot be used", "config show"),
    ],
)
def test_unknown_names_and_wrong_values_are_refused(source, told, step):
    with pytest.raises(ParameterError) as caught:
        load_settings(**{"environment": {}, **source})
    assert told in caught.value.what and step in caught.value.hint


def test_a_file_with_an_unknown_key_or_no_toml_is_refused(file, tmp_path):
    with pytest.raises(ParameterError, match=r"no setting .*corated.toml: stoer"):
        load_settings(file('stoer = "x"\n'), environment={})
    with pytest.raises(ParameterError, match="not TOML"):
        load_settings(file("port 8000\n"), environment={})
    with pytest.raises(ParameterError, match="cannot be read"):
        load_settings(tmp_path / "none.toml", environment={})


@pytest.mark.parametrize(
    ("store", "shown"),
    [
        ("shop.db", "shop.db"),
        ("postgresql://ann:s3cret@db/shop", "postgresql://ann:**********@db/shop"),
        (
            "postgresql://ann:s3@cret@db/shop?password=s3cret",
            "postgresql://ann:**********@db/shop?**********",
        ),
        ("postgresql://db/shop", "postgresql://db/shop"),
    ],
)
def test_secrets_are_masked(store, shown):
    made = load_settings(environment={"CORATED_STORE": store})
    assert made.store.get_secret_value() == store
    assert made.shown()["store"] == shown
    assert "s3cret" not in repr(made) + str(made.shown())


def test_every_setting_is_described():
    assert all(field.description for field in Settings.model_fields.values())


def test_the_model_is_built_of_the_settings():
    best = build_model(Settings())
    assert repr(best) == repr(preset("best")) and type(best).__name__ == "Chosen"
    changed = build_model(Settings(measure="cosine", k=7, min_common=2, rule="votes")).models[0].get_params()
    assert (changed["measure"], changed["k"], changed["min_common"], changed["rule"]) == (
        "cosine",
        7,
        2,
        "votes",
    )
    assert type(build_model(Settings(by="items")).models[0]).__name__ == "ItemKNN"
    with pytest.raises(ParameterError, match="fixed method"):
        build_model(Settings(preset="notebook", k=3))
    with pytest.raises(ParameterError, match="Unknown preset"):
        build_model(Settings(preset="nope"))


def test_what_if_changes_the_neighbors_of_best():
    from corated.serve.pages.exploring import changed_model, near_of

    best = preset("best")
    assert near_of(best).measure == "jaccard" and changed_model(best, {}) is best
    changed = changed_model(best, {"measure": "cosine", "k": 7})
    assert (near_of(changed).measure, near_of(changed).k) == ("cosine", 7)
    assert type(changed.models[1]).__name__ == "Popularity"
