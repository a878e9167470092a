"""Texts from outside, as Markdown that shows them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csq_assets.markdown import code, plain, shown

TEXTS = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]))


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ('dump 13 adds "plan", 2 rows (of 5)', 'dump 13 adds "plan", 2 rows (of 5)'),
        ("a_b __c__", r"a_b \_\_c\_\_"),
        ("[x](y) ![z](w)", r"\[x\](y) !\[z\](w)"),
        ("a|b\n# c", r"a\|b\\n# c"),
        ("<b>&amp; & c", r"\<b\>\&amp; & c"),
        ("www.a.b http://c a@b.c", "www\u2060.a.b http:\u2060//c a@\u2060b.c"),
    ],
)
def test_markup_is_escaped_and_words_stay(text: str, markdown: str) -> None:
    assert plain(text) == markdown


@given(TEXTS)
def test_what_is_shown_is_the_text(text: str) -> None:
    assert shown(plain(text)) == text


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("users", "`users`"),
        ("a`b", "``a`b``"),
        ("`a`", "`` `a` ``"),
        ("a\nb", r"`a\nb`"),
        ("", "``"),
    ],
)
def test_code_is_fenced_by_more_than_it_holds(text: str, markdown: str) -> None:
    assert code(text) == markdown
