"""A study's paper from a few made-up files: text by hand, what goes where, and what pdflatex makes of it."""

import re
import shutil

import pandas as pd
import pytest
import yaml
from small_study import study_with

from afpbench.base.atomic import write_json, write_text
from afpbench.base.errors import ConfigError, DataError
from afpbench.commands import main as cli
from afpbench.figures import style
from afpbench.metrics.longtable import COLUMNS, line, write_long
from afpbench.metrics.statistics import compare, write_statistics
from afpbench.report.comparison import comparison_latex
from afpbench.report.finished import read_finished, read_task
from afpbench.report.paper import pdf
from afpbench.report.paper.document import References
from afpbench.report.paper.files import collect
from afpbench.report.paper.methods import ELASTIX, HOLM, REGISTERED, WILCOXON, methods
from afpbench.report.paper.write import write_paper
from afpbench.study.kinds.registry import GENERATORS, LOSSES
from afpbench.study.load import load_study
from afpbench.study.plan import StudyPlan
from afpbench.study.registration import METHODS

CASES = [f"thorax_{number:03d}" for number in (0, 1, 2, 8, 9, 10, 16, 19)]  # the phantoms that the study draws
LABEL = "50 % MSE_1 & é²"
LATEX_LABEL = r"50 \% MSE\_1 \& \'{e}$^{2}$"
TABLE = r"""\begin{table}[htbp]
\centering
\caption{Errors.}
\label{tab:image-errors}
\begin{tabular}{lr}
\toprule
 & MAE \\
\midrule
\cellcolor[HTML]{1B5E20}\textcolor[HTML]{FFFFFF}{\textbf{1.00 $\pm$ 0.10}} & Table~\ref{tab:image-errors} \\
\bottomrule
\end{tabular}
\end{table}
"""
PICTURES = ("distributions.pdf", "distributions.png", "typical/slices_coronal.png", "thorax_002/surfaces.pdf")


def study_file(folder):
    """A study of two variants, whose second one has a name that LaTeX would not take as it is."""
    columns = [{"metric": "mae"}, {"metric": "rmse"}]
    study = study_with({"image_errors": {"columns": columns}, "cost": {"kind": "cost"}})
    task = study["tasks"]["lung"]
    task |= {"title": "Lung #1", "training": {"iterations": 40}, "controls": ["real_ct"]}
    task["variants"]["mse"]["label"] = LABEL
    task["figures"] = {"cases": ["typical", "thorax_002"], "structures": ["airways"]}
    del study["extensions"]
    (folder / "study.yaml").write_text(yaml.safe_dump(study), encoding="utf-8")
    return study


def long_table():
    """MAE: 50 to 57 HU of l1, 10 HU less of mse in each case; RMSE is 80 of both."""
    values = {
        "l1": {"mae": [50 + number for number in range(8)], "rmse": [80] * 8},
        "mse": {"mae": [40 + number for number in range(8)], "rmse": [80] * 8},
        "real_ct": {"mae": [0] * 8, "rmse": [0] * 8},
    }
    lines = [
        line("lung", row, case, "", "body", metric, float(value), "ok")
        for row, metrics in values.items()
        for metric, series in metrics.items()
        for case, value in zip(CASES, series, strict=True)
    ]
    return pd.DataFrame(lines, columns=list(COLUMNS))


def write_metrics(results):
    long, task = long_table(), results / "lung"
    write_long(long, task / "metrics" / "metrics.csv")
    write_statistics(compare(long, "l1", controls=["real_ct"], resamples=100), task / "statistics" / "statistics.csv")
    train = [f"t{number}" for number in range(8)]
    write_json(
        task / "splits" / "splits.json", {"train": train, "validation": ["v1", "v2"], "test": CASES, "unused": []}
    )


@pytest.fixture
def plan(tmp_path):
    return StudyPlan(load_study(study_file(tmp_path), tmp_path), tmp_path)


@pytest.fixture
def finished(plan):
    """The same with metrics, a table with its companion, and some figures; the table of costs is not made yet."""
    task = plan.root / "results" / "lung"
    write_metrics(task.parent)
    write_text(task / "tables" / "image_errors.tex", TABLE)
    write_text(task / "tables" / "image_errors_published.tex", TABLE.replace("image-errors", "image-errors-published"))
    with style.styled():
        for name in PICTURES:
            style.save(style.new_figure(0.5, 1), [task / "figures" / name])
    return plan


@pytest.fixture
def paper(finished, tmp_path):
    """The paper's folder, its main.tex, and what was told as missing."""
    folder = tmp_path / "paper"
    missing = write_paper(folder, finished)
    return folder, (folder / "main.tex").read_text(encoding="ascii"), missing


def files_of(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


# --- the text


def test_methods_in_words(plan):
    said = methods(plan.tasks["lung"], [{"train": ["a"] * 8, "validation": ["b"] * 2, "test": CASES}])
    assert [sentence.text for sentence in said[:7]] == [
        "Data: phantoms of the thorax, made by the built-in generator; 8 training cases, 2 validation cases, 8 test "
        "cases; voxels of 3 × 3 × 3 mm (z, y, x).",
        "The CT was registered to the MR with elastix.",
        "l1: generator nnunet, loss l1, 40 iterations.",
        f"{LABEL}: generator nnunet, loss mse, 40 iterations.",
        "Volumes were predicted in patches that overlap by a half and are fused by median.",
        "airways, vessels: segmented on real and synthetic CT by navi.",
        "Metrics: MAE, RMSE.",
    ]  # fmt: skip
    assert said[7].text.startswith("Every row is compared with l1 by the two-sided Wilcoxon signed-rank test")
    assert said[1].cited == (ELASTIX,) and said[7].cited == (WILCOXON, HOLM)
    assert said[2].cited == (GENERATORS["nnunet"].citation, LOSSES["l1"].citation)
    assert methods(plan.tasks["lung"])[0].text.endswith("generator; voxels of 3 × 3 × 3 mm (z, y, x).")


def test_methods_of_label_maps_alone(tmp_path):
    """Nothing was trained, registered or segmented, and there is no MAE to choose a case by."""
    for case in ("p1", "p2", "p3"):
        for folder in ("real", "a", "b"):
            write_text(tmp_path / folder / f"{case}.nii.gz", "")
    task = {
        "data": {"source": "folder", "root": "real", "ct": None, "label_map": "{case}.nii.gz"},
        "spacing_mm": None, "tolerance_mm": 2, "reference": "a",
        "segmenters": {"given": {
            "kind": "files", "real": "real/{case}.nii.gz", "classes": {"hip": 7},
            "synthetic": {"a": "a/{case}.nii.gz", "b": "b/{case}.nii.gz"}}},
        "structures": {"hip": {"segmenter": "given", "classes": ["hip"]}},
        "variants": {"a": {"synthetic": None, "label": "Method A"}, "b": {"synthetic": None}},
        "tables": {"overlap": {"columns": [{"metric": "dice", "structure": "hip"}]}},
    }  # fmt: skip
    plan = StudyPlan(load_study({"tasks": {"hips": task}}, tmp_path), tmp_path)
    said = [sentence.text for sentence in methods(plan.tasks["hips"])]
    assert said[:4] == [
        "Data: folder; each on its grid.",
        "Label maps that were made elsewhere: Method A, b.",
        "hip: label maps that were made elsewhere: given.",
        "Metrics: Dice.",
    ]
    write_text(tmp_path / "results/hips/figures/typical/surfaces.png", "")
    (figure,) = collect(plan.tasks["hips"], tmp_path, None, []).figures
    assert figure.caption.endswith("The case with the median mean Dice of Method A.")


def test_every_way_of_registration_is_told():
    assert set(REGISTERED) == set(METHODS)


def test_each_work_is_cited_by_one_number():
    references = References()
    assert references.cite(["Isola & al., A title, 2017", "Wang, B"]) == r"~\cite{isola-1,wang-2}"
    assert references.cite(["Wang, B"]) == r"~\cite{wang-2}" and references.cite([]) == ""
    assert references.lines() == [
        r"\begin{thebibliography}{2}",
        r"\bibitem{isola-1} Isola \& al., A title, 2017.",
        r"\bibitem{wang-2} Wang, B.",
        r"\end{thebibliography}",
    ]


def test_the_answer_the_methods_and_the_bibliography(paper):
    _, main, _ = paper
    assert main.isascii() and main.startswith("% Made by `afpbench report`")
    assert r"\title{Lung \#1}" in main
    assert (
        rf"{LATEX_LABEL} has the best mean and is better than l1 in 1 of 2 metrics: MAE (HU) by $-$10.00 "
        "[$-$10.00, $-$10.00]."
    ) in main
    assert r"The CT was registered to the MR with elastix~\cite{klein-1}." in main
    assert rf"{LATEX_LABEL}: generator nnunet, loss mse, 40 iterations~\cite{{isensee-2,longuefosse-4}}." in main
    cited = {key for keys in re.findall(r"\\cite\{([^}]*)\}", main) for key in keys.split(",")}
    assert cited == set(re.findall(r"\\bibitem\{([^}]*)\}", main))
    assert r"\item No patients: phantoms of the thorax" in main


def test_the_tests_as_a_table(finished):
    """8 differences of one sign: p is 2 / 2**8; Holm's correction is over the one other variant, and of no control."""
    text = comparison_latex(read_task(finished, "lung"))
    difference = r"$\bigtriangleup$ $-$10.00 [$-$10.00, $-$10.00]"
    assert rf"MAE (HU) $\downarrow$ & {LATEX_LABEL} & {difference} & 0.00781 & 0.00781 & 8 \\" in text
    assert rf"RMSE (HU) $\downarrow$ & {LATEX_LABEL} & +0.00 [0.00, 0.00] & 1 & 1 & 8 \\" in text
    assert re.search(r"MAE \(HU\).* & Real CT & \$\\bigtriangleup\$ \$-\$53\.50 \[.*\] & 0\.00781 & -- & 8", text)
    assert text.count(r"\midrule") == 2  # below the head, and between the metrics
    assert r"better and $\bigtriangledown$ worse with p $<$ 0.05" in text


# --- the files


def test_what_goes_where(paper, finished):
    folder, main, missing = paper
    assert files_of(folder) == [
        "figures/lung/distributions.pdf", "figures/lung/ranks.pdf", "figures/lung/thorax-002-surfaces.pdf",
        "figures/lung/typical-slices-coronal.png", "figures/lung/wins.pdf", "main.tex", "statistics/lung.tex",
        "tables/lung/image_errors.tex", "tables/lung/image_errors_published.tex",
    ]  # fmt: skip
    results = finished.root / "results/lung"
    copied = {"distributions.pdf": "distributions.pdf", "typical-slices-coronal.png": "typical/slices_coronal.png"}
    for name, source in copied.items():
        assert (folder / "figures/lung" / name).read_bytes() == (results / "figures" / source).read_bytes()
    used = re.findall(r"\\(?:input|includegraphics)[^{]*\{([^}]+)\}", main)
    assert sorted([*used, "main.tex"]) == files_of(folder)
    assert missing == [
        "results/lung/tables/cost.tex",
        *(f"results/lung/figures/{name}.pdf" for name in (
            "typical/slices_sagittal", "typical/slices_axial", "thorax_002/slices_coronal",
            "thorax_002/slices_sagittal", "thorax_002/slices_axial", "typical/surfaces", "curves")),
    ]  # fmt: skip
    assert r"\item results/lung/tables/cost.tex" in main and r"\subsection{Not made yet}" in main


def test_figures_say_of_which_case_and_plane_they_are(paper):
    _, main, _ = paper
    assert r"inside the body. Coronal plane. The case with the median MAE of l1.}" in main
    assert r"and each row's against it. Case thorax\_002.}" in main


def test_labels_have_the_task_in_front(paper):
    """Two tasks may have tables of one name."""
    folder, _, _ = paper
    table = (folder / "tables/lung/image_errors.tex").read_text()
    assert table == TABLE.replace("{tab:image-errors}", "{tab:lung-image-errors}") and table.count("lung-") == 2
    assert r"\label{tab:lung-statistics}" in (folder / "statistics/lung.tex").read_text()


def test_a_second_paper_takes_the_place_of_the_first(paper, finished):
    folder, main, _ = paper
    for name in ("notes.txt", "main.pdf"):
        (folder / name).write_text("of earlier")
    (finished.root / "results/lung/figures/thorax_002/surfaces.pdf").unlink()
    write_paper(folder, finished)
    files = files_of(folder)
    assert "notes.txt" in files and "figures/lung/thorax-002-surfaces.pdf" not in files and "main.pdf" not in files
    assert "thorax-002-surfaces" not in (folder / "main.tex").read_text() and "thorax-002-surfaces" in main


@pytest.mark.parametrize("name", ["main.tex", "thesis.tex"])
def test_a_folder_of_your_own_is_left_alone(finished, tmp_path, name):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / name).write_text(r"\documentclass{book}")
    with pytest.raises(ConfigError, match="thesis: would be overwritten, and is not this command's"):
        write_paper(tmp_path / "thesis", finished)
    assert files_of(tmp_path / "thesis") == [name]


def test_before_there_are_metrics(plan, tmp_path):
    with pytest.raises(ConfigError, match="(?s)nothing to put into a paper.*afpbench run"):
        write_paper(tmp_path / "paper", plan)
    write_text(tmp_path / "results/lung/tables/image_errors.tex", TABLE)
    write_paper(tmp_path / "paper", plan)
    main = (tmp_path / "paper/main.tex").read_text()
    assert "Nothing can be said: there are no metrics yet." in main
    assert r"\input{tables/lung/image_errors.tex}" in main and "generator; voxels of 3 $" in main


def test_an_unfinished_study_has_no_page(finished, tmp_path):
    with pytest.raises(
        ConfigError, match=r"(?s)the study is not finished.*not made yet: .* and \d+ more.*--format latex"
    ):
        read_finished(finished, tmp_path / "report.html")


# --- the command


def report(root, *options):
    return cli.main(["report", str(root / "study.yaml"), "--root", str(root), *options])


def test_the_command_makes_the_folder(finished, capsys):
    assert report(finished.root, "--format", "latex") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "not made yet: results/lung/tables/cost.tex"
    assert lines[-1] == str(finished.root / "results/paper/main.tex")
    assert report(finished.root) == 1
    assert "the study is not finished" in capsys.readouterr().err


def test_without_pdflatex_the_folder_is_there_and_the_error_says_what_is_missing(
    finished, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert report(finished.root, "--format", "pdf", "--out", str(tmp_path / "mine")) == 1
    told = capsys.readouterr().err
    assert "needs pdflatex" in told and "texlive-latex-recommended" in told and "mine is ready all the same" in told
    assert (tmp_path / "mine/main.tex").is_file()


def test_what_latex_says_of_an_error():
    output = "This is pdfTeX\n! Undefined control sequence.\nl.3 \\nonsense\n             {x}\n? \n"
    assert pdf.message(output) == r"! Undefined control sequence. l.3 \nonsense {x}"
    assert pdf.message("a\nb\nc\nd\n") == "b c d" and pdf.message("") == ""


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex on PATH")
def test_pdflatex_makes_the_pdf(finished, tmp_path, capsys):
    folder = tmp_path / "paper"
    assert report(finished.root, "--format", "pdf", "--out", str(folder)) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(folder / "main.pdf")
    log = (folder / "main.log").read_text(errors="replace")
    assert not re.findall(r"LaTeX Warning: .*undefined|multiply defined|Float too large|Rerun to get", log)
    assert not [size for size in re.findall(r"Overfull \\hbox \((\d+\.\d+)pt too wide\)", log) if float(size) > 10]
    first = (folder / "main.pdf").read_bytes()
    assert len(first) > 10_000
    pdf.make_pdf(folder)
    assert (folder / "main.pdf").read_bytes() == first
    (folder / "tables/lung/image_errors.tex").write_text(r"\nonsense{x}")
    with pytest.raises(DataError, match=r"(?s)main.tex cannot be compiled.*Undefined control sequence. .*nonsense"):
        pdf.make_pdf(folder)
