"""`afpbench view`: a study's images in a browser."""

import argparse
import getpass
import os
import socket
import webbrowser
from pathlib import Path
from urllib.parse import urlencode

from ..base.errors import ConfigError
from ..study import messages
from ..study.plan import StudyPlan, contents
from ..viewer.folder import ResultsFolder
from ..viewer.pages import Pages
from ..viewer.server import LOOPBACK, Server
from .arguments import add_choice, add_study, load_chosen

DESCRIPTION = """\
Shows a study's cases in a browser: MR, real CT, each row's synthetic CT, error maps and label maps, side by side with
linked cross-hairs. Takes the results folder, or the study file. Works on a study that is not finished too. The server
answers this machine alone, reads nothing outside the results folder and writes nothing; Ctrl-C ends it."""

SCREENS = ("DISPLAY", "WAYLAND_DISPLAY")  # without one, a browser in this terminal would be opened, if any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `afpbench view`."""
    parser.description = DESCRIPTION
    add_study(parser, words="the results folder, or the study file")
    add_choice(parser)
    parser.add_argument("--case", metavar="C", help="the case to begin with (default: the first test case)")
    parser.add_argument("--port", type=int, default=0, help="the port of this machine to use (default: any free one)")
    parser.add_argument("--no-browser", action="store_true", help="print the address, and open nothing")


def run(options: argparse.Namespace) -> int:
    """Serve until Ctrl-C. Returns 0; raises AfpbenchError for what cannot be shown."""
    folder = open_folder(options)
    start = f"#{urlencode(place_of(options.case, folder))}" if options.case else ""
    with Server(Pages(folder), options.port) as server:
        print(f"{folder.path}\n\n    {server.address}{start}\n", flush=True)
        if "SSH_CONNECTION" in os.environ:
            print(f"over SSH, on your own machine first:\n\n    {tunnel(server.port)}\n", flush=True)
        elif not options.no_browser and any(os.environ.get(name) for name in SCREENS):
            webbrowser.open(server.address + start)
        print("Ctrl-C ends it.", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
    return 0


def open_folder(options: argparse.Namespace) -> ResultsFolder:
    """The results folder that is given, or that of the study file with what this says of it."""
    given: Path = options.study
    if given.is_dir():
        return ResultsFolder(given)
    plan = StudyPlan(load_chosen(options), options.root)
    return ResultsFolder(options.root / plan.paths.results, contents(plan))


def place_of(case: str, folder: ResultsFolder) -> dict[str, str]:
    """The task and the case, as the page's address names them. Raises ConfigError for a case that no task has."""
    tasks = folder.contents["tasks"]
    for name, task in tasks.items():
        if case in (*task["test"], *task["others"]):
            return {"task": name, "case": case}
    known = [case for task in tasks.values() for case in task["test"]]
    raise ConfigError(messages.not_among("--case", case, known))


def tunnel(port: int) -> str:
    """The line that brings the port of this machine to that of the person who came by SSH."""
    return f"ssh -N -L {port}:{LOOPBACK}:{port} {getpass.getuser()}@{socket.gethostname()}"
