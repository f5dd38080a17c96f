"""study.kinds: every kind has what a study file, the reference and a planning host need of it."""

import jsonschema
import pytest
from fresh_process import printed

from afpbench.base.errors import ConfigError
from afpbench.study.kinds.contract import check_class
from afpbench.study.kinds.registry import LOSSES, REGISTRIES

KINDS = [(group, name) for group, registry in REGISTRIES.items() for name in registry]


@pytest.mark.parametrize(("group", "name"), KINDS)
def test_a_kind_has_a_closed_schema_that_says_everything(group, name):
    kind = REGISTRIES[group][name]
    schema = kind.schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False and schema["description"] and kind.name == name
    options = {key: value for key, value in schema["properties"].items() if key != kind.TAG}
    assert all("description" in option or "$ref" in option for option in options.values())
    assert all("default" in options[key] or "x-inherits" in options[key] or key in schema["required"]
               for key in options if "$ref" not in options[key])  # fmt: skip


@pytest.mark.parametrize(("group", "name"), KINDS)
def test_a_kind_keeps_what_those_of_a_users_own_must_keep(group, name):
    check_class(REGISTRIES[group][name], REGISTRIES[group].base, name)


def test_planning_knows_every_kind_without_a_heavy_import():
    code = (
        "import sys\n"
        "from afpbench.study.kinds.registry import REGISTRIES\n"
        "for registry in REGISTRIES.values():\n"
        "    for kind in registry.classes().values():\n"
        "        kind.schema()\n"
        "heavy = ('torch', 'numpy', 'nnunetv2', 'SimpleITK', 'pandas', 'scipy')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    assert printed(code).strip() == "[]"


def test_an_unknown_kind_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match="did you mean perceptual"):
        LOSSES["perceptuel"]


def test_an_unknown_or_missing_option_is_refused():
    with pytest.raises(ConfigError, match="(?s)losses 'l1': unknown option.*found: power.*expected: weight"):
        LOSSES.filled({"term": "l1", "power": 2})
    with pytest.raises(ConfigError, match="(?s)losses 'afp': missing option.*found: no networks"):
        LOSSES.filled({"term": "afp"})
