"""Text for LaTeX: plain ASCII that pdflatex takes without further packages. Every text that is printed goes through
`text`."""

import re
import unicodedata

CHARACTERS = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "|": r"\textbar{}", "<": r"$<$", ">": r"$>$",
    "±": r"$\pm$", "×": r"$\times$", "—": "---", "–": "--", "−": "$-$", "≤": r"$\leq$", "≥": r"$\geq$",
    "∞": r"$\infty$", "→": r"$\rightarrow$", "↑": r"$\uparrow$", "↓": r"$\downarrow$", "·": r"$\cdot$",
    "▲": r"$\bigtriangleup$", "▼": r"$\bigtriangledown$", "µ": r"\ensuremath{\mu}",
    "…": r"\ldots{}", "†": r"$^{\dagger}$", "‡": r"$^{\ddagger}$",
    "“": "``", "”": "''", "‘": "`", "’": "'", "°": r"$^{\circ}$",
    "²": "$^{2}$", "³": "$^{3}$", "ß": r"\ss{}", "ø": r"\o{}", "Ø": r"\O{}", "æ": r"\ae{}", "Æ": r"\AE{}", "\n": " ",
    "ł": r"\l{}", "Ł": r"\L{}", "œ": r"\oe{}", "Œ": r"\OE{}", "ı": r"\i{}", "≈": r"$\approx$", "≠": r"$\neq$",
    "∆": r"$\Delta$", "½": r"$\frac{1}{2}$", "\t": " ", "\u00a0": "~", "\u200b": "{}", "\u2010": "-", "`": "'",
}  # fmt: skip
# Greek letters that LaTeX names; those it has no command for look like Latin ones.
_GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "varepsilon", "ζ": "zeta", "η": "eta", "θ": "theta",
    "ι": "iota", "κ": "kappa", "λ": "lambda", "μ": "mu", "ν": "nu", "ξ": "xi", "π": "pi", "ρ": "rho", "σ": "sigma",
    "ς": "varsigma", "τ": "tau", "υ": "upsilon", "φ": "varphi", "χ": "chi", "ψ": "psi", "ω": "omega", "ϑ": "vartheta",
    "ϕ": "phi", "ϖ": "varpi", "ϱ": "varrho", "ϵ": "epsilon", "Γ": "Gamma", "Δ": "Delta", "Θ": "Theta", "Λ": "Lambda",
    "Ξ": "Xi", "Π": "Pi", "Σ": "Sigma", "Υ": "Upsilon", "Φ": "Phi", "Ψ": "Psi", "Ω": "Omega",
}  # fmt: skip
CHARACTERS |= {letter: rf"\ensuremath{{\{name}}}" for letter, name in _GREEK.items()}
CHARACTERS |= dict(zip("οΑΒΕΖΗΙΚΜΝΟΡΤΧ", "oABEZHIKMNOPTX", strict=True))
_ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0306": "u", "\u0307": ".",
    "\u0308": '"', "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0323": "d", "\u0327": "c",
}  # fmt: skip
_RAISED = {"<super>": "^", "<sub>": "_"}  # Unicode's words for a sign that is another one, raised or lowered
_TAKEN = ("*", "[")  # the end of a row and an item take these for their own, over spaces too
_TWO_HYPHENS = re.compile("-(?=-)")  # LaTeX prints two hyphens as one dash: `--cores` would read as no option


def text(value: object) -> str:
    """A value as LaTeX that prints it and does nothing else, without a line break."""
    plain = unicodedata.normalize("NFC", _TWO_HYPHENS.sub("-\u200b", str(value)))
    printed = "".join(CHARACTERS.get(character) or _character(character) for character in plain)
    return f"{{}}{printed}" if printed.lstrip().startswith(_TAKEN) else printed


def key(name: str) -> str:
    """A name as labels, citations and file names have it: letters, digits and hyphens."""
    return "".join(character if character.isascii() and character.isalnum() else "-" for character in name)


def _character(character: str) -> str:
    """A character as plain ASCII: accents as commands, what is like another sign as that, and else its code."""
    if character.isascii() and character.isprintable():
        return character
    base, *accents = list(unicodedata.normalize("NFD", character))
    plain = base if base.isascii() and base.isprintable() else CHARACTERS.get(base)
    if plain and not accents:
        return plain
    if plain and len(accents) == 1 and accents[0] in _ACCENTS:
        return rf"\{_ACCENTS[accents[0]]}{{{plain}}}"
    return _like(character) or f"[U+{ord(character):04X}]"


def _like(character: str) -> str:
    """What Unicode says that a character stands for, as LaTeX: of a raised 1 a raised one; "" where it says nothing."""
    how, *codes = unicodedata.decomposition(character).split() or [""]
    if not how.startswith("<"):
        return ""
    signs = text("".join(chr(int(code, 16)) for code in codes))
    bare = signs.replace("$", "")
    return rf"\ensuremath{{{_RAISED[how]}{{{bare}}}}}" if how in _RAISED else signs
