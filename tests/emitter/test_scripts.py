"""Whole programs, as people type them: scripts, `start()` without a block, crashes, and what is imported."""

import json
import os
import signal
import subprocess
import sys
import textwrap

import pytest
from emitted import events_in


@pytest.fixture
def run_script(tmp_path):
    (tmp_path / ".relineage").mkdir()

    def run(text, *arguments, check=True):
        file = tmp_path / "job.py"
        file.write_text("from relineage.emitter import Lineage\n" + textwrap.dedent(text))
        # Python 3.12 and newer warn of every fork beside threads, which numpy has.
        warnings = ["-W", "error", "-W", "ignore:This process:DeprecationWarning"]
        done = subprocess.run(
            [sys.executable, *warnings, "job.py", *arguments], cwd=tmp_path, capture_output=True, text=True
        )
        if check:
            assert done.returncode == 0, done.stderr
        return done, events_in(tmp_path)

    return run


def test_the_few_lines_that_people_type(run_script):
    done, events = run_script("""
        import numpy as np, pandas as pd
        from sklearn.linear_model import LogisticRegression

        train_df = pd.DataFrame({"amount": np.arange(50.0), "fraud": [0, 1] * 25})
        lineage = Lineage(namespace="fraud")
        with lineage.run("train", seed=42, params={"lr": 0.1}) as run:
            train = run.input(train_df, name="features/train", role="train")
            model = LogisticRegression().fit(train[["amount"]], train["fraud"])
            run.output(model, name="models/fraud", role="weights")
            run.metric("auc", 0.93)
    """)

    assert done.stdout == done.stderr == ""
    end = events[-1]
    assert end["eventType"] == "COMPLETE"
    assert end["outputs"][0]["facets"]["datasetType"]["datasetType"] == "MODEL"
    step = end["run"]["facets"]["relineage_step"]
    assert "missing" not in step
    assert end["run"]["facets"]["relineage_environment"]["argv"] == ["job.py"]


def test_two_processes_with_the_same_seed_make_the_same(run_script):
    script = """
        import random, numpy as np, pandas as pd
        with Lineage().run("sample", seed=42) as run:
            run.output(pd.DataFrame({"x": np.random.random(30), "y": [random.random() for _ in range(30)]}))
    """
    run_script(script)
    _, both = run_script(script)

    one, other = (
        event["run"]["facets"]["relineage_step"] for event in both if event["eventType"] == "COMPLETE"
    )
    assert (one["task"], one["recipe"], one["outcome"]) == (other["task"], other["recipe"], other["outcome"])
    assert len({event["run"]["runId"] for event in both}) == 2


def test_how_the_program_was_started_is_told_and_its_runs_share_a_process(run_script, tmp_path):
    script = """
        import pandas as pd
        lineage = Lineage()
        for job in "ab":
            with lineage.run(job) as run:
                run.output(pd.DataFrame({"x": [1]}))
    """
    run_script(script, "--epochs", "3")
    _, events = run_script(script, "--epochs", "3")

    said = [
        event["run"]["facets"]["relineage_environment"]
        for event in events
        if event["eventType"] == "COMPLETE"
    ]
    assert said[0]["command"][-3:] == ["job.py", "--epochs", "3"]
    assert said[0]["directory"] == str(tmp_path)
    assert said[0]["process"] == said[1]["process"] != said[2]["process"] == said[3]["process"]
    carriers = {one["facets"]["relineage_content"]["carrier"] for event in events for one in event["outputs"]}
    assert carriers == {"pandas.DataFrame"}


def test_another_text_of_the_script_is_another_task(run_script):
    script = "with Lineage().run('a', seed=1): pass\n"
    run_script(script)
    _, events = run_script(script + "# a comment\n")

    steps = [event["run"]["facets"]["relineage_step"] for event in events if event["eventType"] == "COMPLETE"]
    assert steps[0]["task"] != steps[1]["task"]


def test_a_notebook_style_run_is_started_and_ended_by_hand(run_script):
    _, events = run_script("""
        lineage = Lineage()
        run = lineage.start("explore", params={"k": 3})
        run.metric("score", 0.5)
        run.end()
    """)

    assert [event["eventType"] for event in events] == ["START", "COMPLETE"]


def test_an_open_runs_end_reaches_kafka_too(kafka, topic, tmp_path):
    import kafka_broker

    program = "from relineage.emitter import Lineage\nrun = Lineage().start('train')\n"
    environ = {**os.environ, "RELINEAGE_KAFKA": kafka, "RELINEAGE_TOPIC": topic}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environ, check=True, capture_output=True, text=True
    )

    if sys.version_info[:3] in {(3, 12, 0), (3, 12, 1)}:
        # They let no thread start once the script has ended: https://github.com/python/cpython/issues/113964
        assert "2 of 2 events were not acknowledged" in done.stderr
        return
    events = [json.loads(value) for _, value, _ in kafka_broker.read_topic(kafka, topic)]
    assert [event["eventType"] for event in events] == ["START", "ABORT"]


def test_a_run_that_is_open_when_the_interpreter_ends_was_aborted(run_script):
    """COMPLETE would be a lie: nobody said that it was done."""
    _, events = run_script("""
        lineage = Lineage()
        run = lineage.start("outer")
        lineage.start("inner")
    """)

    assert [(event["job"]["name"], event["eventType"]) for event in events] == [
        ("outer", "START"), ("inner", "START"), ("inner", "ABORT"), ("outer", "ABORT"),
    ]  # fmt: skip
    assert "the interpreter ended" in events[-1]["run"]["facets"]["errorMessage"]["message"]


def test_a_started_run_failed_if_the_script_crashed(run_script):
    done, events = run_script(
        """
        run = Lineage().start("train")
        raise ValueError("no data")
        """,
        check=False,
    )

    assert done.returncode == 1
    assert "ValueError: no data" in done.stderr
    error = events[-1]["run"]["facets"]["errorMessage"]
    assert events[-1]["eventType"] == "FAIL"
    assert error["message"] == "ValueError: no data"
    assert 'raise ValueError("no data")' in error["stackTrace"]


@pytest.mark.parametrize(("code", "event_type"), [(0, "COMPLETE"), (3, "FAIL")])
def test_sys_exit_within_a_block_ends_the_run_as_it_ends_the_program(run_script, code, event_type):
    done, events = run_script(
        f"""
        import sys
        with Lineage().run("train"):
            sys.exit({code})
        """,
        check=False,
    )

    assert done.returncode == code
    assert events[-1]["eventType"] == event_type


def test_an_interrupt_aborts(run_script):
    done, events = run_script(
        """
        import os, signal, time
        signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background inherits ignoring it
        with Lineage().run("train"):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)
        """,
        check=False,
    )

    assert done.returncode == -signal.SIGINT
    assert events[-1]["eventType"] == "ABORT"


def test_a_killed_job_leaves_its_start(run_script):
    done, events = run_script(
        """
        import os, signal
        with Lineage().run("train"):
            os.kill(os.getpid(), signal.SIGKILL)
        """,
        check=False,
    )

    assert done.returncode == -signal.SIGKILL
    assert [event["eventType"] for event in events] == ["START"]


def test_a_forked_worker_that_ends_does_not_end_the_run(run_script):
    _, events = run_script("""
        import multiprocessing, sys
        lineage = Lineage()
        run = lineage.start("train")
        worker = multiprocessing.get_context("fork").Process(target=sys.exit)
        worker.start()
        worker.join()
        run.end()
    """)

    assert [event["eventType"] for event in events] == ["START", "COMPLETE"]


def test_the_commit_of_the_script_is_recorded(run_script, tmp_path):
    (tmp_path / "job.py").write_text("")
    identity = {
        "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.com",
        "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.com",
    }  # fmt: skip
    for command in (["init", "-q", "-b", "main"], ["add", "job.py"], ["commit", "-q", "-m", "one"]):
        subprocess.run(["git", *command], cwd=tmp_path, env={**os.environ, **identity}, check=True)
    subprocess.run(["git", "remote", "add", "origin", "git@github.com:o/r.git"], cwd=tmp_path, check=True)
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=tmp_path, capture_output=True, text=True
    ).stdout.strip()
    _, events = run_script("with Lineage().run('train'): pass\n")

    place = events[0]["job"]["facets"]["sourceCodeLocation"]
    assert place["url"] == f"https://github.com/o/r/blob/{commit}/job.py"
    assert (place["type"], place["path"], place["branch"], place["version"]) == (
        "git",
        "job.py",
        "main",
        commit,
    )
    code = events[0]["run"]["facets"]["relineage_environment"]["code"]
    assert (code["commit"], code["dirty"], code["repository"]) == (commit, True, "git@github.com:o/r.git")


def test_importing_the_emitter_brings_nothing_heavy():
    heavy = [
        "duckdb",
        "pandas",
        "torch",
        "pyspark",
        "numpy",
        "pyarrow",
        "kafka",
        "openlineage.client",
        "pydantic",
    ]
    program = f"import sys, relineage.emitter; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_a_folder_that_cannot_be_written_stops_no_job(tmp_path):
    """A file stands where the folder should be: nothing can be kept, and that is said."""
    (tmp_path / ".git").mkdir()
    (tmp_path / ".relineage").write_text("in the way")
    program = "from relineage.emitter import Lineage\nwith Lineage().run('a') as run: print(run.input([1]))"
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)

    assert (done.returncode, done.stdout) == (0, "[1]\n")
    assert f"File exists: '{tmp_path}/.relineage'; the job goes on" in done.stderr
    assert "Traceback" not in done.stderr
