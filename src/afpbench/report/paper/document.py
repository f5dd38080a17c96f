"""main.tex: answer, methods, tables, figures and what to cite, for plain pdflatex."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ... import __version__
from ...base import latex
from ..answer import HOW, answer
from ..claims import Claim
from ..context import Task
from ..distrust import doubts
from .files import Figure, Files
from .methods import Sentence

MARK = "% Made by `afpbench report`"
OURS = (
    f"The afpbench authors, afpbench: a benchmark of anatomical feature-prioritized losses for MR-to-CT synthesis, "
    f"version {__version__}"
)
PREAMBLE = r"""% and written anew by it: copy what you edit.
% Compile it twice: pdflatex main.tex
\documentclass[10pt]{article}
\usepackage[utf8]{inputenc}
\usepackage[a4paper,margin=25mm]{geometry}
\usepackage{booktabs,graphicx}
\usepackage[table]{xcolor}
\usepackage[hidelinks]{hyperref}
\ifdefined\pdfinfoomitdate\pdfinfoomitdate=1\fi % the same bytes each time
\ifdefined\pdftrailerid\pdftrailerid{}\fi
\ifdefined\pdfsuppressptexinfo\pdfsuppressptexinfo=-1\fi
\ifdefined\extrafloats\extrafloats{200}\fi
\renewcommand{\topfraction}{0.95}
\renewcommand{\bottomfraction}{0.95}
\renewcommand{\textfraction}{0.05}
\renewcommand{\floatpagefraction}{0.6}
\setcounter{topnumber}{4}
\setcounter{totalnumber}{6}
\setlength{\parindent}{0pt}
\setlength{\parskip}{4pt}
\setlength{\belowcaptionskip}{6pt}
\emergencystretch=5em
"""


@dataclass(frozen=True)
class Part:
    """What a paper has of a task. task, claims: None and nothing where it has no metrics yet."""

    name: str
    title: str
    task: Task | None
    claims: Sequence[Claim]
    methods: Sequence[Sentence]
    files: Files


def document(parts: Sequence[Part], facts: Iterable[tuple[str, object]]) -> str:
    """The text of main.tex. facts: where the numbers come from, as (name, what there is to say)."""
    references = References()
    lines = [
        rf"\title{{{latex.text(', '.join(part.title for part in parts))}}}",
        r"\author{}",
        r"\date{}",
        r"\begin{document}",
        r"\maketitle",
        r"\section{The answer}",
        *(line for part in parts for line in _answer(part)),
        rf"{{\footnotesize {latex.text(HOW)}\par}}",
        r"\section{Methods}",
        *(line for part in parts for line in _methods(part, references)),
        *(line for part in parts for line in _task(part)),
        r"\section{Provenance}",
        f"Made with afpbench{references.cite([OURS])}.",
        *_items(f"{name}: {value}" for name, value in facts),
        *references.lines(),
        r"\end{document}",
    ]
    return "\n".join([MARK, *PREAMBLE.splitlines(), *lines]) + "\n"


class References:
    """What is cited, in the order of its first use."""

    def __init__(self) -> None:
        self.keys: dict[str, str] = {}

    def cite(self, cited: Sequence[str]) -> str:
        r"""`~\cite{...}`; "" for nothing."""
        keys = [self.keys.setdefault(text, self._key(text)) for text in cited]
        return rf"~\cite{{{','.join(keys)}}}" if keys else ""

    def lines(self) -> list[str]:
        """The bibliography."""
        entries = [rf"\bibitem{{{key}}} {latex.text(text)}." for text, key in self.keys.items()]
        return [rf"\begin{{thebibliography}}{{{len(entries)}}}", *entries, r"\end{thebibliography}"]

    def _key(self, text: str) -> str:
        """The first word, as a rule the first author, and a number."""
        first = "".join(text.split()[:1]).strip(",.;")
        return f"{latex.key(first).lower()}-{len(self.keys) + 1}"


def _answer(part: Part) -> list[str]:
    lines = answer(part.task, part.claims) if part.task else []
    nothing = "no table has scores." if part.task else "there are no metrics yet."
    words = [latex.text(line) for line in lines] or [f"Nothing can be said: {nothing}"]
    return [rf"\subsection*{{{latex.text(part.title)}}}", *_paragraphs(words)]


def _methods(part: Part, references: References) -> list[str]:
    sentences = [_cited(sentence, references) for sentence in part.methods]
    return [rf"\subsection*{{{latex.text(part.title)}}}", " ".join(sentences), ""]


def _cited(sentence: Sentence, references: References) -> str:
    """The sentence with its citations before the full stop."""
    text = latex.text(sentence.text)
    return f"{text.removesuffix('.')}{references.cite(sentence.cited)}." if sentence.cited else text


def _task(part: Part) -> list[str]:
    """The task's section: what to distrust, tables, tests and figures, and what is not made yet."""
    files = part.files
    lines = [r"\clearpage", rf"\section{{{latex.text(part.title)}}}"]
    if part.task and (causes := doubts(part.task, part.claims)):
        lines += [r"\subsection{What to distrust}", *_items(causes)]
    if files.missing:
        lines += [r"\subsection{Not made yet}", *_items(files.missing)]
    lines += _section("Tables", [_input(target) for target in files.tables])
    lines += _section("Statistics", [_input(target) for target in files.tests])
    lines += _section("Figures", [_figure(figure) for figure in files.figures])
    return lines + _section("The paper's numbers beside ours", [_input(target) for target in files.companions])


def _section(title: str, floats: Sequence[str]) -> list[str]:
    """A subsection of floats, all of them before the next one begins."""
    return [rf"\subsection{{{title}}}", *floats, r"\clearpage"] if floats else []


def _input(target: str) -> str:
    return rf"\input{{{target}}}"


def _figure(figure: Figure) -> str:
    lines = [
        r"\begin{figure}[htbp]",
        r"\centering",
        rf"\includegraphics[width=\textwidth,height=0.8\textheight,keepaspectratio]{{{figure.target}}}",
        rf"\caption{{{latex.text(figure.caption)}}}",
        r"\end{figure}",
    ]
    return "\n".join(lines)


def _paragraphs(texts: Sequence[str]) -> list[str]:
    return [line for text in texts for line in (text, "")]


def _items(texts: Iterable[str]) -> list[str]:
    entries = [rf"\item {latex.text(text)}" for text in texts]
    return [r"\begin{itemize}", *entries, r"\end{itemize}"] if entries else []
