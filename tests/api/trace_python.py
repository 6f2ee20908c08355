"""Reads with Python's parser what a traced program has written.

    trace_python.py PROGRAM...     PROGRAM is that of trace_test.c, perhaps behind what runs it
"""
import json
import os
import subprocess
import sys
import tempfile

program = sys.argv[1:]


def reject(constant):
    raise ValueError(f"{constant} is no JSON")


def run(role, method, code):
    with tempfile.TemporaryDirectory() as folder:
        environment = dict(os.environ, MPROC_TRACE="trace.json", MPROC_TEST_METHOD=method)
        ran = subprocess.run([*program, "--role", role], cwd=folder, env=environment, timeout=60)
        assert ran.returncode == code, ran
        with open(os.path.join(folder, "trace.json"), "rb") as file:
            return json.loads(file.read().decode("utf-8"), parse_constant=reject)


def check(events):
    names = {e["pid"]: e["args"]["name"] for e in events if e["name"] == "process_name"}
    for event in events:
        assert event["ph"] in "MXi", event
        assert event["pid"] in names, event
        assert isinstance(event["tid"], int) and isinstance(event["args"], dict), event
        if event["ph"] == "X":
            assert event["ts"] > 0 and event["dur"] >= 0, event
        if event["ph"] == "i":
            assert event["s"] in "tp", event
    lives = [e for e in events if e["ph"] == "X" and e["cat"] == "process"]
    assert sorted(e["pid"] for e in lives) == sorted(names), lives
    assert all(e["name"] == names[e["pid"]] for e in lives)
    return sorted(names.values())


for method in ("fork", "spawn", "forkserver"):
    child = 'grand"child" \u00e9\n\ufffd'
    assert check(run("run_tree", method, 3)) == [
        "MainProcess", "Process-1", "Process-2", child, child]
    assert check(run("end_badly", method, 0)) == [
        "MainProcess", "crashing", "daemon", "killed", "silent"]
