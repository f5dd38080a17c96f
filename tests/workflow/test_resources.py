"""What every job asks of a cluster stands in its rule; the SLURM profile adds the site, and forgets no rule."""

import re

import pytest
import yaml

RULE = re.compile(r"^rule (\w+):\n((?:\n|    .*\n)*)", re.M)


@pytest.fixture(scope="module")
def rules(project):
    """Rule -> its text, without those that run beside Snakemake itself."""
    found, local = {}, {"all"}
    for path in sorted((project / "workflow" / "rules").glob("*.smk")):
        text = path.read_text()
        found |= dict(RULE.findall(text))
        for block in re.findall(r"^localrules:\n((?:    .*\n)+)", text, re.M):
            local |= {name.strip(" ,") for name in block.splitlines()}
    return {name: text for name, text in found.items() if name not in local}


@pytest.fixture(scope="module")
def profile(project):
    return yaml.safe_load((project / "profiles" / "slurm" / "config.yaml").read_text())


@pytest.fixture(scope="module")
def partitions(project):
    return yaml.safe_load((project / "profiles" / "slurm" / "partitions.yaml").read_text())["partitions"]


def asked(text, name):
    found = re.search(rf"^        {name}=(\d+),$", text, re.M)
    return int(found.group(1)) if found else None


def test_every_rule_says_what_it_needs(rules):
    assert len(rules) > 15
    for name, text in rules.items():
        for resource in ("mem_mb", "runtime"):
            assert asked(text, resource), f"rule {name} declares no {resource} under resources"


def test_rules_that_choose_a_device_ask_for_one_gpu_and_no_other(rules):
    networks = {name for name, text in rules.items() if 'device=RUNTIME["device"]' in text}
    assert {"train_segmenter", "train_variant", "synthesize", "segment_real", "segment"} <= networks
    assert {name for name, text in rules.items() if "gpu=" in text} == networks
    several = {name for name in networks if "work=" in rules[name]}  # trainings
    assert {name for name in networks if re.search(r'gpu=option\(.*"training", "gpus"\),', rules[name])} == several
    assert {asked(rules[name], "gpu") for name in networks - several} == {1}


def test_every_job_fits_into_a_partition_in_its_first_attempt(rules, partitions):
    for name, text in rules.items():
        fitting = [
            partition
            for partition, limits in partitions.items()
            if asked(text, "mem_mb") <= limits["max_mem_mb"]
            and asked(text, "runtime") <= 24 * 60 * int(limits["max_runtime"].removesuffix("d"))
            and ("gpu=" in text) <= limits.get("max_gpu", 0)
        ]
        assert fitting, f"no partition of profiles/slurm takes rule {name}"


def test_no_job_asks_for_more_than_a_node_in_later_attempts(profile, partitions):
    """Limits given as `resources` hold back what grows with the attempts."""
    assert profile["retries"] == 2 and profile["set-resource-scopes"] == {"runtime": "local"}
    assert {limits["max_mem_mb"] for limits in partitions.values()} == {profile["resources"]["mem_mb"]}
    assert {limits["max_runtime"] for limits in partitions.values()} == {"7d"}
    assert profile["resources"]["runtime"] == 7 * 24 * 60


def test_resources_grow_after_all_rules_are_known(project):
    includes = [line for line in (project / "Snakefile").read_text().splitlines() if line.startswith("include:")]
    assert includes[-1] == 'include: "workflow/rules/resources.smk"'


def test_the_guide_names_every_rule_that_asks_for_a_gpu(project, rules):
    guide = (project / "docs" / "how-to" / "run-on-slurm.md").read_text()
    variant = yaml.safe_load(re.search(r"```yaml\n(.*?)```", guide, re.S).group(1))["set-resources"]
    assert set(variant) == {name for name, text in rules.items() if "gpu=" in text}
    assert all(value == {"gpu": 0, "gres": "'gpu:1'"} for value in variant.values())


def test_a_rule_that_says_nothing_gets_defaults_that_grow(profile):
    for resource in ("mem_mb", "runtime"):
        assert re.fullmatch(r"\d+ \* attempt", profile["default-resources"][resource])


def test_groups_are_of_rules_that_exist_and_need_no_gpu(rules, profile):
    assert set(profile["groups"]) <= set(rules)
    assert not [name for name in profile["groups"] if "gpu=" in rules[name]]
    assert set(profile["group-components"]) == set(profile["groups"].values())


def test_rules_that_run_once_a_case_are_grouped(rules, profile):
    per_case = {
        name for name, text in rules.items() if re.search(r'output:\n(?:        .*\n)*?.*\("\{case\}"[^)]*\)', text)
    }
    assert {"import_case", "register_case"} <= per_case
    assert per_case <= set(profile["groups"]), "profiles/slurm/config.yaml: groups"


def test_rules_that_run_one_script_are_grouped_alike(rules, profile):
    """`row_metrics` and `row_metrics_against`, which differ in the real CT alone."""
    groups: dict[str, set] = {}
    for name, text in rules.items():
        groups.setdefault(re.search(r"scripts/(\w+)\.py", text)[1], set()).add(profile["groups"].get(name))
    assert groups["row_metrics"] == {"metrics"}
    assert {script: found for script, found in groups.items() if len(found) > 1} == {}


def test_the_reference_says_what_the_rules_say(project, rules):
    """docs/reference/workflow.md: the rules that ask for a GPU, the largest memory, and a row for every rule."""
    page = (project / "docs" / "reference" / "workflow.md").read_text()
    resources = " ".join(re.search(r"## Resources\n\n(.*?)\n\n", page, re.S).group(1).split())
    named = re.search(r"\(minutes\); (.*?) also `gpu=1`", resources).group(1)
    assert set(re.findall(r"`(\w+)`", named)) == {name for name, text in rules.items() if "gpu=" in text}
    largest = max(asked(text, "mem_mb") for text in rules.values())
    assert [int(number) for number in re.findall(r"mem_mb=(\d+)", resources)] == [largest]
    (greediest,) = [name for name, text in rules.items() if asked(text, "mem_mb") == largest]
    assert f"`{greediest}` asks for the most, {largest} MB" in resources
    everything = "\n".join(path.read_text() for path in (project / "workflow" / "rules").glob("*.smk"))
    rows = set(re.findall(r"^\| `(\w+)` \|", page, re.M))
    assert rows == set(re.findall(r"^rule (\w+):", everything, re.M)) | {"all"}


def test_the_code_of_every_rule_is_a_parameter(project):
    """A script's date does not count, so each rule says which script it runs; downloads and splits need no digest."""
    free = {"download_sts", "download_synthrad2023", "unpack_synthrad2023", "download_weights", "splits"}
    for path in sorted((project / "workflow" / "rules").glob("*.smk")):
        for name, text in RULE.findall(path.read_text()):
            script = re.search(r"scripts/(\w+)\.py", text).group(1)
            given = re.search(r'code=code\(\s*"(\w+)"', text)
            assert (given is not None and given.group(1) == script) or name in free, name
