"""The options of a registration: defaults, and what cannot be. Standard library only."""

from typing import Any

from ..base.errors import ConfigError

DEFAULTS: dict[str, Any] = {
    "method": "elastix",
    "stages": ["translation", "bspline"],
    "resolutions": 3,
    "iterations": 60,
    "samples": 3000,
    "mask": "body",
    "bspline_spacing_mm": 45.0,
    "bending_energy_weight": 1000.0,
    "edge_weight": 0.0,
    "edge_smooth_mm": 2.0,
    "parameter_files": [],
    "folding": {"attempts": 2, "spacing_factor": 1.5, "bending_factor": 10.0, "then": "keep"},
    "external": {"transforms": [], "ct": None, "labels": None},
    "impact": {
        "model": None,
        "layers": "1",
        "weights": [],
        "distance": "L2",
        "voxel_mm": None,
        "iterations": 80,
        "smoothness": 5.0,
        "grid_voxels": 2,
        "device": "cpu",
    },
    "seed": 2026,
    "threads": 1,
}
# The options of a method whose settings are fixed as a whole; registration.parameters has what is no option.
SETTINGS: dict[str, dict[str, Any]] = {
    "synthrad2025": {  # the organisers', for MR of the abdomen: configs/param_def_mr_AB.txt of their preprocessing
        "stages": ["bspline"],
        "resolutions": 3,
        "iterations": [2000, 2000, 1000],
        "samples": 4096,
        "bspline_spacing_mm": 15.0,
        "bending_energy_weight": 50.0,
        "edge_weight": 0.0,
    }
}
# Options that a method has no use for: IMPACT takes the place of the B-spline.
UNUSED: dict[str, tuple[str, ...]] = {
    "impact": ("bspline_spacing_mm", "bending_energy_weight", "edge_weight", "edge_smooth_mm")
}
METHODS = ("elastix", *SETTINGS, "impact", "external", "truth", "none")
STAGES = ("translation", "rigid", "affine", "bspline")
MASKS = ("body", "none")
AFTER_FOLDING = ("keep", "fail")
POSITIVE = ("resolutions", "iterations", "samples", "bspline_spacing_mm", "edge_smooth_mm", "threads")
MODELS = "IMPACT's authors publish theirs on Hugging Face as VBoussot/impact-torchscript-models"
CASE = "{case}"
TRAINING_SIDE = "_train"
OTHER_METHOD = "remove it, or set method to 'elastix'"


def checked_options(options: dict) -> dict:
    """The options with defaults, groups too, and with those that the method fixes.

    A ConfigError names what is unknown or impossible.
    """
    full = _filled("registration", options, DEFAULTS)
    _one_of("registration.method", full["method"], METHODS)
    _one_of("registration.mask", full["mask"], MASKS)
    _one_of("registration.folding.then", full["folding"]["then"], AFTER_FOLDING)
    wrong = [stage for stage in full["stages"] if stage not in STAGES]
    if wrong or not full["stages"]:
        raise ConfigError(
            "registration.stages",
            found=full["stages"],
            expected="a list of " + ", ".join(STAGES),
            hint="correct the stages, or set registration.method to 'none'",
        )
    for name in POSITIVE:
        if not full[name] > 0:
            raise ConfigError(f"registration.{name}", found=full[name], expected="a number over 0")
    for name in ("bending_energy_weight", "edge_weight"):
        if full[name] < 0:
            raise ConfigError(f"registration.{name}", found=full[name], expected="0 or a number over 0")
    if lines := problems(full):
        raise ConfigError("; ".join(f"registration.{line}" for line in lines))
    return {**full, **SETTINGS.get(full["method"], {})}


def problems(options: dict) -> list[str]:
    """What does not fit together in options with defaults, one line each, without the leading `registration.`."""
    external = options["external"]
    given = [name for name in ("transforms", "ct") if external[name]]
    lines = []
    for name in (*SETTINGS.get(options["method"], {}), *UNUSED.get(options["method"], ())):
        if options[name] != DEFAULTS[name]:
            lines.append(f"{name}: has no effect with method '{options['method']}'; hint: {OTHER_METHOD}")
    if options["method"] == "external" and len(given) != 1:
        found = " and ".join(given) or "neither"
        lines.append(f"external: needs `transforms` or `ct`; found: {found}; allowed: one of the two")
    if options["method"] != "external" and (given or external["labels"]):
        lines.append(f"external: has no effect with method '{options['method']}'; hint: set method to 'external'")
    if external["transforms"] and external["labels"]:
        lines.append("external.labels: has no effect beside transforms, which warp labels; hint: remove it")
    for name, pattern in [("ct", external["ct"]), ("labels", external["labels"])]:
        if pattern and CASE not in pattern:
            lines.append(f"external.{name}: one file for all cases; found: '{pattern}'; allowed: a path with {CASE}")
    for pattern in external["transforms"]:
        if CASE not in pattern:
            lines.append(f"external.transforms: one file for all cases; found: '{pattern}'; allowed: paths with {CASE}")
    if options["edge_weight"] and "bspline" not in options["stages"]:
        lines.append("edge_weight: has no effect without the stage bspline; hint: set it to 0, or add the stage")
    if options["parameter_files"] and options["method"] != "elastix":
        lines.append(f"parameter_files: has no effect with method '{options['method']}'; hint: {OTHER_METHOD}")
    return [*lines, *_impact_problems(options)]


def _impact_problems(options: dict) -> list[str]:
    """What does not fit together in the options of IMPACT."""
    impact, used = options["impact"], options["impact"]["layers"].count("1")
    if options["method"] != "impact":
        given = [name for name, value in impact.items() if value != DEFAULTS["impact"][name]]
        hint = f"has no effect with method '{options['method']}'; hint: set method to 'impact'"
        return [f"impact.{name}: {hint}" for name in given]
    lines = []
    if not impact["model"]:
        lines.append(f"impact.model: missing; allowed: the file of a TorchScript module; hint: {MODELS}")
    if not used or set(impact["layers"]) - {"0", "1"}:
        lines.append(
            f"impact.layers: no output is compared; found: '{impact['layers']}'; allowed: for each output of the model "
            "1 where it is compared and 0 where not, such as '01'"
        )
    if impact["weights"] and len(impact["weights"]) != used:
        count = len(impact["weights"])
        lines.append(f"impact.weights: one for each 1 in impact.layers; found: {count}; allowed: {used}, or none")
    return lines


def per_side(registration: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The options by side, as the wildcard `side` has it: "" for the CT that test cases are compared with, `_train` for
    the one that is learned from, where a task registers the two apart."""
    if "train" not in registration:
        return {"": registration}
    return {"": registration["evaluate"], TRAINING_SIDE: registration["train"]}


def places(registration: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The same by the place in the study file."""
    names = {"": "registration.evaluate", TRAINING_SIDE: "registration.train"}
    sides = per_side(registration)
    return {names[side] if len(sides) > 1 else "registration": options for side, options in sides.items()}


def external_files(options: dict, case: str) -> dict[str, list[str]]:
    """The paths that a case's own registration is read from: kind (`transforms`, `ct`, `labels`) -> paths."""
    external = options["external"]
    patterns = {"transforms": external["transforms"], "ct": [external["ct"]], "labels": [external["labels"]]}
    return {kind: [path.replace(CASE, case) for path in paths if path] for kind, paths in patterns.items()}


def _filled(place: str, options: dict, defaults: dict) -> dict:
    unknown = sorted(set(options) - set(defaults))
    if unknown:
        raise ConfigError(
            f"{place}: unknown option", found=", ".join(unknown), expected=", ".join(defaults), hint="correct it"
        )
    full = {**defaults, **options}
    groups = {name: value for name, value in defaults.items() if isinstance(value, dict)}
    return full | {name: _filled(f"{place}.{name}", full[name], value) for name, value in groups.items()}


def _one_of(place: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ConfigError(place, found=value, expected=" or ".join(allowed))
