"""Rankings, words and JSON of a result."""

import json

import numpy as np
import pytest
from logistic import (
    L2,
    PULLS,
    SADDLE,
    THETA,
    XT,
    YT,
    X,
    Y,
    fitted,
    losses,
    newton,
    predict,
    saddle,
)

from course_utils import FittedModel, Influence, SolveInfo, influence

pytestmark = pytest.mark.usefixtures("no_unexpected_warning")


def result_with(table, **options):
    table = np.asarray(table)
    kinds = dict(converged=bool, num_steps=int, status=int)
    info = SolveInfo(*(np.zeros(len(table), kinds.get(k, float)) for k in SolveInfo._fields))
    nothing = np.zeros((len(table), 1))
    return Influence(table, {"w": nothing}, info, "words", np.ones(len(table)), **options)


# --------------------------------------------------------------------------------------
# Rankings
# --------------------------------------------------------------------------------------


def test_rankings_are_integers_with_ties_by_index_and_k_capped_at_n():
    result = result_with([[0.0, 2, -1, 2], [1, 1, 1, 1]])
    np.testing.assert_array_equal(result.helpful(2), [[1, 3], [0, 1]])
    np.testing.assert_array_equal(result.harmful(2), [[2, 0], [0, 1]])
    many = result_with(np.tile([0.0, 1.0], (1, 100)))
    np.testing.assert_array_equal(many.helpful(100)[0], np.arange(1, 200, 2))
    assert result.helpful(9).shape == (2, 4) and result.helpful(0).shape == (2, 0)
    assert np.issubdtype(result.helpful(1).dtype, np.integer)
    with pytest.raises(ValueError, match="k must not be negative, got -1"):
        result.helpful(-1)


def test_a_score_of_nan_is_not_ranked_and_the_others_are():
    nan = np.nan
    result = result_with([[nan] * 4, [1, 2, 0, 2], [nan, 2, 3, nan], [-np.inf, nan, 0, np.inf]])
    helpful = [[-1, -1, -1], [1, 3, 0], [2, 1, -1], [3, 2, 0]]
    harmful = [[-1, -1, -1], [2, 0, 1], [1, 2, -1], [0, 2, 3]]
    for k in (3, 1, 2):
        np.testing.assert_array_equal(result.helpful(k), np.array(helpful)[:, :k])
        np.testing.assert_array_equal(result.harmful(k), np.array(harmful)[:, :k])


def refit_without(i, removal):
    weights = np.ones(40) * (40 / 39 if removal == "refit-mean" else 1)
    weights[i] = 0
    return newton(X, Y, L2, weights)


@pytest.mark.parametrize("removal", ["fixed-weight", "refit-mean"])
def test_removing_the_most_helpful_point_raises_the_loss_and_the_most_harmful_lowers_it(removal):
    result = influence(fitted(removal=removal), (XT, YT))
    before = losses(XT, YT, THETA)
    for t in range(6):
        for index, sign in ((result.helpful(1)[t, 0], 1), (result.harmful(1)[t, 0], -1)):
            after = losses(XT, YT, refit_without(index, removal))
            assert sign * (after - before)[t] > 0
            assert sign * result.scores[t, index] > 0


def test_a_benefit_is_ranked_the_other_way_and_an_unnamed_measure_not_at_all():
    """The margin of the right class falls where the loss rises."""
    margin = lambda params, z: z[1] * predict(params, z[0])
    ask = lambda **options: influence(fitted(), (XT, YT), test_loss_fn=margin, **options)
    loss, benefit, unnamed = influence(fitted(), (XT, YT)), ask(measure="benefit"), ask()
    np.testing.assert_array_equal(benefit.scores, unnamed.scores)
    np.testing.assert_array_equal(benefit.helpful(3), loss.helpful(3))
    np.testing.assert_array_equal(benefit.harmful(3), loss.harmful(3))
    cost = ask(measure="loss")
    np.testing.assert_array_equal(cost.harmful(3), loss.helpful(3))
    for ranking in (unnamed.helpful, unnamed.harmful):
        with pytest.raises(ValueError, match="call influence with measure='loss' or measure='bene"):
            ranking(3)
    before = XT @ THETA[1:] + THETA[0]
    for t in range(6):
        theta = refit_without(benefit.helpful(1)[t, 0], "fixed-weight")
        assert YT[t] * (XT[t] @ theta[1:] + theta[0]) < YT[t] * before[t]


# --------------------------------------------------------------------------------------
# Words
# --------------------------------------------------------------------------------------


WORDS = [
    ({}, {}, "the loss of test point t rises without training point i", "damp"),
    ({}, {}, "1/n and l2 stay (fixed-weight); positive means helpful.", "refit-mean"),
    (dict(removal="refit-mean"), {}, "(refit-mean); positive means helpful.", "fixed-weight"),
    (dict(damping=0.3), {}, "damped (proximal) response with damping 0.3; positive", "Gauss"),
    (dict(select=lambda path: path == "w"), {}, "refitting the selected params alone", "damp"),
    ({}, dict(measure=None), "value of test_loss_fn of test point t", "loss of test"),
    ({}, dict(measure=None), "; positive: without it the value rises.", "helpful"),
    ({}, dict(measure="benefit"), "; negative means helpful.", "positive"),
    ({}, dict(measure="loss"), "; positive means helpful.", "negative"),
    ({}, dict(aggregate="mean"), "the loss of the mean over all test points rises", "point t"),
    (
        {},
        dict(candidates=(X[:2], Y[:2])),
        "without candidate i, had it been fitted",
        "training",
    ),
]


@pytest.mark.parametrize(("options", "asked", "there", "absent"), WORDS)
def test_the_convention_says_in_one_sentence_what_a_score_estimates(options, asked, there, absent):
    if "measure" in asked:
        asked = asked | dict(test_loss_fn=value)
    said = influence(fitted(**options), (XT, YT), **asked).convention
    assert there in said and absent not in said
    assert said.startswith("scores[t, i] estimates") and said.endswith(".")


def value(params, example):
    return predict(params, example[0])


def test_a_result_prints_its_shape_its_verdicts_and_its_sentence():
    result = influence(fitted(), (XT, YT))
    assert repr(result) == (
        f"Influence of 40 examples on 6; solves: converged.\n{result.convention}"
    )
    assert repr(fitted()) == (
        "FittedModel(loss_fn, p=4, n=40, removal='fixed-weight', curvature='hessian')"
    )
    assert "damping=0.3" in repr(fitted(damping=0.3))
    with pytest.warns(RuntimeWarning, match="not positive definite"):
        failed = influence(FittedModel(saddle, SADDLE, PULLS), PULLS)
    assert repr(failed).startswith("Influence of 4 examples on 4; solves: indefinite.\n")


# --------------------------------------------------------------------------------------
# JSON
# --------------------------------------------------------------------------------------


def test_json_has_what_is_promised_for_every_test_point(tmp_path):
    result = influence(fitted(), (XT, YT))
    result.to_json(tmp_path / "scores.json", labels=YT)
    read = json.loads((tmp_path / "scores.json").read_text())
    assert read["convention"] == result.convention
    assert list(read["test_points"]) == ["0", "1", "2", "3", "4", "5"]
    for t, point in enumerate(read["test_points"].values()):
        assert set(point) == {
            *("label", "num_in_dataset", "time_calc_influence_s"),
            *("influence", "harmful", "helpful"),
        }
        assert point["label"] == YT[t] and point["num_in_dataset"] == t
        np.testing.assert_array_equal(point["influence"], result.scores[t])
        assert point["helpful"] == result.helpful(40)[t].tolist()
        assert point["harmful"] == result.harmful(40)[t].tolist()
        assert point["helpful"][0] == np.argmax(result.scores[t])
        assert 0 < point["time_calc_influence_s"] < 60
    assert [path.name for path in tmp_path.iterdir()] == ["scores.json"]


def test_json_without_times_is_the_same_file_each_time(tmp_path):
    for name in ("first", "second"):
        influence(fitted(), (XT, YT)).to_json(tmp_path / name, time=False, k=3)
    text = (tmp_path / "first").read_text()
    assert text == (tmp_path / "second").read_text()
    point = json.loads(text)["test_points"]["0"]
    assert "time_calc_influence_s" not in point and point["label"] is None
    assert len(point["helpful"]) == len(point["harmful"]) == 3


def test_json_of_a_measure_that_nobody_has_named_is_refused(tmp_path):
    with pytest.raises(ValueError, match="nobody has said"):
        result_with([[1.0, 2.0]], measure=None).to_json(tmp_path / "a")
    assert not list(tmp_path.iterdir())


def test_json_of_a_failed_row_and_of_float32_is_valid(tmp_path):
    table = np.array([[1.5, -2.5], [np.nan, np.nan], [np.nan, 1.0]], np.float32)
    result_with(table).to_json(tmp_path / "a", labels=["ä", "b", "c"])
    points = json.loads((tmp_path / "a").read_text("utf-8"))["test_points"]
    assert points["0"]["influence"] == [1.5, -2.5] and points["0"]["label"] == "ä"
    assert points["1"]["influence"] == [None, None]
    assert points["1"]["helpful"] == points["1"]["harmful"] == []
    assert points["2"]["influence"] == [None, 1.0]
    assert points["2"]["helpful"] == points["2"]["harmful"] == [1]
    for labels in ([1, 2], "abc", 3):
        with pytest.raises(ValueError, match="labels must be 3 numbers or words, one per test"):
            result_with(table).to_json(tmp_path / "b", labels=labels)
    with pytest.raises(ValueError, match=r"labels\[1\] must be a finite number or a word, got nan"):
        result_with(table).to_json(tmp_path / "b", labels=[1.0, np.nan, 2])
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        result_with(table).to_json(tmp_path / "none" / "b")
    result_with([[np.inf, 1.0]]).to_json(tmp_path / "c", labels=np.array(["x"]))
    point = json.loads((tmp_path / "c").read_text("utf-8"))["test_points"]["0"]
    assert point["influence"] == [None, 1.0] and point["helpful"] == [0, 1]
    with pytest.raises(ValueError, match="k must not be negative"):
        result_with(table).to_json(tmp_path / "b", k=-1)
    assert not (tmp_path / "b").exists()
