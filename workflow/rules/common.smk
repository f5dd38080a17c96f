"""Names of files, and what the rules share."""

import json

from afpbench.study.checks import networks as config_networks
from afpbench.study.checks.task import NAVIAIRWAY_CLASSES
from afpbench.study.checks.task import is_trained_here
from afpbench.study.checks.task import totalsegmentator_classes
from afpbench.study.label_names import label_values
from afpbench.study.label_names import segmenter_groups as label_groups
from afpbench.study.label_names import used_names
from afpbench.generators.architecture import is_gan
from afpbench.base.provenance import code_digest
from afpbench.registration.options import external_files
from afpbench.segmenters import layout
from afpbench.study.kinds.registry import LOSSES
from afpbench.study.splits import fold_folders
from afpbench.study.splits import make_folds
from afpbench.study.splits import with_fold
from afpbench.study.kinds.sources import open_source
from afpbench.study.task import Task

RESULTS = STUDY["results"]
TASKS = STUDY["tasks"]
SEED = STUDY["seed"]
RUNTIME = STUDY["runtime"]
R = f"{RESULTS}/{{task}}"
F = f"{R}/{{fold}}"  # what is trained: `folds/0/` and so on in a cross-validation, the task's own folder otherwise
CONTROL_LABELS = {"real_ct": "Real CT", "mr_linear": "MR, linear in HU", "mean_ct": "Mean training CT"}
LOGS = f"{RESULTS}/{{task}}/logs"
BENCHMARKS = f"{RESULTS}/{{task}}/benchmarks"

SOURCES = {name: Task(name, task, ROOT, SEED).source for name, task in TASKS.items()}
ALL_CASES = {name: source.cases() for name, source in SOURCES.items()}
FOLDS = {name: fold_folders(task["splits"]) for name, task in TASKS.items()}
SPLITS = {
    name: dict(zip(FOLDS[name], make_folds(ALL_CASES[name], task["splits"], SEED, name), strict=True))
    for name, task in TASKS.items()
}
TEST = {name: sorted(case for split in splits.values() for case in split["test"]) for name, splits in SPLITS.items()}
UNUSED = {name: set.intersection(*(set(s["unused"]) for s in splits.values())) for name, splits in SPLITS.items()}
CASES = {name: [case for case in cases if case not in UNUSED[name]] for name, cases in ALL_CASES.items()}


wildcard_constraints:
    task="|".join(TASKS),
    fold=r"(?:|folds/\d+/)",
    case=r"[^/]+",
    variant="|".join(variant for task in TASKS.values() for variant in task["variants"]),
    control="|".join(CONTROL_LABELS),
    segmenter="|".join(name for task in TASKS.values() for name in task["segmenters"]) or "none",
    network="|".join(name for task in TASKS.values() for name in task["feature_networks"]) or "none",
    digest="[0-9a-f]{12}",
    file=r"[^/]+",
    row="[A-Za-z0-9_-]+",
    pick="[^/]+",
    chunk=r"\d+",


def option(*keys):
    """A parameter of the wildcards' task: option("training", "iterations") reads tasks.<task>.training.iterations."""

    def read(wildcards):
        value = TASKS[wildcards.task]
        for key in keys:
            value = value[getattr(wildcards, key[1:-1]) if key.startswith("{") else key]
        return value

    return read


def prepared_folders(task, cases):
    return [f"{RESULTS}/{task}/cases/{case}/prepared" for case in cases]


def prepared(*parts):
    """The prepared folders of the cases in the given parts of the fold's split."""
    return lambda wildcards: [
        folder
        for part in parts
        for folder in prepared_folders(wildcards.task, SPLITS[wildcards.task][wildcards.fold][part])
    ]


def prepared_test(wildcards):
    """The prepared folders of all test cases."""
    return prepared_folders(wildcards.task, TEST[wildcards.task])


def rows(task):
    """The rows of the tables of a task: its variants, then its controls."""
    return [*TASKS[task]["variants"], *TASKS[task]["controls"]]


def in_chunks(task, cases):
    size = TASKS[task]["inference"]["cases_per_job"]
    return [cases[i : i + size] for i in range(0, len(cases), size)]


def chunks(task):
    """(fold, test cases of it) in chunks: a job that loads a network serves a whole chunk."""
    return [(fold, cases) for fold, split in SPLITS[task].items() for cases in in_chunks(task, split["test"])]


def chunk_fold(wildcards):
    return chunks(wildcards.task)[int(wildcards.chunk)][0]


def chunk_cases(wildcards):
    return chunks(wildcards.task)[int(wildcards.chunk)][1]


def chunk_prepared(wildcards):
    return prepared_folders(wildcards.task, chunk_cases(wildcards))


def of_chunk_fold(output):
    """What a rule of the training side makes for the fold of a chunk."""
    return lambda wildcards: expand(output, **(dict(wildcards.items()) | {"fold": chunk_fold(wildcards)}))[0]


def chunk_training(wildcards):
    """The prepared training cases of a chunk's fold."""
    return prepared_folders(wildcards.task, SPLITS[wildcards.task][chunk_fold(wildcards)]["train"])


def records(pattern):
    """The records of all chunks: pattern holds {task}, {chunk} and wildcards."""
    return lambda wildcards: [
        pattern.format(**{**dict(wildcards.items()), "chunk": i}) for i in range(len(chunks(wildcards.task)))
    ]


def growing(amount):
    """A resource of which a job gets `amount` in its first attempt, twice and three times as much in the next ones."""
    return lambda wildcards, attempt: amount * attempt


def precision(training):
    return training["precision"] if training["precision"] != "auto" else RUNTIME["precision"]


def all_results():
    """Everything that a finished study has."""
    files = []
    for task, spec in TASKS.items():
        base = f"{RESULTS}/{task}"
        files += [
            f"{base}/registration/registration.csv",
            f"{base}/registration/qc.html",
            f"{base}/metrics/metrics.csv",
        ]
        files += [f"{base}/statistics/statistics.csv"]
        if not SOURCES[task].makes_cases:
            files += [f"{base}/check/index.html"]
        if has_accuracy(task):
            files += [f"{base}/segmenters/accuracy.csv"]
        files += [f"{base}/tables/{table}.{kind}" for table in spec["tables"] for kind in ("csv", "md", "tex", "html")]
        files += [*figure_files(task), *figure_files(task, "pdf")]
    return files + ([f"{RESULTS}/report.html"] if STUDY["report"] else [])


def has_accuracy(task):
    """Whether a task's segmenters can be compared with true labels."""
    return SOURCES[task].has_true_labels and bool(TASKS[task]["segmenters"])


def summary():
    """What the terminal shows at the end of a run: where the tables are, and the tables themselves."""
    lines = ["", "afpbench: done. The tables:"]
    for task, spec in TASKS.items():
        for table in spec["tables"]:
            path = Path(f"{RESULTS}/{task}/tables/{table}.md")
            if path.exists():
                lines += ["", f"{path} (and .csv, .tex, .html)", "", path.read_text(encoding="utf-8").rstrip()]
    if STUDY["report"]:
        lines += ["", f"Everything on one page: {RESULTS}/report.html"]
    return "\n".join(lines)


def failure_hint(log):
    """What the terminal shows when a run fails: where to look, and how to go on."""
    failed = []
    try:
        path = log[0] if isinstance(log, list) else log
        text = Path(path).read_text(encoding="utf-8", errors="replace")
        failed = [line.strip() for line in text.splitlines() if line.strip().startswith("log:") and "check" in line]
    except OSError as error:
        failed = [f"(Snakemake's own log cannot be read: {error})"]
    lines = ["", "afpbench: the run did not finish. Logs of the rules that failed:"]
    lines += [f"  {line}" for line in dict.fromkeys(failed)] or ["  (none: see the message above)"]
    lines += ["Finished work is kept: mend the cause and give the same command again."]
    return "\n".join(lines)


def download_source(kind):
    """The source of the first task with a source of this kind; with default options where none has it."""
    return next((source for source in SOURCES.values() if source.name == kind), open_source({"source": kind}, ROOT))


STS_DOWNLOADS = download_source("sts").download_folder
SYNTHRAD2023 = download_source("synthrad2023").download_folder


def source_files(wildcards):
    """The files that a case is made of, so that a mended one is imported again; downloaded first where they are not here."""
    return [str(path) for path in SOURCES[wildcards.task].input_files(wildcards.case)]


def import_options(wildcards):
    """What the import of a case depends on: which other cases there are, and where they are fetched, is not among it."""
    return SOURCES[wildcards.task].import_options()


def own_registration(wildcards):
    """The files that a user's own registration of a case is read from, and the user's parameter files.

    One that is missing is the registration's to complain about, with the case's name.
    """
    options = TASKS[wildcards.task]["registration"]
    files = [path for paths in external_files(options, wildcards.case).values() for path in paths]
    return [path for path in [*files, *options["parameter_files"]] if Path(path).is_file()]


def segmenter_groups(wildcards):
    """Class name -> values in the label maps that a segmenter learns from: the cases' own, or its teacher's."""
    segmenter = TASKS[wildcards.task]["segmenters"][wildcards.segmenter]
    if segmenter["kind"] == "distilled":
        values = class_values(wildcards.task, segmenter["teacher"])
        return {name: [values[member] for member in members] for name, members in segmenter["classes"].items()}
    return label_groups(SOURCES[wildcards.task], segmenter)


def taught_chunks(wildcards):
    """The training and validation cases of a fold in chunks: what a teacher labels."""
    split = SPLITS[wildcards.task][wildcards.fold]
    return in_chunks(wildcards.task, [*split["train"], *split["validation"]])


def taught_cases(wildcards):
    return taught_chunks(wildcards)[int(wildcards.chunk)]


def taught_prepared(wildcards):
    return prepared_folders(wildcards.task, taught_cases(wildcards))


def teacher_records(wildcards):
    """The records of the label maps that a distilled segmenter learns from."""
    segmenter = TASKS[wildcards.task]["segmenters"][wildcards.segmenter]
    if segmenter["kind"] != "distilled":
        return []
    folder = f"{RESULTS}/{wildcards.task}/{wildcards.fold}teacher_labels/{segmenter['teacher']}/records"
    return [f"{folder}/{i}.json" for i in range(len(taught_chunks(wildcards)))]


def segmenter_model(task, fold, name):
    """The folder of a segmenter's weights."""
    segmenter = TASKS[task]["segmenters"][name]
    if segmenter["kind"] in ("trained", "distilled"):
        return f"{RESULTS}/{task}/{fold}models/segmenters/{name}"
    if segmenter["kind"] == "totalsegmentator" and segmenter["weights"] == "stand_in":
        return f"{RESULTS}/{task}/{fold}models/totalsegmentator/{name}"
    if segmenter["kind"] == "naviairway":
        return str(Path(segmenter["weights"][0]).parent)
    return segmenter["folder"] if segmenter["kind"] == "nnunet" else segmenter["weights"]


def segmenter_input(task, fold, name):
    """The files or the folder that stand for a segmenter's weights in a rule's input."""
    if TASKS[task]["segmenters"][name]["kind"] == "naviairway":
        return TASKS[task]["segmenters"][name]["weights"]
    if TASKS[task]["segmenters"][name]["kind"] in ("trained", "distilled"):
        return f"{segmenter_model(task, fold, name)}/fold_0/checkpoint_final.pth"
    return segmenter_model(task, fold, name)


def chunk_segmenter_input(wildcards):
    return segmenter_input(wildcards.task, chunk_fold(wildcards), wildcards.segmenter)


def chunk_segmenter_model(wildcards):
    return segmenter_model(wildcards.task, chunk_fold(wildcards), wildcards.segmenter)


def network_file(task, fold, name):
    """The file, files or folder of weights of a feature network that is no segmenter."""
    network = TASKS[task]["feature_networks"][name]
    if network["kind"] == "naviairway":
        return network["weights"]
    if config_networks.is_stand_in(network):
        return f"{RESULTS}/{task}/{fold}models/networks/{name}/resnet.pth"
    if network["kind"] != "medicalnet":
        return network["folder"] if network["kind"] == "nnunet" else network["path"]
    weights = network["weights"]
    return config_networks.download_path(weights) if isinstance(weights, dict) else weights


def stand_in_options(wildcards):
    """What training a stand-in needs: its options, and the planner of the generator `nnunet`."""
    task = TASKS[wildcards.task]
    network = task["feature_networks"][wildcards.network]
    return {key: network[key] for key in ("depth", "training", "patch_size")} | {
        "planner": task["generators"]["nnunet"]["planner"]
    }


def download_of(wildcards):
    """The `weights` of the study file that a download is made of."""
    path = f"{config_networks.DOWNLOADS}/{wildcards.digest}/{wildcards.file}"
    networks = [network for task in TASKS.values() for network in task["feature_networks"].values()]
    downloads = [network["weights"] for network in networks if isinstance(network.get("weights"), dict)]
    return next(weights for weights in downloads if config_networks.download_path(weights) == path)


def network_inputs(wildcards):
    """The weights of every network in a variant's loss."""
    task, fold = wildcards.task, wildcards.fold
    segmenters, files = TASKS[task]["segmenters"], []
    for name in loss_networks(wildcards):
        found = segmenter_input(task, fold, name) if name in segmenters else network_file(task, fold, name)
        files += [found] if isinstance(found, str) else found
    return files


def feature_networks(wildcards):
    """The networks whose features a variant's loss uses: name -> what afpbench.features.load takes."""
    task, fold = wildcards.task, wildcards.fold
    segmenters = TASKS[task]["segmenters"]
    return {
        name: segmenter_features(task, fold, name) if name in segmenters else network_features(task, fold, name)
        for name in loss_networks(wildcards)
    }


def segmenter_features(task, fold, name):
    """A segmenter as a feature network."""
    if TASKS[task]["segmenters"][name]["kind"] == "naviairway":
        return {"kind": "naviairway", "weights": TASKS[task]["segmenters"][name]["weights"]}
    segmenter, folder = TASKS[task]["segmenters"][name], segmenter_model(task, fold, name)
    if segmenter["kind"] == "totalsegmentator":
        folder = str(layout.model_folder(Path(folder), segmenter["task"]))
    spec = {"kind": "nnunet", "folder": folder}
    return spec | {"fold": folds(segmenter)} if segmenter["kind"] == "nnunet" else spec


def network_features(task, fold, name):
    """An entry of `feature_networks` as a feature network."""
    network = TASKS[task]["feature_networks"][name]
    kind, path = network["kind"], network_file(task, fold, name)
    if kind == "nnunet":
        return {"kind": kind, "folder": path, "fold": folds(network)}
    if kind == "naviairway":
        return {"kind": kind, "weights": path}
    if kind == "medicalnet":
        keys, spec = ("mean_hu", "std_hu"), {"kind": kind, "weights": path}
        if isinstance(network["weights"], dict):
            spec["sha256"] = network["weights"]["sha256"]
    else:
        keys, spec = ("mean_hu", "std_hu", "clip_hu", "network_spacing_mm", "divisor"), {"kind": kind, "path": path}
    return spec | {key: network[key] for key in keys}


def folds(options):
    """`folds` of a model folder as afpbench.features.load takes them: one number by itself."""
    chosen = options["folds"]
    return chosen[0] if isinstance(chosen, list) and len(chosen) == 1 else chosen


def variant_training(wildcards):
    """What defines the training of a variant: a new label or calibration retrains nothing."""
    variant = TASKS[wildcards.task]["variants"][wildcards.variant]
    return {key: variant[key] for key in ("generator", "loss", "training")}


def named_label_values(wildcards):
    """The label values of the names that a variant's patch sampling and loss regions use."""
    task = TASKS[wildcards.task]
    known = label_values(task)
    return {name: known[name] for name in used_names(task["variants"][wildcards.variant])}


def loss_code(wildcards):
    """Digest of the losses that a variant uses: a new loss beside them retrains nothing."""
    terms = TASKS[wildcards.task]["variants"][wildcards.variant]["loss"]
    modules = {module.removeprefix("afpbench.") for term in terms for module in LOSSES[term["term"]].code()}
    shared = [
        f"losses.{name}"
        for name in (
            "base",
            "composite",
            "distance",
            "feature_distance",
            "gradients",
            "segmented_region",
            "weighting",
        )
    ]
    return code_digest(*shared, *sorted(modules))


def generator_code(wildcards):
    """Digest of the network that a variant trains: a change of another kind retrains nothing."""
    task = TASKS[wildcards.task]
    generator = task["generators"][task["variants"][wildcards.variant]["generator"]]
    networks = ["pix2pixhd", "discriminator", "adversarial"] if is_gan(generator) else []
    if generator["kind"] == "spade":
        networks.append("spade")
    if generator.get("decoder") == "trilinear":
        networks.append("trilinear")
    return code_digest(*(f"generators.{name}" for name in ("architecture", *networks)))


def loss_networks(wildcards):
    """Names of the networks in a variant's loss, in order."""
    names = []
    for term in TASKS[wildcards.task]["variants"][wildcards.variant]["loss"]:
        for entry in [*term.get("networks", []), *([term["network"]] if term.get("network") else [])]:
            names.append(entry["name"] if isinstance(entry, dict) else entry)
        names += [term["region_by"]] if term.get("region_by") else []
    return list(dict.fromkeys(names))


def start_checkpoint(wildcards):
    """The checkpoint of the variant that this one starts from, if any."""
    start = TASKS[wildcards.task]["variants"][wildcards.variant]["init_from"]
    folder = f"{RESULTS}/{wildcards.task}/{wildcards.fold}models/variants/{start}"
    return [f"{folder}/fold_0/checkpoint_final.pth"] if start else []


def calibration(wildcards):
    """The HU calibration of a variant that has one, for a chunk."""
    method = TASKS[wildcards.task]["variants"][wildcards.variant]["hu_calibration"]
    return of_chunk_fold(rules.calibrate_variant.output)(wildcards) if method != "none" else []


def segmentation_records(wildcards):
    """Records of the segmentations that a row's metrics compare: the real CT's and the row's own."""
    task = TASKS[wildcards.task]
    names = dict.fromkeys(structure["segmenter"] for structure in task["structures"].values())
    return [
        f"{RESULTS}/{wildcards.task}/segmentations/{name}/{image}/records/{i}.json"
        for name in names
        for image in ("ct", wildcards.row)
        for i in range(len(chunks(wildcards.task)))
    ]


def structures(wildcards):
    """The structures of a task with label values instead of class names: what afpbench.metrics takes."""
    task = TASKS[wildcards.task]
    return {
        name: {
            "segmenter": spec["segmenter"],
            "labels": [class_values(wildcards.task, spec["segmenter"])[c] for c in spec["classes"]],
            "tolerance_mm": spec["tolerance_mm"],
            "tree": spec["tree"],
        }
        for name, spec in task["structures"].items()
    }


def class_values(task, name):
    """Class name -> value in the label maps of a segmenter."""
    segmenter = TASKS[task]["segmenters"][name]
    if segmenter["kind"] in ("trained", "distilled"):
        return {group: value for value, group in enumerate(segmenter["classes"], start=1)}
    if segmenter["kind"] == "totalsegmentator":
        return {name: value for value, name in totalsegmentator_classes().items()}
    if segmenter["kind"] == "naviairway":
        return NAVIAIRWAY_CLASSES
    labels = json.loads((ROOT / segmenter["folder"] / "dataset.json").read_text())["labels"]
    return {name: value for name, value in labels.items() if isinstance(value, int)}


def known_classes(wildcards):
    """Class name -> value, of all classes whose values a segmenter's label maps may hold; {} where it does not say."""
    segmenter = TASKS[wildcards.task]["segmenters"][wildcards.segmenter]
    if segmenter["kind"] == "nnunet":
        labels = json.loads((ROOT / segmenter["folder"] / "dataset.json").read_text())["labels"]
        return labels if all(isinstance(value, int) for value in labels.values()) else {}
    return class_values(wildcards.task, wildcards.segmenter)


def structure_truth(task):
    """Structure -> values in the cases' true label maps (phantoms know them)."""
    segmenters = TASKS[task]["segmenters"]
    groups = {name: label_groups(SOURCES[task], s) for name, s in segmenters.items()}
    for name, segmenter in segmenters.items():
        if segmenter["kind"] == "distilled":
            known = groups[segmenter["teacher"]]
            groups[name] = {c: [v for m in ms for v in known.get(m, [])] for c, ms in segmenter["classes"].items()}
    return {
        name: [value for c in spec["classes"] for value in groups[spec["segmenter"]].get(c, [])]
        for name, spec in TASKS[task]["structures"].items()
    }


def table_inputs(wildcards):
    """What a table is made of: the metrics and their statistics, or the records of what trainings and syntheses took."""
    base, table = f"{RESULTS}/{wildcards.task}", TASKS[wildcards.task]["tables"][wildcards.table]
    if table["kind"] == "scores":
        return {"metrics": f"{base}/metrics/metrics.csv", "statistics": f"{base}/statistics/statistics.csv"}
    parts = range(len(chunks(wildcards.task)))
    return {
        "costs": [
            f"{base}/{fold}models/variants/{row}/cost.json" for row in table["rows"] for fold in FOLDS[wildcards.task]
        ],
        "syntheses": [f"{base}/synthetic/{row}/records/{i}.json" for row in table["rows"] for i in parts],
    }


def row_labels(task):
    """Row -> its name for people."""
    return {name: variant["label"] for name, variant in TASKS[task]["variants"].items()} | CONTROL_LABELS


def table_context(task):
    """What the tables say of a task beyond a table's own spec."""
    spec = TASKS[task]
    return {
        "task": task,
        "variants": list(spec["variants"]),
        "controls": spec["controls"],
        "reference": spec["reference"],
        "labels": row_labels(task),
        "structures": {
            name: {"label": s["label"], "segmenter": s["segmenter"]} for name, s in spec["structures"].items()
        },
        "alpha": spec["statistics"]["alpha"],
        "losses": {name: variant["loss"] for name, variant in spec["variants"].items()},
    }
