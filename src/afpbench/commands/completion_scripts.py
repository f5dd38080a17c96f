"""Scripts by which shells complete words, made of commands and their arguments."""

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

GLOBAL = ("--help", "--version")
# Words before `--` are ours. bash parts `--option=value` into three words.
BASH = """\
_afpbench() {
    local current="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}" command="" words="" options="" index
    for ((index = 1; index < COMP_CWORD; index++)); do
        case "${COMP_WORDS[index]}" in
            --) return ;;
            -*) ;;
            *) [ -n "$command" ] || command="${COMP_WORDS[index]}" ;;
        esac
    done
    if [ "$current" = "=" ]; then
        current=""
    elif [ "$before" = "=" ]; then
        before="${COMP_WORDS[COMP_CWORD-2]}"
    fi
    COMPREPLY=()
    case "$command $before" in
%(values)s
    esac
    case "$command" in
%(commands)s
    esac
    case "$current" in -*) words="$options" ;; esac
    COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _afpbench afpbench"""
ZSH = """\
autoload -Uz compinit bashcompinit
(( $+functions[compdef] )) || compinit
bashcompinit
"""


@dataclass(frozen=True)
class Argument:
    """What one argument of a command completes. names: of an option, none of a position. takes_value: unlike a flag."""

    names: Sequence[str]
    words: str
    choices: Sequence[str]
    takes_value: bool


Commands = Mapping[str, Sequence[Argument]]


def bash(about: Mapping[str, str], commands: Commands) -> str:
    """For bash. about: command -> what it does. Where a path may stand, or anything, the shell completes files."""
    values = [_case(*value) for name, arguments in commands.items() for value in _values(name, arguments)]
    own = [_case(name, _lists(*_words(arguments))) for name, arguments in commands.items()]
    return BASH % {"values": "\n".join(values), "commands": "\n".join([_case("''", _lists(commands, GLOBAL)), *own])}


def zsh(about: Mapping[str, str], commands: Commands) -> str:
    """For zsh, which runs bash's."""
    return ZSH + bash(about, commands)


def fish(about: Mapping[str, str], commands: Commands) -> str:
    """For fish, which shows what each word means."""
    first = [
        f"complete -c afpbench -n __fish_use_subcommand -f -a {name} -d {_fish_quoted(words)}"
        for name, words in about.items()
    ]
    lines = [line for name, arguments in commands.items() for line in _fish_lines(name, arguments)]
    return "\n".join([*first, *lines])


def _case(pattern: str, body: str) -> str:
    return f"        {pattern}) {body} ;;"


def _values(command: str, arguments: Sequence[Argument]) -> Iterator[tuple[str, str]]:
    """What follows an option that takes a value: one of its choices, or what the shell itself completes."""
    for argument in arguments:
        if argument.names and argument.takes_value:
            pattern = "|".join(f"'{command} {name}'" for name in argument.names)
            choices = shlex.quote(" ".join(argument.choices))
            reply = f'COMPREPLY=($(compgen -W {choices} -- "$current")); ' if argument.choices else ""
            yield pattern, f"{reply}return"


def _words(arguments: Sequence[Argument]) -> tuple[list[str], list[str]]:
    """What the positions of a command may be, and its options."""
    choices = [word for argument in arguments if not argument.names for word in argument.choices]
    return choices, [name for argument in arguments for name in argument.names]


def _lists(words: Iterable[str], options: Iterable[str]) -> str:
    return f"words={shlex.quote(' '.join(words))} options={shlex.quote(' '.join(options))}"


def _fish_lines(command: str, arguments: Sequence[Argument]) -> Iterator[str]:
    start = f"complete -c afpbench -n 'contains -- {command} (commandline -opc)[2]'"
    for argument in arguments:
        names = "".join(
            f" -l {name.removeprefix('--')}" if name.startswith("--") else f" -s {name[1:]}" for name in argument.names
        )
        choices = f" -f -a {_fish_quoted(' '.join(argument.choices))}" if argument.choices else ""
        if names or choices:
            value = " -r" if names and argument.takes_value else ""
            yield f"{start}{names}{value}{choices} -d {_fish_quoted(argument.words)}"


def _fish_quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


SCRIPTS: Mapping[str, Callable[[Mapping[str, str], Commands], str]] = {"bash": bash, "zsh": zsh, "fish": fish}
