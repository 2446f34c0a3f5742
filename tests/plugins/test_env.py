"""The environment of a plugin: where values come from, and as which types they are read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_otel.plugins.context import PluginEnvironment


def test_from_the_process(monkeypatch):
    monkeypatch.setenv("MY_A", "1")
    monkeypatch.setenv("OTHER_B", "2")
    assert PluginEnvironment.from_environ()["MY_A"] == "1"
    assert PluginEnvironment.from_environ("MY_").to_dict() == {"A": "1"}
    assert PluginEnvironment.from_environ(prefixes=("MY_", "OTHER_")).to_dict() == {"MY_A": "1", "OTHER_B": "2"}


def test_from_a_mapping_which_is_copied():
    data = {"A": "1"}
    env = PluginEnvironment(data)
    data["A"] = "2"
    env.to_dict()["A"] = "3"
    assert env.get("A") == "1"
    assert "A" in env
    assert "B" not in env
    assert env.get("B", "default") == "default"
    with pytest.raises(KeyError):
        env["B"]
    with pytest.raises(TypeError, match="data must be a mapping"):
        PluginEnvironment([("A", "1")])


def test_the_last_of_equal_keys_wins():
    merged = PluginEnvironment.merge(PluginEnvironment({"A": 1, "B": 1}), PluginEnvironment({"B": 2}))
    assert merged.to_dict() == {"A": 1, "B": 2}
    assert merged == PluginEnvironment({"A": 1, "B": 2})
    assert list(merged) == ["A", "B"]


FILES = {
    "env.json": '{"A": "text", "N": 3}',
    "env.toml": 'A = "text"\nN = 3\n',
    ".env": "# comment\n\nexport A=text # why\nN='3'\n",
    "job.env": 'A="text"\nN=3\n',
    ".env.local": "A = text\nN=3",
}


@pytest.mark.parametrize("name", FILES)
def test_from_a_file(tmp_path, name):
    path = tmp_path / name
    path.write_text(FILES[name])
    env = PluginEnvironment.from_file(path)
    assert (env.get_str("A"), env.get_int("N")) == ("text", 3)


def test_quotes_in_an_env_file(tmp_path):
    path = tmp_path / ".env"
    path.write_text('A="two\\nlines \\"q\\""\nB=\'raw\\n # no comment\'\nC=a=b#c\nD=\n')
    assert PluginEnvironment.from_file(path).to_dict() == {
        "A": 'two\nlines "q"', "B": "raw\\n # no comment", "C": "a=b#c", "D": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.json", "[1]", "must hold an object, not list"),
        ("a.json", "{", "a.json"),
        ("a.toml", "A = ", "a.toml"),
        (".env", "A=1\nnonsense\n", "line 2 must be KEY=value, not 'nonsense'"),
        (".env", "A='open", "line 1 has an open quote"),
    ],
)
def test_a_bad_file_is_named(tmp_path, name, text, says):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ValueError, match=says) as raised:
        PluginEnvironment.from_file(path)
    assert str(path) in str(raised.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no\.toml"):
        PluginEnvironment.from_file(tmp_path / "no.toml")


@pytest.mark.parametrize(
    ("getter", "value", "expected"),
    [
        ("get_str", 5, "5"),
        ("get_int", "12", 12),
        ("get_int", 3.0, 3),
        ("get_float", "1e-3", 0.001),
        ("get_float", 2, 2.0),
        ("get_bool", "YES", True),
        ("get_bool", "off", False),
        ("get_bool", "", False),
        ("get_bool", 1, True),
        ("get_list", "a, b,,c ", ["a", "b", "c"]),
        ("get_list", ("a", 1), ["a", 1]),
    ],
)
def test_typed_getters(getter, value, expected):
    found = getattr(PluginEnvironment({"K": value}), getter)("K")
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize("getter", ["get", "get_str", "get_int", "get_float", "get_bool", "get_list"])
def test_what_is_not_there_is_the_default(getter):
    read = getattr(PluginEnvironment({"NONE": None}), getter)
    default = object()
    assert read("MISSING") is None
    assert read("MISSING", default) is default
    assert read("MISSING", default=default) is default


@pytest.mark.parametrize(
    ("getter", "value"),
    [
        ("get_int", "1.5"),
        ("get_int", 2.5),
        ("get_int", [1]),
        ("get_int", float("inf")),
        ("get_float", "x"),
        ("get_bool", "maybe"),
    ],
)
def test_a_bad_value_is_named_with_its_key(getter, value):
    with pytest.raises(ValueError, match="BATCH_SIZE must be") as raised:
        getattr(PluginEnvironment({"BATCH_SIZE": value}), getter)("BATCH_SIZE")
    assert repr(value) in str(raised.value)


def test_a_list_that_is_none_is_the_default():
    assert PluginEnvironment({"K": 5}).get_list("K", ["d"]) == ["d"]


@given(
    st.dictionaries(
        st.from_regex(r"[A-Z][A-Z0-9_]*", fullmatch=True),
        st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"])),
    )
)
def test_an_env_file_brings_back_what_was_quoted(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("env") / ".env"
    escaped = {key: value.replace("\\", "\\\\").replace('"', '\\"') for key, value in values.items()}
    path.write_text("".join(f'{key}="{value}"\n' for key, value in escaped.items()), encoding="utf-8")
    assert PluginEnvironment.from_file(path).to_dict() == values
