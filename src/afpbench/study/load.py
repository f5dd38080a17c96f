"""The study file: from what the user wrote to a dict that has every key.

`load_study` is called when a study is planned, by hosts that may have nothing but Snakemake: standard library,
PyYAML and jsonschema only. The form is src/afpbench/study/schema.yaml; config/README.md describes every key.
"""

from pathlib import Path

from ..base.errors import ConfigError
from ..base.log import logger
from ..generators.architecture import is_gan
from . import schema as config_schema
from .checks import networks as config_networks
from .checks import task as config_checks
from .checks.data import may_lack_files, missing_files
from .kinds.registry import SOURCES
from .task import Task

# Parts of a task whose entries are the task's own: a preset may change an entry but adds none.
OWN_ENTRIES = ("segmenters", "feature_networks", "structures", "variants", "tables")
# What a variant with a GAN does not take from the task's training: SPADE's own defaults, as the paper has them.
GAN_TRAINING = {"optimizer": "adam", "learning_rate": 0.0002, "weight_decay": 0.0}


class StudyError(ConfigError):
    """A study file with one or more problems. problems: one line each."""

    def __init__(self, lines: list[str]):
        self.problems = list(lines)
        count = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
        super().__init__("\n  ".join([f"the study file has {count}:", *lines]), hint="config/README.md has every key")


def load_study(config: dict, root: str | Path) -> dict:
    """Validate a study, put its preset under its tasks, and fill in every default.

    config: the study file as read from YAML (not changed). root: the folder that relative paths start from.
    Returns a plain dict in which every key of config/README.md is present; `training` of a variant and `training`,
    `planner` and `patch_size` of a segmenter hold the values that take effect.
    Raises StudyError with all problems at once. What is allowed but unwise is logged as a warning.
    """
    if not isinstance(config, dict):
        found = config_schema.shown(config)
        raise StudyError([f"the study file: wrong type; found: {found}; allowed: a group of keys with `tasks`"])
    study = _plain(config)
    if odd := list(config_schema.odd_keys(study)):
        raise StudyError(odd)
    schema = config_schema.study_schema()
    lines = _apply_preset(study)
    found = config_schema.problems(schema, study)
    lines += [line for _, line in found]

    broken_keys = {path[0] for path, _ in found if path}
    broken_tasks = {path[1] for path, _ in found if len(path) > 1 and path[0] == "tasks"}
    tasks = study.pop("tasks", None)
    if not isinstance(tasks, dict):
        raise StudyError(lines)
    study = {key: value for key, value in study.items() if key not in broken_keys and key in schema["properties"]}
    config_schema.fill(schema, study)
    study["tasks"] = {name: task for name, task in tasks.items() if name not in broken_tasks}
    for name, task in study["tasks"].items():
        lines += config_checks.unused_training(name, task) + config_networks.unused_keys(name, task)
        _complete(study, name, task)
        lines += config_checks.fill_splits(name, task, Path(root))
        lines += config_checks.check_task(study, name, Path(root))
    if lines:
        raise StudyError(lines)
    for line in [*config_checks.warnings(study), *_missing(study, Path(root))]:
        logger.warning(line)
    return study


def _missing(study: dict, root: Path) -> list[str]:
    """Files that are not there, of a study that goes on without them."""
    tasks = study["tasks"].items() if may_lack_files(study) else ()
    return [line for name, task in tasks for line in missing_files(Task(name, task, root, study["seed"]))]


def read_study(path: str | Path) -> dict:
    """Read a study file (YAML or JSON) as it stands.

    Raises ConfigError for a missing or unreadable file, a syntax error, and a key given twice in one place (which
    YAML readers pass over in silence, keeping the last).
    """
    import yaml

    class Loader(yaml.SafeLoader):
        """A loader that refuses keys given twice."""

        def construct_mapping(self, node, deep=False):
            seen = {}
            for key, _ in node.value:
                if not isinstance(key, yaml.ScalarNode):
                    continue
                if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key '{key.value}' is given twice, first in line {seen[key.value]}",
                        key.start_mark,
                    )  # fmt: skip
                seen[key.value] = key.start_mark.line + 1
            return super().construct_mapping(node, deep)

    try:
        return yaml.load(Path(path).read_text(encoding="utf-8"), Loader)
    except OSError as error:
        raise ConfigError(
            f"cannot read the study file {path}", found=error.strerror, hint="give the path of a YAML file"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError(
            f"the study file {path}{place} is not valid YAML",
            found=getattr(error, "problem", None) or str(error).splitlines()[0],
            hint="indent with spaces, one `key: value` a line",
        ) from error


def merge(under: dict, over: dict) -> dict:
    """`over` laid on `under`: groups of keys are merged all the way down, anything else in `over` wins.

    The keys of `over` come first, in its order: rows of a table stand as the task lists them.
    """
    merged = dict(over)
    for key, value in under.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(value, merged[key]) if both else merged.get(key, value)
    return merged


def _plain(value: object) -> object:
    """A copy made of plain dicts and lists."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _apply_preset(study: dict) -> list[str]:
    """Check every preset and lay each task, and `runtime`, on the chosen one, in place. Returns the problems."""
    presets, chosen, tasks = study.get("presets", {}), study.get("preset"), study.get("tasks")
    if not isinstance(presets, dict):
        return []
    lines, broken = [], set()
    for name, preset in presets.items():
        if isinstance(preset, dict):
            found = config_schema.problems(config_schema.preset_schema(), preset, f"presets.{name}")
            lines += [line for _, line in found]
            broken |= {name} if found else set()
    if not isinstance(chosen, str):
        return lines
    if chosen not in presets:
        return [*lines, config_schema.not_among("preset", chosen, presets, "no such entry in `presets`")]
    if chosen in broken or not isinstance(presets[chosen], dict):
        return lines
    preset, own = dict(presets[chosen]), study.get("runtime", {})
    runtime = preset.pop("runtime", {})
    study["runtime"] = merge(runtime, own) if isinstance(own, dict) else own
    for name, task in tasks.items() if isinstance(tasks, dict) else ():
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


def _complete(study: dict, name: str, task: dict) -> None:
    """Fill in a valid task's defaults and what its parts inherit from one another, in place."""
    task.setdefault("generators", {}).setdefault("nnunet", {})
    if SOURCES[task["data"]["source"]].aligned:
        task.setdefault("registration", {}).setdefault("method", "none")
    config_schema.fill(config_schema.task_schema(), task)
    task.setdefault("title", name)
    task.setdefault("tolerance_mm", 2 * min(task["spacing_mm"]))
    task["training"].setdefault("precision", study["runtime"]["precision"])
    _expand_home(task["registration"])
    like = task["generators"]["nnunet"]
    for generator in task["generators"].values():
        _complete_generator(generator, like, task)
    for part in ("segmenters", "structures", "variants"):
        for entry, options in task[part].items():
            options.setdefault("label", entry)
    for segmenter in task["segmenters"].values():
        _complete_segmenter(segmenter, task)
    for network in task["feature_networks"].values():
        _complete_network(network, task)
    for structure in task["structures"].values():
        structure.setdefault("tolerance_mm", task["tolerance_mm"])
    for variant in task["variants"].values():
        generator = task["generators"].get(variant["generator"], like)
        usual = GAN_TRAINING if is_gan(generator) else {}
        variant["training"] = {**task["training"], **usual, **variant.get("training", {})}
    for entry, table in Task(name, task, Path(), study["seed"]).tables.items():
        table.complete(task["tables"][entry])
    figures = task["figures"]
    figures.setdefault("rows", list(task["variants"]))
    figures.setdefault("structures", list(task["structures"]))
    figures["zoom"].setdefault("structure", figures["structures"][0])


def _expand_home(registration: dict) -> None:
    """`~` in the paths of a user's own registration."""
    external = registration["external"]
    for part, key in ((registration, "parameter_files"), (external, "transforms")):
        part[key] = [str(Path(path).expanduser()) for path in part[key]]
    for key in ("ct", "labels"):
        external[key] = str(Path(external[key]).expanduser()) if external[key] else None


def _complete_generator(generator: dict, like: dict, task: dict) -> None:
    """The patches of a GAN are those of the generator `nnunet` unless it says otherwise."""
    generator["planner"] = {**like.get("planner", {}), **generator.get("planner", {})}
    generator["planner"].setdefault("batch_size", task["training"]["batch_size"])
    generator.setdefault("patch_size", like.get("patch_size", "auto"))


def _complete_segmenter(segmenter: dict, task: dict) -> None:
    """What a segmenter that the workflow trains inherits from the task; of one that is only loaded, `~` in its path."""
    _expand_paths(segmenter)
    if not config_checks.is_trained_here(segmenter):
        return
    like = task["generators"]["nnunet"]
    # Its classes are its foreground: structures named for the patches of generators are no choice for it.
    inherited = {**task["training"], "patch_sampling": "foreground"}
    segmenter["training"] = {**inherited, **segmenter.get("training", {})}
    batch_size = {"batch_size": segmenter["training"]["batch_size"]}
    segmenter["planner"] = {**like["planner"], **batch_size, **segmenter.get("planner", {})}
    segmenter.setdefault("patch_size", like["patch_size"])


def _complete_network(network: dict, task: dict) -> None:
    """What a feature network whose weights the workflow trains inherits from the task; of others, `~` in their path."""
    _expand_paths(network)
    if config_networks.is_stand_in(network):
        network["training"] = {**task["training"], **network.get("training", {})}
        network.setdefault("patch_size", task["generators"]["nnunet"]["patch_size"])


def _expand_paths(options: dict) -> None:
    for key in ("folder", "weights", "path"):
        if isinstance(options.get(key), str):
            options[key] = str(Path(options[key]).expanduser())
        elif isinstance(options.get(key), list):
            options[key] = [str(Path(path).expanduser()) for path in options[key]]
