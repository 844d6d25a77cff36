from minillama.viz import run_7b


def test_the_forecast_names_what_fits():
    control = run_7b.Forecast(16.0, 40.0)
    assert "a line at 16 GB" in control.alt
    assert "3 of 6 fit, the largest the 13B" in control.alt
    weights, cache = control.needs("Q4_0", 2048)["7B"]
    assert abs(weights - 3.79) < 0.01
    assert abs(cache - 1.07) < 0.01
    shared = control.needs("Q8_0", 4096)
    assert shared["70B, shared heads"][1] < shared["65B"][1] / 6
    assert control.picture(type="float16", tokens=0).png
    assert "0 of 6 fit." in run_7b.Forecast(0.5, 40.0).alt


def test_bars_say_what_was_reached_and_what_was_only_forecast():
    picture = run_7b.plot_run({"Q4_0": 8.0, "float16": 2.0}, {"Q4_0": 6.0})
    assert "Q4_0 75%" in picture.alt
    assert "Only forecast: float16 2" in picture.alt
    assert "Only forecast: none" in run_7b.plot_run({"Q4_0": 8.0}, {"Q4_0": 9.0}).alt
