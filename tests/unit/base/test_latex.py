"""Text for LaTeX, by hand."""

import pytest

from afpbench.base.latex import key, text


@pytest.mark.parametrize(
    ("plain", "latex"),
    [
        (r"50 % of a_b & {c} #1", r"50 \% of a\_b \& \{c\} \#1"),
        (r"~ ^ $ \x", r"\textasciitilde{} \textasciicircum{} \$ \textbackslash{}x"),
        ("1.5 ± 0.2, −3 ≤ x < ∞", r"1.5 $\pm$ 0.2, $-$3 $\leq$ x $<$ $\infty$"),
        ("a — b – c…", r"a --- b -- c\ldots{}"),
        ("mm² mm³ 10⁻¹ CO₂", r"mm$^{2}$ mm$^{3}$ 10\ensuremath{^{-}}\ensuremath{^{1}} CO\ensuremath{_{2}}"),
        ("run --cores 4, not ---", "run -{}-cores 4, not -{}-{}-"),
        ("a\u00a0b\tc\nd", "a~b c d"),
        ("cafe\u0301", r"caf\'{e}"),  # as some systems write file names: e and an accent behind it
        ("ﬁn\u2011al ™", r"fin-al \ensuremath{^{TM}}"),
        ("\x00\x7f 骨", "{}[U+0000][U+007F] [U+9AA8]"),
        ("▲ ▼ ↑ ↓", r"$\bigtriangleup$ $\bigtriangledown$ $\uparrow$ $\downarrow$"),
    ],
)  # fmt: skip
def test_text_is_printed_as_it_is(plain, latex):
    assert text(plain) == latex and latex.isascii()


def test_greek_letters_and_accents():
    """Commands that every LaTeX has, in text and in mathematics alike."""
    assert text("α-loss Ωm") == r"\ensuremath{\alpha}-loss \ensuremath{\Omega}m"
    assert text("ΑΒο") == "ABo"  # capital alpha and beta and omicron look like these
    assert text("µm μm") == r"\ensuremath{\mu}m \ensuremath{\mu}m"
    assert text("čłğ ά") == r"\v{c}\l{}\u{g} \'{\ensuremath{\alpha}}"
    letters = [chr(code) for code in (*range(0x391, 0x3A2), *range(0x3A3, 0x3AA), *range(0x3B1, 0x3CA))]
    assert all("U+" not in text(letter) and text(letter).isascii() for letter in letters)


def test_no_command_takes_the_beginning_of_a_text_for_its_own():
    r"""Behind the end of a row, `\\\\`, or an `\\item` a star or a bracket would not be printed, or stop LaTeX."""
    assert text("*best") == "{}*best" and text("[A] row") == "{}[A] row" and text(" [A]") == "{} [A]"
    assert text("骨") == "{}[U+9AA8]" and text("a [95 %]*") == r"a [95 \%]*"


def test_a_number_is_text_too():
    assert text(3) == "3"


def test_keys():
    assert key("lung_1 é/a") == "lung-1---a"
