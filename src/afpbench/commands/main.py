"""The console command `afpbench`: what can be done without Snakemake."""

import argparse
import os
import sys
from pathlib import Path

from .. import __version__
from ..base.errors import AfpbenchError
from ..base.log import configure
from ..study import load as config


def main(arguments: list[str] | None = None) -> int:
    """Run the command. Returns 0, or 1 where something is wrong (printed without traceback); argparse exits with 2."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = build_parser(command=next((word for word in arguments if not word.startswith("-")), ""))
    options = parser.parse_args(arguments)
    configure()
    try:
        code = options.run(options) or 0
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # whoever read the output has seen enough, as `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except AfpbenchError as error:
        print(f"afpbench: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("afpbench: interrupted", file=sys.stderr)
    return 1


def build_parser(command: str = "") -> argparse.ArgumentParser:
    """The parser with its subcommands. command: the one that will run, whose arguments are needed."""
    parser = argparse.ArgumentParser(prog="afpbench", description="A benchmark for MR-to-CT synthesis.")
    parser.add_argument("--version", action="version", version=f"afpbench {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    validate = commands.add_parser("validate", help="check a study file and say what it asks for")
    validate.add_argument("config", metavar="CONFIG", type=Path, help="the study file (YAML)")
    validate.add_argument("--preset", help="use this entry of `presets` instead of the file's own choice")
    validate.add_argument(
        "--root", type=Path, default=Path(), help="folder that relative paths start from (default: the current one)"
    )
    validate.set_defaults(run=run_validate)

    kinds = commands.add_parser("list", help="say which losses, networks, generators, ... there are")
    if command == "list":
        from . import kinds as list_kinds

        list_kinds.add_arguments(kinds)
        kinds.set_defaults(run=list_kinds.run)

    check = commands.add_parser("check", help="open every case of a study once and say what looks wrong")
    if command == "check":
        from . import check as cli_check

        cli_check.add_arguments(check)
        check.set_defaults(run=cli_check.run)

    export = commands.add_parser("export", help="write synthetic CTs onto the grids of the original MRs")
    if command == "export":
        from . import export as cli_export

        cli_export.add_arguments(export)
        export.set_defaults(run=cli_export.run)

    status = commands.add_parser("status", help="say what of a study is finished, missing or stale, and why")
    if command == "status":
        from . import status as cli_status

        cli_status.declare(status)
        status.set_defaults(run=cli_status.run)

    repair = commands.add_parser("repair", help="let the next run make what was deleted from a study")
    if command == "repair":
        from . import repair as cli_repair

        cli_repair.declare(repair)
        repair.set_defaults(run=cli_repair.run)

    metrics = commands.add_parser("metrics", help="compare synthetic CTs with real ones")
    if command == "metrics":  # its module loads NumPy, which the other commands do without
        from . import metrics as cli_metrics

        cli_metrics.add_arguments(metrics)
        metrics.set_defaults(run=cli_metrics.run)
    return parser


def run_validate(options: argparse.Namespace) -> int:
    """Check a study file; print what it asks for."""
    study = config.read_study(options.config)
    if options.preset is not None and isinstance(study, dict):
        study["preset"] = options.preset
    print(summary(config.load_study(study, options.root), options.root))
    return 0


def summary(study: dict, root: Path) -> str:
    """A study in a few lines: tasks, cases, networks, rows and tables."""
    from ..study.kinds.sources import open_source
    from ..study.seeds import training_seeds
    from ..study.splits import PARTS, make_folds

    more = f", preset '{study['preset']}'" if study["preset"] else ""
    seeds = training_seeds(study)
    more += f", variants with the seeds {', '.join(map(str, seeds))}" if seeds != [study["seed"]] else ""
    count = len(study["tasks"])
    lines = [f"valid: {count} {'task' if count == 1 else 'tasks'}, seed {study['seed']}{more}"]
    for name, task in study["tasks"].items():
        cases = open_source(task["data"], root).cases()
        folds = make_folds(cases, task["splits"], study["seed"], name)
        words = ", ".join(f"{len(folds[0][part])} {part}" for part in PARTS)
        lines += [
            f"\n{name}: {task['title']}",
            f"  data        {task['data']['source']}, {len(cases)} cases: "
            + (f"{len(folds)} folds, the first {words}" if len(folds) > 1 else words),
            f"  spacing     {' x '.join(f'{value:g}' for value in task['spacing_mm'])} mm (z, y, x)",
            f"  segmenters  {_kinds(task['segmenters'], 'kind')}",
            f"  structures  {', '.join(task['structures'])}; tolerance {task['tolerance_mm']:g} mm",
            f"  generators  {_kinds(task['generators'], 'kind')}",
            "  variants",
            *(f"    {key}: {_variant(variant)}" for key, variant in task["variants"].items()),
            f"  controls    {', '.join(task['controls']) or 'none'}",
            f"  reference   {task['reference']}",
            f"  tables      {', '.join(task['tables'])}",
        ]
    return "\n".join(lines)


def _kinds(entries: dict, key: str) -> str:
    return ", ".join(f"{name} ({entry[key]})" for name, entry in entries.items())


def _variant(variant: dict) -> str:
    terms = []
    for term in variant["loss"]:
        weight = term.get("weight", 1)
        networks = [n["name"] if isinstance(n, dict) else n for n in term.get("networks") or []]
        factor = "" if weight == 1 else f"{weight:g} x "
        terms.append(f"{factor}{term['term']}" + (f"({', '.join(networks)})" if networks else ""))
    start = f", from {variant['init_from']}" if variant["init_from"] else ""
    return f"{variant['generator']}, {' + '.join(terms)}{start}, {variant['training']['iterations']} iterations"


if __name__ == "__main__":
    sys.exit(main())
