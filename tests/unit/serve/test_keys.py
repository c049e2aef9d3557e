"""Keys: shown once, kept as hashes, found in constant time, ended and taken back."""

import hashlib
import json
import os
import time

import pytest

from corated.errors import ParameterError, StoreError
from corated.serve import keys as keys_module
from corated.serve.keys import SCOPES, KeyFile


@pytest.fixture
def file(tmp_path):
    return KeyFile(tmp_path / "folder" / "keys.json")


def test_a_key_is_found_by_its_text_and_its_file_does_not_have_it(file):
    text, key = file.create("read", name="shop window")
    assert file.find(text) == key and key.scope == "read" and key.name == "shop window"
    stored = file.path.read_text()
    assert text not in stored and text.split("_", 2)[2] not in stored
    assert json.loads(stored)["keys"][0]["digest"] == hashlib.sha256(text.encode()).hexdigest()
    assert os.name != "posix" or file.path.stat().st_mode & 0o777 == 0o600


def test_other_texts_are_no_keys(file):
    text, key = file.create("read")
    cut = [text[:-1], text + "x", text.swapcase(), f"ck_{'0' * 12}_{text[16:]}", text[:16] + "A" * 43]
    assert [file.find(wrong) for wrong in ("", "x", *cut)] == [None] * 7
    other, _ = file.create("read")
    assert file.find(f"ck_{key.id}_{other.split('_', 2)[2]}") is None  # another's secret


def test_every_text_is_compared(file, monkeypatch):
    compared = []
    real = keys_module.hmac.compare_digest
    monkeypatch.setattr(
        keys_module.hmac, "compare_digest", lambda a, b: compared.append((a, b)) or real(a, b)
    )
    text, _ = file.create("read")
    for given in (text, f"ck_{'0' * 12}_{'x' * 43}", "nothing like a key"):
        file.find(given)
    assert len(compared) == 3 and all(len(a) == len(b) == 64 for a, b in compared)


def test_scopes_are_ordered(file):
    for at, scope in enumerate(SCOPES):
        _, key = file.create(scope)
        assert [key.allows(needed) for needed in SCOPES] == [at >= other for other in range(len(SCOPES))]


def test_a_key_ends(file):
    text, key = file.create("read", days=1e-6)
    assert key.expires is not None
    time.sleep(0.1)
    assert file.find(text) is None
    lasting, _ = file.create("read", days=1)
    assert file.find(lasting) is not None


def test_a_revoked_key_is_gone_also_for_who_has_the_file_open(file, monkeypatch):
    monkeypatch.setattr(keys_module, "_LOOK_SECONDS", 0.0)
    text, key = file.create("write")
    kept, _ = file.create("write")
    other = KeyFile(file.path)
    assert other.find(text) == key
    assert file.revoke(key.id) == key
    assert other.find(text) is None and other.find(kept) is not None
    with pytest.raises(ParameterError, match=f"no key {key.id}"):
        file.revoke(key.id)


def test_two_processes_add_keys_without_losing_one(file):
    texts = [KeyFile(file.path).create("read")[0] for _ in range(5)]
    assert all(KeyFile(file.path).find(text) for text in texts)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"keys": [{"id": "x"}]}', '{"keys": 3}', "\xff"])
def test_a_file_of_something_else_is_refused(file, content):
    file.path.parent.mkdir()
    file.path.write_text(content, encoding="latin-1")
    with pytest.raises(StoreError, match="no file of keys"):
        file.kept()


def test_a_file_that_is_damaged_later_leaves_no_key_valid(file, monkeypatch):
    monkeypatch.setattr(keys_module, "_LOOK_SECONDS", 0.0)
    text, _ = file.create("admin")
    assert file.find(text)
    file.path.write_text("{")
    for _ in range(2):
        with pytest.raises(StoreError):
            file.find(text)


def test_what_cannot_be_a_key_is_refused(file):
    with pytest.raises(ParameterError):
        file.create("owner")
    with pytest.raises(ParameterError):
        file.create("read", name="a\nb")
