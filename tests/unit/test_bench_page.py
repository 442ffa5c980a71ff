"""The page of benchmarks says what the saved results say, and nothing else."""

from deploy.bench.page import PAGE, RESULTS, SCALING, page, scaling_of, section

RESULT = {
    "bench": "projection",
    "title": "From here to there",
    "command": "./manyi bench projection --seed 3",
    "seed": 3,
    "name_of_ours": "ours",
    "ours": {"events_s": 12_345.0, "rss_mb": 90.25},
    "peers": {"other": {"events_s": 24_690.0, "rss_mb": 45.0}},
    "ratios": {"other": 0.5},
    "columns": {"events_s": "events/s", "rss_mb": "MB"},
    "main": "events_s",
    "notes": {"other": "no aggregates"},
    "facts": {"events": 7},
    "goals": ["0.8 × other"],
    "machine": {"processors": 2},
}


def test_a_section_has_command_picture_table_and_circumstances() -> None:
    told = section(RESULT)
    assert "`./manyi bench projection --seed 3`" in told
    assert 'x-axis ["ours", "other"]\n    bar [12345.0, 24690.0]' in told
    assert "| ours | 12,345 | 90.2 |  |  |" in told
    assert "| other | 24,690 | 45 | 0.5 | no aggregates |" in told
    assert "seed 3, events 7" in told
    assert "processors 2" in told


def test_the_page_is_the_one_that_the_saved_results_give() -> None:
    assert PAGE.read_text() == page(RESULTS)


def test_the_page_on_scaling_is_the_one_that_the_saved_result_gives() -> None:
    assert SCALING.read_text() == scaling_of(RESULTS)


def test_a_figure_that_a_line_does_not_have_stays_empty() -> None:
    told = section({**RESULT, "peers": {"other": {"events_s": 24_690.0}}})
    assert "| other | 24,690 |  | 0.5 | no aggregates |" in told
