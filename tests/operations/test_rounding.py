"""The rounding model tells rounding from bugs, in the words that a failing test prints."""

from __future__ import annotations

import numpy as np

from operations.rounding import DIFFERENCE_LENGTH, STEP, central_difference, judge, unit


def test_the_unit_is_half_the_spacing_at_one() -> None:
    assert unit("float32") == np.spacing(np.float32(1)) / 2
    assert unit(np.float16) == 2.0**-11


def test_an_error_of_one_rounding_is_within_rounding() -> None:
    exact = np.array([0.1, 0.2, 3.7])
    verdict = judge(exact.astype("float32"), exact)
    assert verdict.within
    assert verdict.text == "within rounding: largest error 4.77e-08"


def test_a_wrong_element_is_named_with_its_error_in_ulps() -> None:
    exact = np.ones((2, 3))
    got = exact.astype("float32")
    got[1, 2] = 1.5
    within, text = judge(got, exact)
    assert not within
    assert text == (
        "a bug at this element: index (1, 2), got 1.5, expected 1.0, error 4.19e+06 ulps (rounding explains 2); "
        "1 of 6 elements are wrong"
    )


def test_the_worst_of_several_wrong_elements_is_named() -> None:
    verdict = judge(np.array([1.0, 2.5, 1.25]), np.ones(3))
    assert verdict.text.startswith("a bug at this element: index (1,), got 2.5, expected 1.0")
    assert verdict.text.endswith("2 of 3 elements are wrong")


def test_a_long_sum_may_be_off_by_more() -> None:
    got, exact = np.array([1 + 2e-5], "float32"), np.ones(1)
    assert not judge(got, exact, length=1).within
    assert judge(got, exact, length=1000).within


def test_terms_that_cancel_leave_the_rounding_of_their_size() -> None:
    got, exact = np.array([1e-4], "float32"), np.zeros(1)
    assert not judge(got, exact).within
    assert judge(got, exact, size=1e4).within


def test_nan_is_a_bug_where_a_number_is_expected_and_the_other_way_round() -> None:
    assert not judge(np.array([np.nan]), np.array([1.0])).within
    assert not judge(np.array([1.0]), np.array([np.nan])).within
    assert judge(np.array([np.nan]), np.array([np.nan])).within


def test_infinities_must_agree_in_sign() -> None:
    assert judge(np.array([np.inf]), np.array([np.inf])).within
    assert not judge(np.array([np.inf]), np.array([-np.inf])).within
    assert not judge(np.array([1e30]), np.array([np.inf])).within


def test_integers_and_bools_must_be_equal() -> None:
    assert judge(np.array([1, 2]), np.array([1, 2])).within
    assert judge(np.array([1, 3]), np.array([1, 2])).text.startswith("a bug at this element: index (1,), got 3")


def test_a_wrong_shape_is_a_bug() -> None:
    assert judge(np.zeros((2, 1)), np.zeros(2)).text == "a bug: shape (2, 1), expected (2,)"


def test_no_elements_are_within_rounding() -> None:
    assert judge(np.zeros((0, 3)), np.zeros((0, 3))).within


def test_the_central_difference_is_as_good_as_the_model_says() -> None:
    x = np.array([[0.3, -1.2], [0.7, 2.0]])
    slope = central_difference(lambda a: float(np.sum(np.exp(np.sin(a)))), x)
    assert judge(slope, np.exp(np.sin(x)) * np.cos(x), length=DIFFERENCE_LENGTH, size=1.0).within
    assert STEP**4 < 1e-11
