"""What the rules of figures and of the report share."""

PLANES = ["coronal", "sagittal", "axial"]


def figure_files(task, kind="png"):
    """The figures of a task, as files of one kind."""
    base = f"{RESULTS}/{task}/figures"
    files = [f"{base}/{pick}/slices_{plane}.{kind}" for pick in TASKS[task]["figures"]["cases"] for plane in PLANES]
    files += [f"{base}/{pick}/surfaces.{kind}" for pick in TASKS[task]["figures"]["cases"]]
    files += [f"{base}/distributions.{kind}"] if table_metrics(task) else []
    return files + [f"{base}/curves.{kind}"]


def table_metrics(task):
    """Every metric of a task's tables once, with its structure or region."""
    columns = [
        (column["metric"], column["structure"] or column["region"])
        for table in TASKS[task]["tables"].values()
        for column in table.get("columns", [])
    ]
    return [{"metric": metric, "place": place} for metric, place in dict.fromkeys(columns)]


def table_columns(wildcards):
    return table_metrics(wildcards.task)


def trained_networks(task, file):
    """(name for people, file) of every network that the workflow trains, in every fold."""
    spec = TASKS[task]
    networks = [(v["label"], f"models/variants/{name}/{file}") for name, v in spec["variants"].items()]
    segmenters = [(s.options["label"], name) for name, s in KINDS[task].segmenters.items() if s.trained_here]
    networks += [(label, f"models/segmenters/{name}/{file}") for label, name in segmenters]
    return [
        (with_fold(label, fold), f"{RESULTS}/{task}/{fold}{path}") for label, path in networks for fold in FOLDS[task]
    ]


def figure_context(wildcards):
    """What afpbench.figures.cases.Context takes."""
    task = TASKS[wildcards.task]
    known = structures(wildcards)
    return {
        "root": f"{RESULTS}/{wildcards.task}",
        "rows": task["figures"]["rows"],
        "labels": row_labels(wildcards.task),
        "reference": task["reference"],
        "structures": {name: {**known[name], "label": spec["label"]} for name, spec in task["structures"].items()},
    }


def figure_options(wildcards, *keys):
    """The part of a task's figure settings that one kind of figure reads."""
    return {key: TASKS[wildcards.task]["figures"][key] for key in keys}


def figure_synthetic(wildcards):
    """Records of the synthetic CT that figures show."""
    return [
        f"{RESULTS}/{wildcards.task}/synthetic/{row}/records/{i}.json"
        for row in TASKS[wildcards.task]["figures"]["rows"]
        for i in range(len(chunks(wildcards.task)))
    ]


def figure_segmentations(key):
    """Records of the segmentations that figures show: of the zoom's structure in the real CT, or of all structures."""

    def records_of(wildcards):
        task = TASKS[wildcards.task]
        figures = task["figures"]
        shown = [figures["zoom"]["structure"]] if key == "zoom" else figures["structures"]
        images = ["ct"] if key == "zoom" else ["ct", *figures["rows"]]
        names = dict.fromkeys(task["structures"][structure]["segmenter"] for structure in shown)
        return [
            f"{RESULTS}/{wildcards.task}/segmentations/{name}/{image}/records/{i}.json"
            for name in names
            for image in images
            for i in range(len(chunks(wildcards.task)))
        ]

    return records_of


def report_records():
    """Files beside tables and figures that the report reads."""
    files = []
    for task, spec in TASKS.items():
        base = f"{RESULTS}/{task}"
        files += [f"{base}/metrics/metrics.csv", f"{base}/statistics/statistics.csv"]
        files += [f"{base}/{fold}splits/splits.json" for fold in FOLDS[task]]
        files += [f"{base}/registration/registration.csv"]
        files += [path for _, path in trained_networks(task, "cost.json")]
        files += [f"{base}/segmenters/accuracy.csv"] if has_accuracy(task) else []
    return files
