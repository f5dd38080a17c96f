"""What rules ask of a study, worked out by hand: the tiny study, one with folds, one with a distilled segmenter."""

from pathlib import Path

import pytest
import yaml
from conftest import PROJECT, TINY_STUDY

from afpbench.study.load import load_study
from afpbench.study.plan import StudyPlan, failure_hint
from afpbench.study.plan.results import ResultPlan

TRAIN, VALIDATION, TEST = ["thorax_000", "thorax_001", "thorax_002"], ["thorax_003"], ["thorax_004", "thorax_005"]
RESULTS = "results/thorax"


def planned(change=lambda task: None, **keys):
    """The plan of the tiny study with a split by hand; `change` edits its task, keys are the study's own."""
    study = yaml.safe_load(TINY_STUDY.read_text()) | keys
    task = study["tasks"]["thorax"]
    task["splits"] = {"train": TRAIN, "validation": VALIDATION, "test": TEST}
    change(task)
    return StudyPlan(load_study(study, PROJECT), PROJECT)


@pytest.fixture(scope="module")
def tiny():
    return planned().tasks["thorax"]


@pytest.fixture(scope="module")
def folded():
    def change(task):
        task["splits"] = {"folds": 3, "validation": 1}
        task["inference"] = {"cases_per_job": 1}
        task["variants"]["nnunet_l1"]["hu_calibration"] = "affine"
        task["variants"]["nnunet_afp"]["init_from"] = "nnunet_l1"

    return planned(change).tasks["thorax"]


@pytest.fixture(scope="module")
def distilled():
    def change(task):
        task["segmenters"]["fused"] = {
            "kind": "distilled", "teacher": "navi", "classes": {"lower": ["trachea"], "tree": ["airway"]},
        }  # fmt: skip
        task["structures"]["tree"] = {"segmenter": "fused", "classes": ["tree"]}
        task["inference"] = {"cases_per_job": 3}
        loss = {"term": "perceptual", "networks": ["fused"], "region": "inside", "region_of": ["airways"]}
        task["variants"]["nnunet_afp"]["loss"].append(loss)

    return planned(change).tasks["thorax"]


# --- the tiny study


def test_cases_and_chunks(tiny):
    cases = tiny.cases
    assert cases.splits == {"": {"seed": 7, "train": TRAIN, "validation": VALIDATION, "test": TEST, "unused": []}}
    assert cases.used == [*TRAIN, *VALIDATION, *TEST] and cases.test == TEST
    assert cases.prepared_of("", "validation", "test") == [
        f"{RESULTS}/cases/{case}/prepared" for case in (*VALIDATION, *TEST)
    ]
    (chunk,) = cases.chunks
    assert chunk == cases.chunk("0") and chunk.cases == TEST and chunk.fold == ""
    assert chunk.prepared == cases.prepared_test
    assert cases.all_files == []  # a phantom has no files


def test_cases_that_no_part_uses_are_left_alone():
    plan = planned(lambda task: task["splits"].update(train=TRAIN[1:], test=TEST[:1])).tasks["thorax"]
    assert plan.cases.used == [*TRAIN[1:], *VALIDATION, TEST[0]]
    assert plan.cases.splits[""]["unused"] == [TRAIN[0], TEST[1]]


APART = {"train": {"method": "none"}, "evaluate": {"method": "truth"}}


def test_a_registration_for_both_keeps_its_paths_and_options(tiny):
    cases, own = tiny.cases, tiny.option("registration")
    assert cases.registrations == {"": own} and own["iterations"] == 20
    assert cases.registered == [f"{RESULTS}/cases/{case}/registered" for case in (*TRAIN, *VALIDATION, *TEST)]
    assert cases.prepared_of("", "train") == [f"{RESULTS}/cases/{case}/prepared" for case in TRAIN]


def test_registrations_apart_prepare_each_case_as_it_is_used():
    """What is learned from in one way, test cases in the other; each case once."""

    def change(task):
        task["registration"] = APART
        task["variants"]["nnunet_l1"]["training"] = {
            "validate_cases_every_epochs": 1, "validate_structures": ["airways"],
        }  # fmt: skip

    plan = planned(change).tasks["thorax"]
    cases = plan.cases
    assert [(side, options["method"]) for side, options in cases.registrations.items()] == [
        ("", "truth"), ("_train", "none"),
    ]  # fmt: skip
    assert cases.registered == [
        *(f"{RESULTS}/cases/{case}/registered_train" for case in (*TRAIN, *VALIDATION)),
        *(f"{RESULTS}/cases/{case}/registered" for case in TEST),
    ]
    learned = [f"{RESULTS}/cases/{case}/prepared_train" for case in (*TRAIN, *VALIDATION)]
    tested = [f"{RESULTS}/cases/{case}/prepared" for case in TEST]
    assert cases.prepared_of("", "train", "validation", "test") == learned + tested
    assert cases.prepared_test == [path for chunk in cases.chunks for path in chunk.prepared] == tested
    assert [path for chunk in cases.taught("") for path in chunk.prepared] == learned
    assert list(plan.models.judges.options("", "nnunet_l1")["cases"].values()) == learned[-1:]
    assert plan.models.judges.inputs("", "nnunet_l1")[0] == learned[-1]


def test_in_a_cross_validation_every_case_is_registered_both_ways():
    def change(task):
        task["splits"] = {"folds": 3, "validation": 1}
        task["registration"] = APART

    cases = planned(change).tasks["thorax"].cases
    every = [*TRAIN, *VALIDATION, *TEST]
    assert cases.registered == [f"{RESULTS}/cases/{case}/registered{side}" for case in every for side in ("", "_train")]


def test_segmenters(tiny):
    models = tiny.models
    assert models.segmenter_model("", "navi") == f"{RESULTS}/models/segmenters/navi"
    assert models.segmenter_inputs("", "navi") == [f"{RESULTS}/models/segmenters/navi/fold_0/checkpoint_final.pth"]
    assert models.segmenter_inputs("", "totalseg") == [f"{RESULTS}/models/totalsegmentator/totalseg"]
    assert models.teacher_records("", "navi") == []


def test_variants(tiny):
    models = tiny.models
    assert models.training_set("", "nnunet_l1") == f"{RESULTS}/training_sets/nnunet"
    assert models.start("", "", "nnunet_l1") == [] and models.calibration("", "", "nnunet_l1") == []
    assert models.control("", "real_ct") == []
    assert models.control("", "mean_ct") == [f"{RESULTS}/models/controls/mean_ct.npz"]
    assert models.features("", "nnunet_l1") == {} and models.network_inputs("", "nnunet_l1") == []
    assert models.network_inputs("", "nnunet_afp") == [
        f"{RESULTS}/models/segmenters/navi/fold_0/checkpoint_final.pth",
        f"{RESULTS}/models/networks/medicalnet/resnet.pth",
    ]
    assert models.features("", "nnunet_afp")["navi"] == {
        "kind": "nnunet", "folder": f"{RESULTS}/models/segmenters/navi",
    }  # fmt: skip
    assert set(models.training("", "nnunet_l1")) == {"generator", "loss", "training"}
    assert models.label_values("nnunet_l1") == {}
    assert tiny.precision("variants", "nnunet_l1") == "float32"


def test_the_number_format_of_a_training_goes_before_the_runtimes():
    plan = planned(lambda task: task["variants"]["nnunet_l1"].update(training={"precision": "auto"}))
    assert plan.tasks["thorax"].precision("variants", "nnunet_l1") == "float32"
    plan = planned(lambda task: task["variants"]["nnunet_l1"].update(training={"precision": "bfloat16"}))
    assert plan.tasks["thorax"].precision("variants", "nnunet_l1") == "bfloat16"


def test_the_code_of_a_variant_is_that_of_what_it_uses(tiny):
    models = tiny.models
    assert models.generator_code("nnunet_l1") == ("afpbench.generators.architecture",)
    assert models.variant_code("nnunet_l1") == (
        "afpbench.training.trainers.nnUNetTrainerTranslation",
        "afpbench.study.kinds.losses.l1",
        "afpbench.generators.architecture",
    )
    assert {"afpbench.features.nnunet", "afpbench.features.medicalnet", "afpbench.losses.feature_distance"} <= set(
        models.variant_code("nnunet_afp")
    )
    assert models.idle_code("nnunet_l1") == ("afpbench.training.whole_cases", "afpbench.training.judge")


def test_what_a_model_card_says_of_a_variant(tiny):
    card = tiny.models.card("", "", "nnunet_afp")
    assert (card["name"], card["title"], card["label"]) == ("thorax/nnunet_afp", "Thorax (tiny)", "L1 + AFP")
    assert card["spacing_mm"] == [6, 6, 6] and card["bias_correction"] == "none"
    assert card["inference"] == {"overlap": 0.5, "fusion": "median", "mirror": []}
    assert [word.split()[0] for word in card["cite"]] == ["Isensee", "Isola", "Longuefosse", "Johnson"]
    assert tiny.models.cards() == [
        f"{RESULTS}/models/variants/{name}/model_card.json" for name in ("nnunet_l1", "nnunet_afp")
    ]


def test_a_variant_that_validates_whole_cases_depends_on_how_they_are_made():
    plan = planned(lambda task: task["training"].update(validate_cases_every_epochs=1)).tasks["thorax"]
    assert plan.models.idle_code("nnunet_l1") == ("afpbench.training.judge",)


def test_a_variant_that_judges_structures_depends_on_their_segmenters():
    def change(task):
        training = {"validate_cases_every_epochs": 1, "validate_structures": ["airways"], "checkpoint": "best"}
        task["variants"]["nnunet_l1"]["training"] = training

    plan = planned(change).tasks["thorax"]
    models, navi = plan.models, f"{RESULTS}/models/segmenters/navi"
    prepared = f"{RESULTS}/cases/{VALIDATION[0]}/prepared"
    assert models.judges.inputs("", "nnunet_l1") == [prepared, f"{navi}/fold_0/checkpoint_final.pth"]
    training = models.training("", "nnunet_l1")
    judge, options = training["judge"], training["judge"]["segmenters"]["navi"].pop("options")
    assert judge == {
        "structures": {"airways": {"segmenter": "navi", "labels": [1, 2]}},
        "segmenters": {"navi": {"folder": navi, "weights": [f"{navi}/fold_0/checkpoint_final.pth"]}},
        "cases": {VALIDATION[0]: prepared},
    }
    assert options["kind"] == "trained" and "label" not in options
    assert "validate_structures" not in training["training"]
    assert models.variant_code("nnunet_l1")[-1] == "afpbench.segmenters.prediction"
    assert models.idle_code("nnunet_l1") == ()
    words = "the highest mean Dice of airways on whole validation cases"
    assert plan.results.table_context["chosen_by"] == {"nnunet_l1": words, "nnunet_afp": ""}


def test_a_variant_without_a_judge_is_defined_as_before(tiny):
    assert tiny.models.judges.inputs("", "nnunet_l1") == []
    assert "validate_structures" not in tiny.models.training("", "nnunet_l1")["training"]


def test_all_structures_and_folds():
    def change(task):
        task["splits"] = {"folds": 3, "validation": 1}
        task["training"].update(validate_cases_every_epochs=1, validate_structures=True)

    models = planned(change).tasks["thorax"].models
    judge = models.judges.options("folds/1/", "nnunet_afp")
    assert list(judge["structures"]) == ["organs", "airways"] and list(judge["segmenters"]) == ["totalseg", "navi"]
    folder = f"{RESULTS}/folds/1/models"
    assert judge["segmenters"]["totalseg"]["folder"] == f"{folder}/totalsegmentator/totalseg"
    assert models.judges.inputs("folds/1/", "nnunet_afp")[1:] == [
        f"{folder}/totalsegmentator/totalseg", f"{folder}/segmenters/navi/fold_0/checkpoint_final.pth",
    ]  # fmt: skip


def test_rows_structures_and_truth(tiny):
    results = tiny.results
    assert results.rows == ["nnunet_l1", "nnunet_afp", "real_ct", "mr_linear", "mean_ct"]
    assert results.labels["nnunet_afp"] == "L1 + AFP" and results.labels["mean_ct"] == "Mean training CT"
    # TotalSegmentator's ids of heart, liver and lung_upper_lobe_left; of a trained segmenter the order of its classes.
    assert results.structures == {
        "organs": {"segmenter": "totalseg", "labels": [51, 5, 10], "tolerance_mm": 12.0, "tree": False},
        "airways": {"segmenter": "navi", "labels": [1, 2], "tolerance_mm": 12.0, "tree": False},
    }
    assert results.truth["organs"] == [51, 5, 10, 11, 12, 13, 14]  # the stand-in's lung joins five lobes
    assert results.has_accuracy


def test_records_of_images(tiny):
    results = tiny.results
    assert results.synthetic_records("nnunet_l1") == [f"{RESULTS}/synthetic/nnunet_l1/records/0.json"]
    assert results.compared_records("nnunet_l1") == [
        f"{RESULTS}/segmentations/{name}/{image}/records/0.json"
        for name in ("totalseg", "navi")
        for image in ("ct", "nnunet_l1")
    ]
    assert len(results.image_records) == 5 + 2 * (1 + 5)
    assert results.zoom_segmentations == [f"{RESULTS}/segmentations/totalseg/ct/records/0.json"]


def test_tables_and_figures(tiny):
    results = tiny.results
    assert results.table_inputs("quality") == {
        "metrics": f"{RESULTS}/metrics/metrics.csv", "statistics": f"{RESULTS}/statistics/statistics.csv",
    }  # fmt: skip
    variants = ("nnunet_l1", "nnunet_afp")
    assert results.table_inputs("cost") == {
        "costs": [f"{RESULTS}/models/variants/{name}/cost.json" for name in variants],
        "syntheses": [f"{RESULTS}/synthetic/{name}/records/0.json" for name in variants],
    }
    assert results.table_columns == [
        {"metric": "mae", "place": "body"}, {"metric": "ssim", "place": "body"},
        {"metric": "dice", "place": "organs"}, {"metric": "nsd", "place": "airways"},
    ]  # fmt: skip
    assert results.figures("pdf") == [
        f"{RESULTS}/figures/typical/slices_coronal.pdf",
        f"{RESULTS}/figures/typical/slices_sagittal.pdf",
        f"{RESULTS}/figures/typical/slices_axial.pdf",
        f"{RESULTS}/figures/typical/surfaces.pdf",
        f"{RESULTS}/figures/distributions.pdf",
        f"{RESULTS}/figures/curves.pdf",
    ]
    assert results.figure_context["root"] == RESULTS
    assert results.figure_context["structures"]["airways"]["label"] == "airways"
    assert results.extra_metrics == [] and results.metrics_code() == ()
    assert list(results.shown_in("quality")) == ["mae", "ssim", "dice", "nsd"] and results.shown_in("cost") == {}
    assert {"mae", "rmse", "dice", "mae_uncalibrated"} <= set(results.compared_metrics)  # whatever the tables name


def test_all_of_a_finished_study():
    plan = planned()
    files = plan.all_files
    assert len(files) == len(set(files)) == 4 + 1 + 17 + 2 + 2 * 4 + 2 * 6 + 1
    assert f"{RESULTS}/segmenters/accuracy.csv" in files and files[-1] == "results/report.html"
    assert not [path for path in files if "/check/" in path]  # made here: nothing to check
    assert plan.names["segmenter"] == ["totalseg", "navi"]
    assert plan.report_inputs["slices"] == [f"{RESULTS}/figures/typical/slices.json"]
    assert plan.report_inputs["registered"] == [f"{RESULTS}/cases/{case}/registered" for case in TEST]


# --- folds


def test_every_case_is_tested_once_and_trained_on_apart(folded):
    cases = folded.cases
    assert list(cases.splits) == ["folds/0/", "folds/1/", "folds/2/"]
    assert cases.test == cases.used == sorted([*TRAIN, *VALIDATION, *TEST])
    assert len(cases.chunks) == 6 and [chunk.fold for chunk in cases.chunks] == [
        f"folds/{k}/" for k in (0, 0, 1, 1, 2, 2)
    ]
    for chunk in cases.chunks:
        assert not set(chunk.cases) & set(cases.of_fold(chunk.fold, "train", "validation"))


def test_models_of_folds(folded):
    models, fold = folded.models, "folds/1/"
    assert models.segmenter_model(fold, "navi") == f"{RESULTS}/folds/1/models/segmenters/navi"
    assert models.control(fold, "mr_linear") == [f"{RESULTS}/folds/1/models/controls/mr_linear.npz"]
    model = f"{RESULTS}/folds/1/models/variants/nnunet_l1"
    assert models.calibration(fold, "", "nnunet_l1") == [f"{model}/calibration.json"]
    assert models.start(fold, "", "nnunet_afp") == [f"{model}/fold_0/checkpoint_final.pth"]
    assert models.trained("curves")[:3] == [
        (f"L1, folds/{k}", f"{RESULTS}/folds/{k}/models/variants/nnunet_l1/curves.csv") for k in range(3)
    ]
    assert folded.results.table_inputs("cost")["costs"] == [
        f"{RESULTS}/folds/{k}/models/variants/{name}/cost.json"
        for name in ("nnunet_l1", "nnunet_afp")
        for k in range(3)
    ]
    assert f"{RESULTS}/folds/2/splits/splits.json" in folded.results.report_records


@pytest.fixture(scope="module")
def together():
    """Three folds of the cases that are not tested, whose networks predict the two test cases together."""

    def change(task):
        task["splits"] = {"folds": 3, "train": [*TRAIN, *VALIDATION], "test": TEST}
        task["inference"] = {"cases_per_job": 1, "mirror": ["x"], "combine": "median", "uncertainty": True}
        task["variants"]["nnunet_l1"]["hu_calibration"] = "affine"

    return planned(change).tasks["thorax"]


def test_the_networks_of_an_ensemble_predict_the_same_test_cases(together):
    cases, folds = together.cases, ("folds/0/", "folds/1/", "folds/2/")
    assert tuple(cases.splits) == folds and cases.test == TEST and cases.together == 3
    assert [chunk.cases for chunk in cases.chunks] == [[case] for case in TEST]
    assert all(chunk.networks == folds and chunk.fold == "folds/0/" for chunk in cases.chunks)
    assert cases.used == sorted([*TRAIN, *VALIDATION, *TEST])
    models = [f"{RESULTS}/folds/{k}/models/variants/nnunet_l1" for k in range(3)]
    assert together.models.calibrations(folds, "", "nnunet_l1") == [f"{model}/calibration.json" for model in models]
    assert together.models.calibrations(folds, "", "nnunet_afp") == []
    assert together.models.application == {"overlap": 0.5, "fusion": "median", "mirror": ["x"]}
    assert len(together.models.cards()) == 2 * 3


def test_a_segmenter_that_only_judges_is_trained_once(together, folded):
    """NaviAirway is in the AFP row's loss, TotalSegmentator in none: it is the first fold's."""
    assert together.models.folds_of_segmenter("navi") == together.paths.folds
    assert together.models.folds_of_segmenter("totalseg") == ("folds/0/",)
    labels = [label for label, _ in together.models.trained("cost")]
    assert [label for label in labels if label.startswith("TotalSegmentator")] == ["TotalSegmentator, folds/0"]
    assert folded.models.folds_of_segmenter("totalseg") == folded.paths.folds


def test_rows_that_are_trained_have_a_figure_of_their_uncertainty(together, tiny):
    assert together.results.uncertain_rows == ["nnunet_l1", "nnunet_afp"]
    assert f"{RESULTS}/figures/typical/uncertainty.png" in together.results.figures("png")
    assert tiny.results.uncertain_rows == [] and not [path for path in tiny.results.all_files if "uncert" in path]
    assert {"uncertainty_spearman", "uncertainty_ause"} <= set(tiny.results.compared_metrics)


def test_each_case_of_a_cross_validation_is_predicted_by_the_network_of_its_fold(folded):
    assert folded.cases.together == 1
    assert all(chunk.networks == (chunk.fold,) for chunk in folded.cases.chunks)
    assert {chunk.networks for chunk in folded.cases.taught("folds/1/")} == {("folds/1/",)}


# --- seeds


@pytest.fixture(scope="module")
def seeded():
    """Two folds, and three seeds from the study's own on: 7, 8 and 9."""

    def change(task):
        task["splits"] = {"folds": 2, "validation": 1}
        task["variants"]["nnunet_l1"]["hu_calibration"] = "affine"
        task["variants"]["nnunet_afp"]["init_from"] = "nnunet_l1"

    return planned(change, seeds=3)


def test_the_runs_of_the_studys_own_seed_bear_the_rows_name(seeded):
    results = seeded.tasks["thorax"].results
    assert seeded.seeds == {"": 7, ".seed_8": 8, ".seed_9": 9}
    assert results.runs == [
        "nnunet_l1", "nnunet_l1.seed_8", "nnunet_l1.seed_9", "nnunet_afp", "nnunet_afp.seed_8", "nnunet_afp.seed_9",
        "real_ct", "mr_linear", "mean_ct",
    ]  # fmt: skip
    assert results.seed_of("nnunet_l1", ".seed_8") == "8" and results.seed_of("nnunet_l1", "") == "7"
    assert results.seed_of("real_ct", "") == ""
    assert results.run_counts == {"nnunet_l1": 3, "nnunet_afp": 3, "real_ct": 1, "mr_linear": 1, "mean_ct": 1}


def test_each_seed_has_models_images_and_metrics_of_its_own(seeded):
    task = seeded.tasks["thorax"]
    models, results, fold = task.models, task.results, "folds/1/"
    model = f"{RESULTS}/folds/1/models/variants/nnunet_l1.seed_8"
    assert models.calibration(fold, ".seed_8", "nnunet_l1") == [f"{model}/calibration.json"]
    assert models.card(fold, ".seed_8", "nnunet_l1")["label"] == "L1, seed 8, folds/1"
    assert len(models.cards()) == 2 * 2 * 3 and f"{model}/model_card.json" in models.cards()
    assert models.start(fold, ".seed_8", "nnunet_afp") == [f"{model}/fold_0/checkpoint_final.pth"]
    assert models.trained("curves")[:3] == [
        ("L1, seed 7, folds/0", f"{RESULTS}/folds/0/models/variants/nnunet_l1/curves.csv"),
        ("L1, seed 7, folds/1", f"{RESULTS}/folds/1/models/variants/nnunet_l1/curves.csv"),
        ("L1, seed 8, folds/0", f"{RESULTS}/folds/0/models/variants/nnunet_l1.seed_8/curves.csv"),
    ]
    assert len(models.trained("cost")) == 2 * 3 * 2 + 2 * 2  # rows, seeds and folds; segmenters and folds
    assert results.row_metrics[2] == f"{RESULTS}/metrics/rows/nnunet_l1.seed_9.csv" and len(results.row_metrics) == 9
    chunks = len(task.cases.chunks)
    assert len(results.image_records) == (9 + 2 * (1 + 9)) * chunks
    inputs = results.table_inputs("cost")
    assert inputs["costs"][2:4] == [f"{RESULTS}/folds/{k}/models/variants/nnunet_l1.seed_8/cost.json" for k in (0, 1)]
    assert len(inputs["costs"]) == 2 * 3 * 2 and len(inputs["syntheses"]) == 2 * 3 * chunks


def test_figures_show_the_images_of_the_first_seed():
    results = planned(seeds=[5, 7]).tasks["thorax"].results
    assert results.figure_context["runs"]["nnunet_l1"] == "nnunet_l1.seed_5"
    assert results.figure_synthetic[0] == f"{RESULTS}/synthetic/nnunet_l1.seed_5/records/0.json"
    assert f"{RESULTS}/segmentations/navi/nnunet_afp.seed_5/records/0.json" in results.figure_segmentations


def test_a_study_without_seeds_has_the_files_of_one_with_its_own_alone():
    assert planned().all_files == planned(seeds=1).all_files == planned(seeds=[7]).all_files
    assert not [path for path in planned().all_files if "seed" in path]


# --- a distilled segmenter


def test_a_distilled_segmenter_learns_from_its_teachers_records(distilled):
    models, cases = distilled.models, distilled.cases
    assert [chunk.cases for chunk in cases.taught("")] == [TRAIN, VALIDATION]
    assert models.teacher_records("", "fused") == [f"{RESULTS}/teacher_labels/navi/records/{k}.json" for k in (0, 1)]
    assert distilled.task.segmenters["fused"].label_groups() == {"lower": [2], "tree": [1]}
    assert distilled.results.structures["tree"]["labels"] == [2]
    assert distilled.results.truth["tree"] == distilled.task.segmenters["navi"].true_labels()["airway"]
    assert [label for label, _ in models.trained("cost")] == ["L1", "L1 + AFP", "TotalSegmentator", "Airways", "fused"]


def test_a_structure_whose_class_stands_for_no_true_label_has_no_truth(tiny, monkeypatch):
    navi = tiny.task.segmenters["navi"]
    monkeypatch.setattr(type(navi), "true_labels", lambda self: {"airway": [60]})
    fresh = ResultPlan(tiny.task, tiny.paths, tiny.cases, tiny.models)
    assert "organs" in fresh.truth and "airways" not in fresh.truth


def test_regions_of_a_loss_are_values_in_the_cases_labels(distilled):
    airways = distilled.task.segmenters["navi"].label_groups()
    assert distilled.models.label_values("nnunet_afp") == {
        "airways": sorted([*airways["airway"], *airways["trachea"]])
    }  # fmt: skip


# --- downloads and words


def test_weights_that_are_downloaded_are_found_by_their_path():
    weights = {"url": "https://example.org/resnet_50.pth", "sha256": "0" * 64}
    plan = planned(lambda task: task["feature_networks"].update(real={"kind": "medicalnet", "weights": weights}))
    (path,) = plan.tasks["thorax"].task.networks["real"].inputs(RESULTS)
    assert plan.weights(path) == weights
    with pytest.raises(KeyError):
        plan.weights("elsewhere.pth")


def test_the_row_to_train_first_is_the_first_tasks_reference():
    row = {"task": "thorax", "fold": "", "variant": "nnunet_afp", "seed": "", "generator": "nnunet"}
    assert planned(lambda task: task.update(reference="nnunet_afp")).first_row == row
    folds = planned(lambda task: task.update(splits={"folds": 3, "validation": 1}), seeds=2).first_row
    assert folds == row | {"fold": "folds/0/", "variant": "nnunet_l1"}


def test_downloads_have_a_place_without_a_task_that_wants_them():
    assert planned().source("sts").download_folder == PROJECT / "resources" / "sts"


def test_the_summary_shows_the_tables_that_are_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = planned()
    (tmp_path / RESULTS / "tables").mkdir(parents=True)
    (tmp_path / RESULTS / "tables" / "quality.md").write_text("| a\\_1 | 0.5\\*, p \\< 0.05 |\n")
    text = plan.summary()
    assert (
        "results/thorax/tables/quality.md (and .csv, .tex, .html)\n\n| a_1 | 0.5*, p < 0.05 |" in text
        and "cost" not in text
    )
    assert text.endswith("Everything on one page: results/report.html")


def test_the_hint_after_a_failure_names_each_log_once(tmp_path):
    log = tmp_path / "snakemake.log"
    log.write_text(2 * "    log: results/thorax/logs/train/l1.log (check log file(s) for error details)\nother\n")
    assert failure_hint(log).count("results/thorax/logs/train/l1.log") == 1
    assert "cannot be read" in failure_hint(Path("nowhere.log"))


@pytest.mark.parametrize(
    "words",
    [
        "Terminating processes on user request, this might take some time.",
        "Will exit after finishing currently running jobs (scheduler).",
    ],
)
def test_a_run_that_was_stopped_has_not_failed(tmp_path, words):
    """A job that was cut off has the same lines in the log as one that failed, but after the words of the stop."""
    log = tmp_path / "snakemake.log"
    line = "    log: results/thorax/logs/train/{}.log (check log file(s) for error details)\n"
    log.write_text(f"Select jobs to execute...\n{words}\n{line.format('l1')}{words}\n")
    text = failure_hint(log)
    assert "the run was stopped" in text and "the same command goes on" in text
    assert "l1.log" not in text and "mend the cause" not in text
    log.write_text(line.format("afp") + words + "\n" + line.format("l1"))
    text = failure_hint(log)
    assert "the run was stopped" in text and "afp.log" in text and "l1.log" not in text and "mend the cause" in text
