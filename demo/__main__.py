"""`python -m demo [FOLDER] [--kafka [HOST:PORT]]`: a pipeline three times, what is known of it, and one replay.

Decides what is run and what is asked. Every answer is what `relineage` prints: the same commands can be typed again
in the folder, which is made anew each time.
"""

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from .raw_data import CHANGED_COLUMN, CHANGED_ROW, write_raw

PIPELINE = Path(__file__).with_name("pipeline.py")
MARKER = "# Made by `python -m demo`, which makes this folder anew.\n"
QUESTIONS = (
    "select job_name, name, round(value, 3) as value from metrics join runs using (run_id) order by started_at, name",
    "select version, min, mean, max from feature_stats"
    f" where dataset_name = 'patients' and feature = '{CHANGED_COLUMN}'",
    "select job_name, count(distinct recipe) as recipes, count(distinct outcome) as outcomes from runs"
    " group by job_name, task having outcomes > 1",
)


@dataclass(frozen=True)
class Trial:
    """One run of the pipeline, in a folder of its own."""

    folder: str
    seed: int
    change_one_cell: bool = False


TRIALS = (
    Trial("as-it-is", 42),
    Trial("another-seed", 43),
    Trial("one-cell-changed", 42, change_one_cell=True),
)


class Failed(Exception):
    """A command of the demo did not do what it should; it has said why."""


def main() -> int:
    """Run the demo; 1 if something in it failed, 2 if it cannot begin."""
    arguments = _arguments()
    folder: Path = arguments.folder
    try:
        _make_folder(folder)
        environment = _environment(arguments.kafka)
        _run_trials(folder, environment)
        if arguments.kafka:
            _consume(folder, environment)
        _ask(folder, environment)
    except Failed as failure:
        print(f"demo: {failure}", file=sys.stderr)
        return 1
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m demo", description="A pipeline, its lineage, and questions to it."
    )
    parser.add_argument(
        "folder", type=Path, nargs="?", default=Path(".relineage-demo"), help="default: %(default)s"
    )
    parser.add_argument(
        "--kafka",
        metavar="HOST:PORT",
        nargs="?",
        const=os.environ.get("RELINEAGE_TEST_KAFKA", ""),
        help="send the events through this broker; default: the one in RELINEAGE_TEST_KAFKA (make demo-kafka)",
    )
    arguments = parser.parse_args()
    if arguments.kafka == "":
        parser.error("which broker? --kafka HOST:PORT, or `make demo-kafka`, which starts one")
    return arguments


def _make_folder(folder: Path) -> None:
    """Make the folder anew, unless it holds something that is not ours."""
    ignore = folder / ".gitignore"
    if folder.exists() and not (ignore.is_file() and MARKER in ignore.read_text("utf-8")):
        raise Failed(f"{folder} is there already and not from a demo: name another folder")
    shutil.rmtree(folder, ignore_errors=True)
    (folder / ".relineage").mkdir(parents=True)
    ignore.write_text(f"{MARKER}*\n", "utf-8")
    # Nearer than one in the home folder, which may send events elsewhere.
    (folder / "openlineage.yml").write_text("# The events of the demo stay in .relineage/events.\n", "utf-8")
    for trial in TRIALS:
        (folder / trial.folder).mkdir()
        write_raw(folder / trial.folder / "raw.csv", change_one_cell=trial.change_one_cell)


def _environment(kafka: str | None) -> dict[str, str]:
    """The caller's, without what would send events elsewhere; with a fresh topic where Kafka is asked for."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("OPENLINEAGE", "RELINEAGE"))
    }
    if kafka is None:
        return kept
    return kept | {"RELINEAGE_KAFKA": kafka, "RELINEAGE_TOPIC": _make_topic(kafka)}


def _make_topic(kafka: str) -> str:
    from kafka.admin import KafkaAdminClient
    from kafka.errors import KafkaError

    topic = f"relineage-demo-{uuid4().hex[:8]}"
    try:
        admin = KafkaAdminClient(bootstrap_servers=kafka.split(","), bootstrap_timeout_ms=10_000)
        admin.create_topics({topic: {"num_partitions": 4, "replication_factor": 1}}, wait_for_metadata=True)
        admin.close()
    except (KafkaError, OSError, ValueError) as error:
        raise Failed(f"no topic can be made at {kafka}: {error}") from error
    return topic


def _run_trials(folder: Path, environment: dict[str, str]) -> None:
    _say("# A pipeline, three times: as it is, with another seed, and with one cell of the raw data changed")
    _say(f"# ({CHANGED_COLUMN!r} of row {CHANGED_ROW}).")
    _say(f"$ cd {folder}")
    script = os.path.relpath(PIPELINE, folder)
    for trial in TRIALS:
        words = [script, trial.folder, "--seed", str(trial.seed)]
        _say(f"$ python {' '.join(words)}")
        _run([sys.executable, *words], folder, environment, allowed=(0,))


def _consume(folder: Path, environment: dict[str, str]) -> None:
    _say("\n# The events are in Kafka. They go into .relineage/lineage.duckdb.")
    broker, topic = environment["RELINEAGE_KAFKA"], environment["RELINEAGE_TOPIC"]
    _relineage(["consume", "--kafka", broker, "--topic", topic, "--until-current"], folder, environment)


def _ask(folder: Path, environment: dict[str, str]) -> None:
    model, *others = (f"{trial.folder}/model.joblib" for trial in TRIALS)
    _say("\n# Where does the model come from?")
    _relineage(["trace", model], folder, environment)
    _say("\n# Can it be made again?")
    _relineage(["verify", model], folder, environment, allowed=(0, 1))
    for other in others:
        _say(f"\n# Why is {other} another one?")
        _relineage(["why", model, other], folder, environment, allowed=(1,))
    _say("\n# Is it made again, from its code, its raw data and its seed, in a process of its own?")
    _relineage(["replay", model, "--yes"], folder, environment)
    _say("\n# Three lines to try:")
    for question in QUESTIONS:
        _say(f'$ relineage sql "{question}"')


def _relineage(
    words: list[str], folder: Path, environment: dict[str, str], *, allowed: tuple[int, ...] = (0,)
) -> None:
    _say(f"$ relineage {' '.join(words)}")
    script = Path(sysconfig.get_path("scripts")) / "relineage"
    _run([str(script), *words], folder, environment, allowed)


def _run(command: list[str], folder: Path, environment: dict[str, str], allowed: tuple[int, ...]) -> None:
    ended = subprocess.run(command, cwd=folder, env=environment, check=False)
    if ended.returncode not in allowed:
        raise Failed(f"{' '.join(command)} ended with code {ended.returncode}")


def _say(line: str) -> None:
    print(line, flush=True)  # before what the next command prints


if __name__ == "__main__":
    sys.exit(main())
