"""The console command `afpbench`: what can be done without Snakemake.

A command is a module of this folder with `add_arguments(parser)`, which declares its arguments, and
`run(options) -> int`, whose result is the exit code, and one line in COMMANDS. The module is imported only when its
command is called: what one command loads, as NumPy and pandas, the others do without. With `arguments.add_study` it
takes the study file as every other command does.
"""

import argparse
import os
import signal
import sys
from importlib import import_module

from .. import __version__
from ..base.errors import AfpbenchError
from ..base.log import configure

COMMANDS = {  # name -> its module, what `afpbench --help` says of it
    "init": ("init", "look at a folder of MR and CT, and write a study file for it"),
    "validate": ("validate", "check a study file and say what it asks for"),
    "list": ("kinds", "say which losses, networks, generators, ... there are"),
    "check": ("check", "open every case of a study once and say what looks wrong"),
    "export": ("export", "write synthetic CTs onto the grids of the original MRs"),
    "predict": ("predict", "make synthetic CT of MRs alone, by a trained row"),
    "package": ("package", "write a trained row to one file, for predict"),
    "run": ("run", "run a study, and show how far it is"),
    "plan": ("plan", "say what a run would do, what it will take, and what is missing"),
    "doctor": ("doctor", "say whether this machine and installation are fit for a study"),
    "status": ("status", "say what of a study is finished, missing or stale, and why"),
    "repair": ("repair", "let the next run make what was deleted from a study"),
    "report": ("report", "make a page, LaTeX or a PDF of a study's results"),
    "view": ("view", "show MR, CT, synthetic CT, errors and labels of a case in the browser"),
    "evaluate": ("evaluate", "bring synthetic CTs of any origin to tables, tests, figures and a report"),
    "metrics": ("metrics", "compare synthetic CTs with real ones"),
    "completion": ("completion", "print the script by which a shell completes commands and options"),
}

PASSING_ON = ("run",)  # commands whose words behind `--` are another program's: `options.more`


def main(arguments: list[str] | None = None) -> int:
    """Run the command. Returns its exit code, 1 where something is wrong (printed without traceback) and 130 after
    Ctrl-C; argparse exits with 2.
    """
    try:
        code = _run(sys.argv[1:] if arguments is None else arguments)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # whoever read the output has seen enough, as `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except AfpbenchError as error:
        print(f"afpbench: {error}", file=sys.stderr)
    except OSError as error:  # a file of the user's: gone meanwhile, without the rights, on a disk that fails
        print(f"afpbench: {error.filename or 'the system'}: {error.strerror or error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("afpbench: interrupted", file=sys.stderr)
        return 128 + signal.SIGINT
    return 1


def _run(arguments: list[str]) -> int:
    command = next((word for word in arguments if not word.startswith("-")), "")
    end = arguments.index("--") if command in PASSING_ON and "--" in arguments else len(arguments)
    options = build_parser(command).parse_args(arguments[:end])
    options.more = arguments[end + 1 :]
    configure()
    code: int = options.run(options)
    return code


def build_parser(command: str = "") -> argparse.ArgumentParser:
    """The parser with its commands. command: the one that will run, whose arguments are needed."""
    parser = argparse.ArgumentParser(prog="afpbench", description="A benchmark for MR-to-CT synthesis.")
    parser.add_argument("--version", action="version", version=f"afpbench {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, (_, words) in COMMANDS.items():
        its_parser = commands.add_parser(name, help=words)
        if name == command:
            declare(its_parser, name)
    return parser


def declare(parser: argparse.ArgumentParser, command: str) -> None:
    """Give a command's parser its arguments, and its function as `run`: from here on its module is loaded."""
    loaded = import_module(f".{COMMANDS[command][0]}", __package__)
    loaded.add_arguments(parser)
    parser.set_defaults(run=loaded.run)


if __name__ == "__main__":
    sys.exit(main())
