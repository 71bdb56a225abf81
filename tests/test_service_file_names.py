"""Names of downloaded files, which say which figures they hold."""

import re

import pytest

from service.prevalence.file_names import chart_file_name, file_name


@pytest.mark.parametrize(
    ("subject", "parameters", "name"),
    [
        ("prevalence", [("by", "week")], "prevalence_by-week_corrected"),
        ("prevalence", [("by", ""), ("correct", "false"), ("format", "csv")], "prevalence_raw"),
        (
            "outlets",
            [("frame", "foreign_hand"), ("by", "outlet"), ("to", "2026-02-01"), ("from", "2026-01-01")],
            "outlets_by-outlet_from-2026-01-01_to-2026-02-01_foreign-hand_corrected",
        ),
        (
            "pairs",
            [("unit", "article"), ("dedup", "true"), ("outlet", "Valley Times")],
            "pairs_valley-times_articles_each-story-once",
        ),
        ("stances", [("correct", "false"), ("operating_point", "high_recall")], "stances_high-recall"),
        ("prevalence", [("outlet", f"Outlet {n}") for n in range(9)], "prevalence_9-outlets_corrected"),
        ("prevalence", [("outlet", "Le Défi / Océan")], "prevalence_le-defi-ocean_corrected"),
    ],
)
def test_a_name_has_the_subject_and_each_filter(subject, parameters, name):
    assert file_name(subject, parameters) == name


def test_outlets_in_other_scripts_still_have_names_of_their_own():
    names = {file_name("prevalence", [("outlet", outlet)]) for outlet in ("Правда", "朝日新聞", "خبر")}
    assert len(names) == 3
    assert all(re.fullmatch(r"prevalence_[0-9a-f]{8}_corrected", name) for name in names)


def test_long_names_are_cut_and_still_differ():
    names = {file_name("prevalence", [("outlet", "Outlet " * 40 + end), ("correct", "false")]) for end in "ab"}
    assert len(names) == 2
    assert max(map(len, names)) < 125


def test_no_filter_can_name_a_file_of_another_folder_or_another_header():
    name = file_name("prevalence", [("outlet", '../../etc/passwd"; x="\r\nSet-Cookie: a=b'), ("by", "week")])
    assert re.fullmatch(r"[a-z0-9_-]+", name)


def test_a_chart_of_models_is_named_after_the_current_model():
    assert chart_file_name("reliability", "#reliability-data", "v3") == "reliability_v3"
    assert chart_file_name("versions", "#versions-data", None) == "versions"
    assert (
        chart_file_name("outlets", "/v1/prevalence?by=outlet&outlet=Valley+Times", "v3")
        == "outlets_by-outlet_valley-times_corrected"
    )
