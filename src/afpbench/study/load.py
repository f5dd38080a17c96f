"""The study file: from what the user wrote to a dict that has every key.

`load_study` is called when a study is planned, by hosts that may have nothing but Snakemake: standard library,
PyYAML and jsonschema only. The form is src/afpbench/study/schema.yaml; config/README.md describes every key.
"""

import functools
from pathlib import Path
from typing import Any

from ..base.errors import ConfigError, one_line
from ..base.log import logger
from . import messages
from . import schema as config_schema
from .checks import task as config_checks
from .checks.data import may_lack_files, missing_files, missing_synthetic
from .checks.results import other_study
from .checks.segmenters import unused_options
from .checks.tables import problems_between
from .checks.variants import shared_names, unused_training
from .kinds.contract import ExtensionError
from .kinds.kind import expand_path
from .kinds.registry import REGISTRIES, use_extensions
from .registration import per_side
from .rows import CONTROLS
from .task import Task

# Parts of a task whose entries are the task's own: a preset may change an entry but adds none.
OWN_ENTRIES = ("segmenters", "feature_networks", "structures", "variants", "tables")
MOST_VALUES = 200_000  # of a file, with its anchors written out


class StudyError(ConfigError):
    """A study file with one or more problems. problems: one line each. hint: where to read on."""

    def __init__(self, lines: list[str], hint: str = ""):
        self.problems = list(lines)
        count = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
        super().__init__("\n  ".join([f"the study file has {count}:", *lines]), hint=hint or _where_keys_are())


def load_study(config: dict, root: str | Path) -> dict:
    """Validate a study, put its preset under its tasks, and fill in every default.

    config: the study file as read from YAML (not changed). root: the folder that relative paths start from.
    Returns a plain dict in which every key of config/README.md is present; `training` of a variant and `training`,
    `planner` and `patch_size` of a segmenter hold the values that take effect. The kinds of the study's `extensions`
    are registered, in the place of those of a study before.
    Raises StudyError with all problems at once. What is allowed but unwise is logged as a warning.
    """
    if not isinstance(config, dict):
        found = messages.shown(config)
        raise StudyError([f"the study file: wrong type; found: {found}; allowed: a group of keys with `tasks`"])
    study = _plain(config)
    if odd := list(messages.odd_keys(study)):
        raise StudyError(odd)
    _extend(study, Path(root))
    schema = config_schema.study_schema()
    lines = _apply_preset(study)
    found = messages.problems(schema, study)
    lines += [line for _, line in found]

    broken_keys = {path[0] for path, _ in found if path}
    broken_tasks = {path[1] for path, _ in found if len(path) > 1 and path[0] == "tasks"}
    tasks = study.pop("tasks", None)
    if not isinstance(tasks, dict):
        raise StudyError(lines)
    study = {key: value for key, value in study.items() if key not in broken_keys and key in schema["properties"]}
    config_schema.fill(schema, study)
    study["tasks"] = {name: task for name, task in tasks.items() if name not in broken_tasks}
    completed: dict[str, Task] = {}
    for name, options in study["tasks"].items():
        for part in ("segmenters", "feature_networks", "structures", "generators"):
            options.setdefault(part, {})
        task = Task(name, options, Path(root), study["seed"])
        lines += [*unused_training(task), *unused_options(task)]
        _complete(study, task)
        lines += config_checks.fill_splits(name, options, Path(root))
        lines += config_checks.check_task(task, may_lack_files(study))
        completed[name] = task
    lines += [*shared_names(study), *(problems_between(completed) if not broken_tasks else ())]
    if lines:
        raise StudyError(lines)
    for line in [*config_checks.warnings(study), *_missing(study, Path(root)), *other_study(study, Path(root))]:
        logger.warning(line)
    return study


def _where_keys_are() -> str:
    """Where every key is described: config/README.md has those of the project, and not of kinds from elsewhere."""
    groups = [group for group, registry in REGISTRIES.items() if registry.own_names()]
    own = "".join(f", `afpbench list {group} --config FILE` those of your own {group}" for group in groups)
    return f"config/README.md has every key{own}"


def _missing(study: dict, root: Path) -> list[str]:
    """Files that are not there, of a study that goes on without them."""
    tasks = study["tasks"].items() if may_lack_files(study) else ()
    return [
        line
        for name, options in tasks
        for task in [Task(name, options, root, study["seed"])]
        for line in [*missing_files(task), *missing_synthetic(task)]
    ]


def read_study(path: str | Path, kind: str = "study file") -> Any:
    """Read a study file (YAML or JSON), or another of this form, as it stands. kind: what messages call it.

    Raises ConfigError for a missing or unreadable file, a syntax error, a value that YAML cannot make, a key given
    twice in one place (which YAML readers pass over in silence, keeping the last), and anchors that repeat too much.
    """
    import yaml

    try:
        content = yaml.load(Path(path).read_text(encoding="utf-8"), _loader())
    except OSError as error:
        raise ConfigError(
            f"cannot read the {kind} {path}", found=error.strerror, hint="give the path of a YAML file"
        ) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError(
            f"the {kind} {path}{place} is not valid YAML",
            found=getattr(error, "problem", None) or str(error).splitlines()[0],
            hint="indent with spaces, one `key: value` a line",
        ) from error
    if _too_large(content):
        raise ConfigError(
            f"the {kind} {path} is too large",
            found=f"more than {MOST_VALUES} keys and values, anchors written out",
            hint="remove anchors (&name, *name) that hold one another",
        )
    return content


@functools.cache
def _loader() -> type:
    import yaml

    class Loader(yaml.SafeLoader):
        """A loader that refuses keys given twice."""

        def construct_mapping(self, node, deep=False):
            seen = {}
            for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
                if not isinstance(key, yaml.ScalarNode):
                    continue
                if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key '{key.value}' is given twice, first in line {seen[key.value]}",
                        key.start_mark,
                    )  # fmt: skip
                seen[key.value] = key.start_mark.line + 1
            return super().construct_mapping(node, deep)

    return Loader


def _too_large(content: object) -> bool:
    """Whether the values, each alias counted as often as it is used, are more than MOST_VALUES; loops are."""
    waiting, count = [content], 0
    while waiting and count <= MOST_VALUES:
        value = waiting.pop()
        count += 1
        items = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
        count += len(items)
        waiting += items
    return count > MOST_VALUES


def merge(under: dict, over: dict) -> dict:
    """`over` laid on `under`: groups of keys are merged all the way down, anything else in `over` wins.

    The keys of `over` come first, in its order: rows of a table stand as the task lists them.
    """
    merged = dict(over)
    for key, value in under.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(value, merged[key]) if both else merged.get(key, value)
    return merged


def _extend(study: dict, root: Path) -> None:
    """Take the kinds of the study's extension files; what is no list of paths is the schema's to complain about.

    Raises StudyError with what is wrong in them, or with the key that was meant for them, and with nothing else: an
    entry of a kind that could not be read would look wrong too.
    """
    if misspelt := messages.misspelt("extensions", config_schema.study_schema(), study):
        raise StudyError(misspelt)
    paths = study.get("extensions")
    try:
        use_extensions([path for path in paths if isinstance(path, str)] if isinstance(paths, list) else [], root)
    except ExtensionError as error:
        lines = [one_line(problem) for problem in error.problems]
        raise StudyError(lines, hint="docs/how-to/extend.md has the rules for classes of your own") from error


def _plain(value: Any) -> Any:
    """A copy made of plain dicts and lists."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _apply_preset(study: dict) -> list[str]:
    """Check every preset and lay each task, `runtime` and `seeds` on the chosen one, in place. Returns the problems."""
    presets, chosen, tasks = study.get("presets", {}), study.get("preset"), study.get("tasks")
    if not isinstance(presets, dict):
        return []
    lines, broken = [], set()
    for name, preset in presets.items():
        if isinstance(preset, dict):
            found = messages.problems(config_schema.preset_schema(), preset, f"presets.{name}")
            lines += [line for _, line in found]
            broken |= {name} if found else set()
    if not isinstance(chosen, str):
        return lines
    if chosen not in presets:
        return [*lines, messages.not_among("preset", chosen, presets, "no such entry in `presets`")]
    if chosen in broken or not isinstance(presets[chosen], dict):
        return lines
    preset = _plain(presets[chosen])
    study |= merge({key: preset.pop(key) for key in config_schema.PRESET_KEYS if key in preset}, study)
    tasks = tasks if isinstance(tasks, dict) else {}
    for name, task in tasks.items():
        if isinstance(task, dict):
            tasks[name] = merge(_plain(_for_task(preset, task)), task)
    return lines


def _for_task(preset: dict, task: dict) -> dict:
    """The preset without entries that the task does not have."""
    fitting = dict(preset)
    for part in OWN_ENTRIES:
        if isinstance(fitting.get(part), dict):
            own = task.get(part)
            fitting[part] = {k: v for k, v in fitting[part].items() if isinstance(own, dict) and k in own}
            if not fitting[part]:
                del fitting[part]
    return fitting


def _complete(study: dict, task: Task) -> None:
    """Fill in a valid task's defaults and what its parts inherit from one another, in place."""
    options: dict[str, Any] = study["tasks"][task.name]
    options["generators"].setdefault("nnunet", {})
    still = task.source.aligned or not task.source.has_mr
    for registration in per_side(options.setdefault("registration", {})).values():
        registration.setdefault("method", "none" if still else task.source.registration)
    options.setdefault("controls", list(CONTROLS) if task.trained else ["real_ct"] if task.source.has_ct else [])
    config_schema.fill(config_schema.task_schema(), options)
    options.setdefault("title", task.name)
    options.setdefault("tolerance_mm", 2 * min(options["spacing_mm"]) if options["spacing_mm"] else None)
    options["training"].setdefault("precision", study["runtime"]["precision"])
    for registration in per_side(options["registration"]).values():
        _expand_paths(registration, task.root)
    for part in ("segmenters", "structures", "variants"):
        for name, entry in options[part].items():
            entry.setdefault("label", name)
    for kind in [*task.generators.values(), *task.segmenters.values(), *task.networks.values()]:
        kind.complete(options[kind.SECTION][kind.entry])
    for structure in options["structures"].values():
        structure.setdefault("tolerance_mm", options["tolerance_mm"])
    for variant in task.trained.values():
        generator = task.generators.get(variant["generator"])
        usual = generator.training if generator is not None else {}
        variant["training"] = {**options["training"], **usual, **variant.get("training", {})}
    for table in task.tables.values():
        table.complete(options["tables"][table.entry])
    _complete_figures(options)


def _complete_figures(options: dict) -> None:
    figures = options["figures"]
    figures.setdefault("rows", list(options["variants"]))
    figures.setdefault("structures", list(options["structures"]))
    figures["zoom"].setdefault("structure", next(iter(figures["structures"]), None))


def _expand_paths(registration: dict, root: Path) -> None:
    """`~` in the paths of a user's own registration, and of IMPACT's model."""
    external, impact = registration["external"], registration["impact"]
    for part, key in ((registration, "parameter_files"), (external, "transforms")):
        part[key] = [expand_path(path, root) for path in part[key]]
    for part, key in ((external, "ct"), (external, "labels"), (impact, "model")):
        part[key] = expand_path(part[key], root) if part[key] else None
