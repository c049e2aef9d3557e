"""The names of presets, and what is said of them."""

import re

import pytest

import corated as cr
from corated.models.presets import PRESETS


def test_every_preset_has_a_line_in_the_docstring():
    told = re.findall(r"^ +([a-z-]+) : \S.*$", cr.preset.__doc__, re.MULTILINE)
    assert told == list(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_a_recommender(name):
    assert isinstance(cr.preset(name), cr.Recommender)


def test_other_names_are_refused():
    with pytest.raises(cr.errors.ParameterError, match="Unknown preset 'bset'"):
        cr.preset("bset")
