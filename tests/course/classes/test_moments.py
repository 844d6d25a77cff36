"""Times on the wall against zoneinfo, and what lateness costs, by their properties."""

import zoneinfo
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minillama.course.grading.moments import UNITS, Dates, LatePenalty, in_words, instant, read_instant, stamp
from minillama.errors import ConfigError

ZONES = [zoneinfo.ZoneInfo(name) for name in (
    "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "Africa/Casablanca",
    "UTC",
)]  # fmt: skip
LOCAL = st.datetimes(datetime(1990, 1, 1), datetime(2040, 1, 1))
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))
SHARES = st.integers(0, 1000).map(lambda each: each / 1000)


@given(MOMENTS, st.sampled_from(ZONES), st.booleans())
def test_every_time_on_the_wall_is_found_again(moment, zone, later):
    local = moment.astimezone(zone).replace(tzinfo=None, fold=0)
    found, note = instant(local, zone, later)
    assert found.astimezone(zone).replace(tzinfo=None, fold=0) == local
    assert found == moment or (note and (found > moment) == later)


@given(LOCAL, st.sampled_from(ZONES))
def test_a_plain_time_has_no_note_and_both_readings_agree(local, zone):
    early, late = instant(local, zone, later=False), instant(local, zone, later=True)
    assert early[0] <= late[0]
    assert (early[0] == late[0]) == (not early[1]) == (not late[1])


def test_a_time_that_never_comes_is_read_as_the_later_or_earlier_side():
    berlin = zoneinfo.ZoneInfo("Europe/Berlin")
    late, note = instant(datetime(2027, 3, 28, 2, 30), berlin, later=True)
    assert late == datetime(2027, 3, 28, 1, 30, tzinfo=UTC)
    assert "does not come that day" in note
    assert instant(datetime(2027, 3, 28, 2, 30), berlin, later=False)[0] == datetime(2027, 3, 28, 0, 30, tzinfo=UTC)


@given(MOMENTS)
def test_a_stamp_is_read_as_the_same_moment(moment):
    assert read_instant(stamp(moment)) == moment


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("2026-01-02 03:04:05.000000000 Z", 3), ("2026-01-02T03:04:05Z", 3), ("2026-01-02 03:04:05 UTC", 3),
        ("2026-01-02 03:04:05.123456789 -0800", 11), ("2026-01-02T03:04:05+05:30", 21), ("2026-01-02T03:04:05", None),
        ("yesterday", None), ("", None), ("9999-12-31T23:59:59-23:59", None), ("2026-13-01T00:00:00Z", None),
        ("=1+1", None), ("2026-01-02T03:04:05Z" * 1000, None),
    ],
)  # fmt: skip
def test_what_platforms_write(text, hour):
    found = read_instant(text)
    assert (found.hour if found else None) == hour


@given(st.timedeltas(timedelta(days=-3), timedelta(days=400)), SHARES, SHARES, st.sampled_from(sorted(UNITS)))
def test_a_penalty_is_begun_units_times_share_up_to_the_cap(late, share, cap, per):
    taken = LatePenalty(share=share, per=per, cap=cap).taken(late)
    seconds = Fraction(late // timedelta(microseconds=1), 10**6)
    units = max(0, -(-seconds // (86400 if per == "day" else 3600)))
    exact = min(Fraction(str(cap)), Fraction(str(share)) * units)
    assert taken == pytest.approx(float(exact), abs=1e-9)
    assert 0 <= taken <= cap
    assert (taken == 0) == (late <= timedelta() or not share or not cap)


@given(st.timedeltas(timedelta(), timedelta(days=100)), st.timedeltas(timedelta(), timedelta(days=100)), SHARES)
def test_later_never_costs_less(late, more, share):
    penalty = LatePenalty(share=share, per="hour")
    assert penalty.taken(late) <= penalty.taken(late + more)


@pytest.mark.parametrize(
    "wrong", [{"share": -0.1}, {"share": 0.1, "cap": 2}, {"share": float("nan")}, {"share": 0.1, "per": "week"}]
)
def test_a_penalty_out_of_range_is_refused(wrong):
    with pytest.raises(ConfigError, match="expected"):
        LatePenalty(**wrong)


@pytest.mark.parametrize(
    ("duration", "words"),
    [
        (timedelta(), "0 min"), (timedelta(seconds=-5), "0 min"), (timedelta(microseconds=1), "1 min"),
        (timedelta(minutes=60), "1 h"), (timedelta(days=2, minutes=5), "2 d 5 min"),
        (timedelta(hours=23, minutes=59, seconds=1), "1 d"),
    ],
)  # fmt: skip
def test_durations_in_words(duration, words):
    assert in_words(duration) == words


@given(MOMENTS, st.timedeltas(timedelta(), timedelta(days=30)), st.timedeltas(timedelta(), timedelta(days=30)))
def test_an_extension_never_closes_before_it_is_due(due, open_for, longer):
    dates = Dates(due=due, closes=due + open_for)
    new = dates.extended(due + longer, None)
    assert new.closes - new.due == open_for
    assert dates.extended(None, None) == dates
