"""The benchmark measures what it says, and a peer that fails is a row that says why."""

import json
import re
import sys

import bench
import numpy as np
import pytest
from turns import turn
from workloads import HERE, PEERS, WORKLOADS, Series

EXACT = np.array([[1.0, -4.0], [2.0, 3.0]])
SERIES = Series("exact", "none", "scores", "fast", {"pydvl": ["slow"]}, ("other",))
WORKER = f"""
import sys, time
sys.path.insert(0, {str(bench.WORKERS)!r})
import protocol

def prepare(arrays, settings, method):
    assert settings["l2"] == 0.01
    def work():
        with open(sys.argv[1] + "/log", "a") as log:
            log.write(method + "\\n")
        print("the library has something to say")
        {{work}}
    return work

protocol.serve(prepare, "numpy")
"""


@pytest.fixture
def scripts(tmp_path, monkeypatch):
    """Arrays, and workers of a few lines in place of the real ones; ``scripts(name, work)``."""
    np.savez(tmp_path / "arrays.npz", X=EXACT)
    np.savez(tmp_path / "reference.npz", scores=EXACT)
    facts = {"l2": 0.01, "scores": {"operations": 4e6, "bytes": 1e3}}
    (tmp_path / "settings.json").write_text(json.dumps(facts))

    def write(name, work):
        path = tmp_path / f"{name}.py"
        path.write_text(WORKER.replace("{work}", work), encoding="utf-8")
        if name == "ours":
            monkeypatch.setattr(bench, "OURS", path)
        else:
            monkeypatch.setitem(bench.SCRIPTS, name, path)
        return path

    speeds = "__import__('numpy').array([1e9, 1e9])"  # 4 ms for 4e6 operations
    write("ours", f"return {speeds} if method == 'machine' else arrays['X']")
    write("pydvl", "time.sleep(0.02); return arrays['X'] + 0.2")
    return write


def measured(folder, rounds=2, series=SERIES, peers=None):
    return bench._measured("W1", series, peers or {"pydvl": sys.executable}, folder, rounds)


def test_agreement_is_the_largest_difference_over_the_largest_score():
    off = EXACT + np.array([[0.0, 0.0], [0.1, 0.0]])
    assert bench.agreement(off, EXACT) == pytest.approx(0.1 / 4)
    assert bench.agreement(np.full((2, 2), np.nan), EXACT) == float("inf")
    assert bench.agreement(EXACT[:1], EXACT) == float("inf")


def test_a_row_says_floor_times_ratio_and_agreement_of_both(tmp_path, scripts):
    row, yardstick = measured(tmp_path)
    cells = dict(zip(bench.HEAD, row, strict=True))
    assert cells["workload"] == "W1 exact" and cells["floor"] == "4 ms"
    assert re.fullmatch(
        rf"pydvl {np.__version__} slow: 2\d(\.\d)? ms \(cold .* ms, CPU .* ms, -?\d+ MB\)",
        cells["peer"],
    )
    assert float(cells["ours is"].removesuffix(" × as fast")) > 2
    assert cells["agreement: ours; peer"] == "0.0e+00; 5.0e-02"
    assert yardstick[3].startswith("other: ") and yardstick[4].endswith("× its time")
    assert yardstick[5] == "0.0e+00"  # another result is not compared


def test_rounds_alternate_between_ours_and_the_others(tmp_path, scripts):
    measured(tmp_path, rounds=2)
    log = (tmp_path / "log").read_text().split()
    there, back = ["fast", "slow", "other"], ["other", "slow", "fast"]
    assert log == ["machine", *there, *back, *there]


def test_a_peer_that_is_not_named_is_left_out(tmp_path, scripts):
    rows = measured(tmp_path, peers={"dattri": sys.executable})
    assert [row[3].split(":")[0] for row in rows] == ["other"]
    (row,) = measured(tmp_path, peers={"dattri": "x"}, series=SERIES._replace(yardsticks=()))
    assert row[3:] == ["", "", "0.0e+00"]


@pytest.mark.parametrize(
    "work, reason",
    [
        ("raise ValueError('no such solver\\nand more')", "ValueError: no such solver"),
        ("import a_library_that_is_not_there", "No module named 'a_library_that_is_not_there'"),
        ("import os; os._exit(3)", "the library has something to say|ended with status 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "ended with status -9"),
        ("time.sleep(60)", "no answer within 3 s"),
    ],
)
def test_a_peer_that_fails_is_a_row_with_the_reason(tmp_path, scripts, monkeypatch, work, reason):
    scripts("pydvl", work)
    monkeypatch.setattr(bench, "SECONDS", 3 if "sleep" in work else 60)
    row, yardstick = measured(tmp_path)
    assert re.match(f"pydvl .*slow: failed: .*({reason})", row[3])
    assert row[4] == "" and row[5] == "0.0e+00"  # ours is measured all the same
    assert yardstick[4] != ""


def test_a_script_that_does_not_start_and_a_missing_interpreter_are_rows_too(tmp_path, scripts):
    scripts("pydvl", "return").write_text("import a_library_that_is_not_there")
    row, _ = measured(tmp_path)
    assert "failed: ModuleNotFoundError: No module named 'a_library" in row[3]
    row, _ = measured(tmp_path, peers={"pydvl": str(tmp_path / "python")})
    assert "failed: " in row[3] and "No such file" in row[3]


def test_an_unknown_workload_or_peer_is_refused_with_the_choices(capsys):
    for argv, words in (
        (["W1", "W9"], "there is no workload W9: choose from W1, W2, W3, W4, W5, W6, W7"),
        (["--peer", "captum=python"], "'captum=python' is not NAME=PYTHON with NAME one of pydvl"),
        (["--peer", "pydvl"], "'pydvl' is not NAME=PYTHON"),
        (["--rounds", "0"], "--rounds must be at least 1"),
    ):
        with pytest.raises(SystemExit) as end:
            bench.main(argv)
        assert end.value.code == 2
        assert words in capsys.readouterr().err


def test_each_peer_has_its_script_and_each_workload_stands_in_the_help(capsys):
    assert all(script.is_file() for script in bench.SCRIPTS.values())
    named = {name for w in WORKLOADS.values() for s in w.series for name in s.peers}
    assert named == {HERE, *PEERS}
    with pytest.raises(SystemExit):
        bench.main(["--help"])
    help = capsys.readouterr().out
    assert all(re.search(rf"^  {name}  \S", help, re.M) for name in WORKLOADS)


def test_a_bar_in_a_reason_does_not_end_a_cell():
    assert bench.line(["a | b", "c"]) == "| a \\| b | c |"


def test_arrays_that_cannot_be_made_are_a_row_too(tmp_path, monkeypatch):
    broken = WORKLOADS["W2"]._replace(series=[SERIES._replace(recipe="W99")])
    monkeypatch.setitem(bench.WORKLOADS, "W2", broken)
    (row,) = bench.measure("W2", {}, tmp_path)
    assert row[2] == "failed: no arrays"


def run(workload, tmp_path):
    rows = list(bench.measure(workload, {}, tmp_path, rounds=1, tiny=True))
    for row in rows:
        assert "failed" not in row[2] + row[3]
        for value in filter(None, row[5].split("; ")):
            assert float(value) < 1e-3  # a residual of 1e-5, times the condition number
    return rows


def test_a_workload_runs_and_agrees_with_the_scores_in_float64(tmp_path):
    ((name, floor, ours, *others),) = run("W2", tmp_path)
    assert name == "W2 CG" and floor.endswith(" ms")
    cold = r"\(cold \S+ m?s, CPU \S+ m?s, [1-9]\d* compiled in \S+ m?s, -?\d+ MB\)$"
    assert re.search(cold, ours)
    assert others[:2] == ["", ""]


@pytest.mark.slow
@pytest.mark.parametrize("workload", turn(sorted(set(WORKLOADS) - {"W2"}), 1))
def test_every_workload_runs_and_agrees_with_the_scores_in_float64(workload, tmp_path, monkeypatch):
    several = WORKLOADS[workload].series
    several = [several[0], *several[1:][-1:]]  # the first and the last stand for all
    monkeypatch.setitem(bench.WORKLOADS, workload, WORKLOADS[workload]._replace(series=several))
    assert len(run(workload, tmp_path)) >= len(several)
