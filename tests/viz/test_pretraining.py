from minillama.viz import pretraining


def test_mixture_names_what_is_read_most_and_least_beside_its_size():
    picture = pretraining.plot_mixture({"web": (80.0, 60.0), "books": (5.0, 30.0), "code": (15.0, 10.0)})
    assert "books is read most" in picture.alt
    assert "code least" in picture.alt


def test_sweep_names_the_best_rate():
    stored = {1e-4: 5.0, 1e-3: 3.5, 1e-2: 4.25}
    for live in (None, (3e-3, 4.0)):
        picture = pretraining.plot_sweep(stored, live)
        assert "lowest at 0.001 with 3.50" in picture.alt
        assert "up to 5.00" in picture.alt


def test_budget_names_the_best_size():
    picture = pretraining.plot_budget([1e6, 2e6, 4e6], [2.0, 1.5, 1.75], [4e6, 2e6, 1e6])
    assert "2.0 million parameters with 1.500 nats, and 2.000 for the smallest" in picture.alt
