"""main.pdf of a paper's folder, by the pdflatex of this machine."""

import shutil
import subprocess
from pathlib import Path

from ...base.errors import ConfigError, DataError

RUNS = 2  # the second one knows the numbers of tables and references
OPTIONS = ("-no-shell-escape", "-interaction=nonstopmode", "-halt-on-error")


def find_pdflatex(folder: Path) -> str:
    """The program. Raises ConfigError where there is none; folder: the paper's, which is ready."""
    program = shutil.which("pdflatex")
    if program is None:
        raise ConfigError(
            "--format pdf needs pdflatex",
            found="no pdflatex on PATH",
            expected="TeX Live, such as `apt-get install texlive-latex-base texlive-latex-recommended`",
            hint=f"{folder} is ready all the same: compile its main.tex elsewhere (twice), or print the study's "
            "report.html to PDF from a browser",
        )
    return program


def make_pdf(folder: Path) -> Path:
    """Compile main.tex of the folder. Returns the path of main.pdf.

    Raises ConfigError where pdflatex is not there, DataError with LaTeX's message where it fails.
    """
    program = find_pdflatex(folder)
    for _ in range(RUNS):
        result = subprocess.run(
            [program, *OPTIONS, "main.tex"], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace",
        )  # fmt: skip
        if result.returncode != 0:
            raise DataError(
                f"{folder / 'main.tex'} cannot be compiled",
                found=message(result.stdout),
                hint=f"{folder / 'main.log'} has all of LaTeX's messages; a table of your own kind may need a package "
                "that main.tex does not load",
            )
    return folder / "main.pdf"


def message(output: str) -> str:
    """The first error in pdflatex's output, with the two lines behind it that say where; else the output's end."""
    lines = output.splitlines()
    first = next((number for number, line in enumerate(lines) if line.startswith("!")), max(len(lines) - 3, 0))
    return " ".join(line.strip() for line in lines[first : first + 3] if line.strip())
