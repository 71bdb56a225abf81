import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labels.language import detect_language
from labels.normalise import normalise, normalise_with_offsets


@pytest.mark.parametrize(
    ("submitted", "normal"),
    [
        ("Café", "cafe"),
        ("Cafe\u0301", "cafe"),
        ("state\u200b-spon\u00adsored", "state-sponsored"),
        ("\u202eright to left\u202c", "right to left"),
        ("İzmir", "izmir"),
        ("‘don’t’", "'don't'"),
        ("ﬁnance", "finance"),
        ("ΟΔΟΣ", "οδοσ"),
        ("हिन्दी", "हिन्दी"),
    ],
)
def test_texts_that_look_the_same_have_the_same_normal_form(submitted, normal):
    assert normalise(submitted) == normal


@given(st.text())
def test_normalising_a_normal_form_changes_nothing(text):
    assert normalise(normalise(text)) == normalise(text)


@given(st.text())
def test_offsets_lead_back_to_the_original_characters(text):
    normal = normalise_with_offsets(text)
    assert normal.text == normalise(text)
    for position in range(len(normal.text)):
        [start], [end] = normal.original_spans(np.array([position]), np.array([position + 1]))
        assert end == start + 1
        assert normal.text[position] in normalise(text[start:end])


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("The ministers resigned after the attack on the night train.", "en"),
        ("Le gouvernement a échoué à protéger la population civile.", "fr"),
        ("Die Regierung hat die Bevölkerung nicht geschützt.", "de"),
    ],
)
def test_the_language_of_a_sentence_is_detected(text, code):
    assert detect_language(text).code == code
