"""The structure of the code stays within bounds: what a newcomer reads is small, named and in plain English."""

import pytest

from tests.support import house


def test_a_post_runs_through_at_most_36_modules(models_folder):
    modules = house.modules_of_a_post(models_folder.parent)
    assert "service.routes.articles" in modules
    # Cutting a text alone takes eight: texts of newspapers, agencies and archives have headings, prompts, field lines.
    # Four stand around every request: where it comes from, whose place it takes, what ends its work when its client
    # leaves, and the headers of its answer.
    assert len(modules) <= 36, modules


def test_no_package_has_more_than_18_modules_and_the_service_itself_at_most_8():
    packages = house.modules_by_package()
    assert packages["service"] <= 8
    assert max(packages.values()) <= 18, packages


def test_benchmarks_stay_under_3200_lines():
    assert house.lines_of("benchmarks") <= 3200


def test_no_variable_or_function_is_named_by_a_word_that_says_nothing():
    assert list(house.names_with_such_words()) == []


@pytest.mark.parametrize("word", house.WORDS)
def test_each_banned_word_is_rare(word):
    assert house.words_per_thousand_lines()[word] <= 3


def test_all_banned_words_together_are_rare():
    assert sum(house.words_per_thousand_lines().values()) <= 3


@pytest.mark.parametrize("module", ["service.articles.answers", "service.bulk.job", "service.coding.annotate"])
def test_what_the_service_does_loads_no_web_framework(module):
    own, _ = house.loaded_by(module)
    assert module in own
    assert not house.loads(module, "fastapi")
