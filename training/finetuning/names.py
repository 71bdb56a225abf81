"""Swaps the names of states and armed groups, so that a model learns from what a text says and not whom it names."""

import re
from collections.abc import Sequence

import numpy as np

# Each line: state, people, capital.
_STATES = """
Pakistan, Pakistani, Islamabad
India, Indian, Delhi
Nigeria, Nigerian, Abuja
Ukraine, Ukrainian, Kyiv
Russia, Russian, Moscow
Iran, Iranian, Tehran
Iraq, Iraqi, Baghdad
Syria, Syrian, Damascus
Israel, Israeli, Jerusalem
Afghanistan, Afghan, Kabul
Turkey, Turkish, Ankara
Egypt, Egyptian, Cairo
Libya, Libyan, Tripoli
Yemen, Yemeni, Sanaa
Mexico, Mexican, Mexico City
Colombia, Colombian, Bogotá
Venezuela, Venezuelan, Caracas
Ethiopia, Ethiopian, Addis Ababa
Sudan, Sudanese, Khartoum
Mali, Malian, Bamako
Somalia, Somali, Mogadishu
Kenya, Kenyan, Nairobi
Myanmar, Burmese, Naypyidaw
China, Chinese, Beijing
France, French, Paris
Lebanon, Lebanese, Beirut
Honduras, Honduran, Tegucigalpa
Philippines, Filipino, Manila
Rwanda, Rwandan, Kigali
Qatar, Qatari, Doha
Poland, Polish, Warsaw
Bangladesh, Bangladeshi, Dhaka
Germany, German, Berlin
Georgia, Georgian, Tbilisi
Armenia, Armenian, Yerevan
Algeria, Algerian, Algiers
Brazil, Brazilian, Brasilia
Peru, Peruvian, Lima
Ecuador, Ecuadorian, Quito
Haiti, Haitian, Port-au-Prince
"""
STATES = tuple(tuple(line.split(", ")) for line in _STATES.strip().splitlines())
GROUPS = (
    "Islamic State",
    "ISIS",
    "Boko Haram",
    "al-Qaeda",
    "al-Shabab",
    "Hezbollah",
    "Hamas",
    "the Taliban",
    "the Houthis",
    "FARC",
    "ELN",
    "the Naxalites",
    "the PKK",
    "the LTTE",
    "JNIM",
)


def _any_of(names: Sequence[str], after: str, flags: re.RegexFlag = re.NOFLAG) -> re.Pattern[str]:
    """A pattern for whole names, the longest first, so that a name within another does not hide it."""
    longest_first = sorted(map(re.escape, names), key=len, reverse=True)
    return re.compile(rf"\b({'|'.join(longest_first)}){after}", flags)


# Number of the state and which of its three names it is.
_PLACES = {name: (number, form) for number, state in enumerate(STATES) for form, name in enumerate(state)}
_NUMBERS = {name.lower(): number for number, name in enumerate(GROUPS)}
# With the plural of a people ("Kenyans"). "polish" and "turkey" in lower case are other words.
_STATE = _any_of(tuple(_PLACES), r"(s?)\b")
_WITHOUT_PLURAL = ("ese", "ish", "ch")
_GROUP = _any_of(GROUPS, r"\b", re.IGNORECASE)


def swap_names(text: str, random: np.random.Generator) -> str:
    """Returns the text with its states and groups replaced by others: the same name always by the same other name.

    A state's people and capital become those of the state that replaces it.
    """
    states: list[int] = random.permutation(len(STATES)).tolist()
    groups: list[int] = random.permutation(len(GROUPS)).tolist()

    def state(match: re.Match[str]) -> str:
        number, form = _PLACES[match[1]]
        other = STATES[states[number]][form]
        return other if other.endswith(_WITHOUT_PLURAL) else other + match[2]

    def group(match: re.Match[str]) -> str:
        return GROUPS[groups[_NUMBERS[match[1].lower()]]]

    return _GROUP.sub(group, _STATE.sub(state, text))
