"""`afpbench completion`: the script by which a shell completes the words of `afpbench`."""

import argparse

from .completion_scripts import SCRIPTS, Argument

DESCRIPTION = """\
Prints a script by which a shell completes commands, options and their values.
Keep it in a file: making it takes seconds.
  bash   afpbench completion bash > ~/.afpbench.bash    and in ~/.bashrc:  source ~/.afpbench.bash
  zsh    afpbench completion zsh > ~/.afpbench.zsh      and in ~/.zshrc:   source ~/.afpbench.zsh
  fish   afpbench completion fish > ~/.config/fish/completions/afpbench.fish
Write it again after an update."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `afpbench completion`."""
    parser.description = DESCRIPTION
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("shell", choices=list(SCRIPTS), help="whose script")


def run(options: argparse.Namespace) -> int:
    """Print the script. Returns 0."""
    from .main import COMMANDS, declare

    arguments = {}
    for name in COMMANDS:
        declare(parser := argparse.ArgumentParser(), name)
        arguments[name] = read_arguments(parser)
    about = {name: words for name, (_, words) in COMMANDS.items()}
    print(SCRIPTS[options.shell](about, arguments))
    return 0


def read_arguments(parser: argparse.ArgumentParser) -> list[Argument]:
    """What a parser declares; argparse has no other way to ask it."""
    return [
        Argument(
            names=tuple(action.option_strings),
            words=(action.help or "").replace("%%", "%"),
            choices=tuple(map(str, action.choices or ())),
            takes_value=action.nargs != 0,
        )
        for action in parser._actions
    ]
