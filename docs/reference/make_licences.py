"""Write licences.md from the metadata of the installed packages: python docs/reference/make_licences.py"""

# ruff: noqa: E501  (lines of a table)
import importlib.metadata as metadata
import re
from pathlib import Path

HERE = Path(__file__).parent
REQUIREMENTS = HERE.parents[1] / "requirements.txt"
HEAD = """# Licences

Made by `docs/reference/make_licences.py` from what the packages say of themselves.

## What is in this repository

| what | licence |
|---|---|
| code and documentation | Apache-2.0 |
| phantoms, the picture of them, shipped and stand-in weights | made by this code; Apache-2.0 |
| the paper's published numbers (`src/afpbench/tables/published.csv`) | facts, quoted with their source |
| NiiVue 0.69.0, with the packages in it (`src/afpbench/viewer/static/niivue.umd.js`), unchanged | BSD-2-Clause; MIT and ISC: `NIIVUE_LICENCE.txt` beside it |
| names and ids of TotalSegmentator's classes (`src/afpbench/segmenters/`) | from TotalSegmentator, Apache-2.0 |
| `docs/site/assets/iframe-worker.js`, for the search of the documentation's site | MIT, its author's |
| names, sizes and checksums of the STS patients' files, ids of SynthRAD2023's patients (`src/afpbench/study/kinds/sources/`) | facts; the images are not here |

## What is not in it, and comes under terms of its own

| what | terms |
|---|---|
| images of the soft-tissue-sarcoma patients | [CC BY 3.0](https://creativecommons.org/licenses/by/3.0/); [whom to cite](../../README.md#real-patients) |
| SynthRAD2023 and SynthRAD2025 | the terms on their download pages, some of them non-commercial: read them there |
| TotalSegmentator's weights | Apache-2.0 for `total` and its fast versions; some other tasks need a licence of their own |
| weights of NaviAirway and MedicalNet | from their authors; both codes are MIT |

## Python packages

The versions of `requirements.txt`; those that build the site of the documentation stand in `docs/requirements.txt`.
None is changed or copied into this repository, but for the one file above. Those under LGPL, MPL and GPL are imported as
they are; `docutils` and `connected-components-3d` come in through Snakemake and TotalSegmentator.

| package | version | licence |
|---|---|---|
"""
TAIL = """
## Known vulnerabilities

[pip-audit](https://pypi.org/project/pip-audit/) compares the pinned versions with public lists, over the network:

<!-- not run: needs the network -->

    pip-audit -r requirements.txt --no-deps --disable-pip
"""


def licence(distribution: metadata.Distribution) -> str:
    """The licence in a few words: the SPDX expression, else the classifiers, else the field, else the file's title."""
    fields = distribution.metadata
    if fields.get("License-Expression"):
        return fields["License-Expression"]
    classifiers = [line for line in fields.get_all("Classifier") or [] if line.startswith("License ::")]
    names = [name for name in (line.split("::")[-1].strip() for line in classifiers) if name != "OSI Approved"]
    if names:
        return "; ".join(names)
    field = (fields.get("License") or "").strip()
    if field and "\n" not in field and len(field) < 60:
        return field
    for file in distribution.files or []:
        if re.search(r"licen[cs]e|copying", file.name, re.IGNORECASE):
            return distribution.locate_file(file).read_text(encoding="utf-8").strip().splitlines()[0].strip()
    raise SystemExit(f"{fields['Name']} says nothing of its licence")


def page() -> str:
    lines = (line.split("#")[0].strip() for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines())
    names = sorted((line.split("==")[0] for line in lines if line), key=str.lower)
    rows = []
    for name in names:
        distribution = metadata.distribution(name)
        rows.append(f"| {name} | {distribution.version} | {licence(distribution).replace('|', '/')} |")
    return HEAD + "\n".join(rows) + "\n" + TAIL


if __name__ == "__main__":
    (HERE / "licences.md").write_text(page(), encoding="utf-8")
