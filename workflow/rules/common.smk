"""Names of files, and what the rules share."""

from afpbench.study.label_names import label_values
from afpbench.study.label_names import used_names
from afpbench.base.provenance import code_digest
from afpbench.registration.options import external_files
from afpbench.study.splits import fold_folders
from afpbench.study.splits import make_folds
from afpbench.study.splits import with_fold
from afpbench.study.kinds.sources import open_source
from afpbench.study.kinds.network import DOWNLOADS, download_path
from afpbench.study.task import Task

RESULTS = STUDY["results"]
TASKS = STUDY["tasks"]
SEED = STUDY["seed"]
KINDS = {name: Task(name, options, ROOT, SEED) for name, options in TASKS.items()}
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
    return KINDS[wildcards.task].segmenters[wildcards.segmenter].label_groups()


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
    teacher = KINDS[wildcards.task].segmenters[wildcards.segmenter].teacher
    if teacher is None:
        return []
    folder = f"{RESULTS}/{wildcards.task}/{wildcards.fold}teacher_labels/{teacher}/records"
    return [f"{folder}/{i}.json" for i in range(len(taught_chunks(wildcards)))]


def segmenter_model(task, fold, name):
    """The folder of a segmenter's weights."""
    return KINDS[task].segmenters[name].model_folder(f"{RESULTS}/{task}/{fold}")


def segmenter_input(task, fold, name):
    """The files or the folder that stand for a segmenter's weights in a rule's input."""
    return KINDS[task].segmenters[name].inputs(f"{RESULTS}/{task}/{fold}")


def chunk_segmenter_input(wildcards):
    return segmenter_input(wildcards.task, chunk_fold(wildcards), wildcards.segmenter)


def chunk_segmenter_model(wildcards):
    return segmenter_model(wildcards.task, chunk_fold(wildcards), wildcards.segmenter)


def stand_in_options(wildcards):
    """What training a stand-in needs: its options, and the planner of the generator `nnunet`."""
    return KINDS[wildcards.task].networks[wildcards.network].training_options()


def download_of(wildcards):
    """The `weights` of the study file that a download is made of."""
    path = f"{DOWNLOADS}/{wildcards.digest}/{wildcards.file}"
    downloads = [network.download for task in KINDS.values() for network in task.networks.values() if network.download]
    return next(weights for weights in downloads if download_path(weights) == path)


def network_inputs(wildcards):
    """The weights of every network in a variant's loss."""
    task, folder = KINDS[wildcards.task], f"{RESULTS}/{wildcards.task}/{wildcards.fold}"
    return [
        path for name in task.loss_networks(wildcards.variant) for path in task.feature_network(name).inputs(folder)
    ]


def feature_networks(wildcards):
    """The networks whose features a variant's loss uses: name -> what afpbench.features.load takes."""
    task, folder = KINDS[wildcards.task], f"{RESULTS}/{wildcards.task}/{wildcards.fold}"
    return {name: task.feature_network(name).features(folder) for name in task.loss_networks(wildcards.variant)}


def variant_training(wildcards):
    """What defines the training of a variant: a new label or calibration retrains nothing."""
    variant = TASKS[wildcards.task]["variants"][wildcards.variant]
    return {key: variant[key] for key in ("generator", "loss", "training")}


def named_label_values(wildcards):
    """The label values of the names that a variant's patch sampling and loss regions use."""
    task = TASKS[wildcards.task]
    known = label_values(KINDS[wildcards.task])
    return {name: known[name] for name in used_names(task["variants"][wildcards.variant])}


def loss_code(wildcards):
    """Digest of the losses that a variant uses: a new loss beside them retrains nothing."""
    names = ("base", "composite", "distance", "feature_distance", "gradients", "segmented_region", "weighting")
    terms = {module for loss in KINDS[wildcards.task].losses(wildcards.variant) for module in loss.code()}
    shared = [f"losses.{name}" for name in names]
    return code_digest(*shared, *sorted(term.removeprefix("afpbench.") for term in terms))


def generator_code(wildcards):
    """Digest of the network that a variant trains: a change of another kind retrains nothing."""
    task = KINDS[wildcards.task]
    generator = task.generators[task.options["variants"][wildcards.variant]["generator"]]
    return code_digest(*(name.removeprefix("afpbench.") for name in generator.code_of(generator.options)))


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
    return KINDS[task].segmenters[name].class_values()


def known_classes(wildcards):
    """Class name -> value, of all classes whose values a segmenter's label maps may hold; {} where it does not say."""
    return KINDS[wildcards.task].segmenters[wildcards.segmenter].known_values()


def structure_truth(task):
    """Structure -> values in the cases' true label maps (phantoms know them)."""
    groups = {name: segmenter.true_labels() for name, segmenter in KINDS[task].segmenters.items()}
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
