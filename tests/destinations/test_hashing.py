"""Identifiers are normalised and hashed as the systems that compare them publish it."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldenlake.destinations import hashing

LATIN = string.ascii_letters
CYRILLIC = "".join(map(chr, range(0x410, 0x450))) + "Ёё"


# https://developers.google.com/data-manager/api/devguides/concepts/formatting
@pytest.mark.parametrize(
    ("rule", "text", "normalised"),
    [
        ("email", "cloudy.sanfrancisco+shopping@gmail.com", "cloudysanfrancisco@gmail.com"),
        ("email", "user.name+NYC@Example.com", "user.name+nyc@example.com"),
        ("email", " Jo Han@GoogleMail.com ", "johan@googlemail.com"),
        ("email", "no address", None),
        ("email", "+tag@gmail.com", None),
        ("phone", "+1 (800)555-0100", "+18005550100"),
        ("phone", "(800)555-0100", None),
        ("name", " O'Brien ", "obrien"),
        ("name", "Anna-Lena Иванова", "annalena иванова"),
        ("name", " - ", None),
        ("region", "us ", "US"),
        ("region", "Germany", None),
        ("postcode", " 94045-1234 ", "94045-1234"),
    ],
)
def test_google_compares(rule, text, normalised):
    assert getattr(hashing, f"google_{rule}")(text) == normalised


# https://developers.facebook.com/documentation/ads-commerce/conversions-api/parameters/
# customer-information-parameters: the same rules, with examples and their digests.
@pytest.mark.parametrize(
    ("rule", "text", "digest"),
    [
        ("email", "John_Smith@gmail.com",
         "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f"),
        ("phone", "+1 (650) 555-1212",
         "e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176"),
        ("name", "Mary", "6915771be1c5aa0c886870b6951b03d7eafc121fea0e80a5ea83beb7c449f4ec"),
        ("name", "정", "8fa8cd9c440be61d0151429310034083132b35975c4bea67fdd74158eb51db14"),
        ("name", "Valéry", "08e1996b5dd49e62a4b4c010d44e4345592a863bb9f8e3976219bac29417149c"),
        # https://developers.facebook.com/docs/marketing-api/custom-audiences-targeting
        ("email", "mary@example.com",
         "f1904cf1a9d73a55fa5de0ac823c4403ded71afd4c3248d00bdcd0866552bb79"),
    ],
)  # fmt: skip
def test_meta_publishes_this_digest(rule, text, digest):
    assert hashing.sha256(getattr(hashing, f"meta_{rule}")(text)) == digest


@pytest.mark.parametrize(
    ("rule", "text", "normalised"),
    [
        ("email", " Jo.Han+shop@Gmail.com", "jo.han+shop@gmail.com"),
        ("email", "no address", None),
        ("phone", "0650 555 12", None),
        ("name", "Анна-Мария", "аннамария"),
        ("name", "Щукин", "щукин"),
        ("name", "Vale\u0301ry", "valéry"),
        ("name", "42", None),
        ("country", "DE", "de"),
        ("postcode", "94045-1234", "94045"),
        ("postcode", "M1 1AE", "m11ae"),
        ("postcode", "00-950", "00950"),
        ("postcode", " ", None),
    ],
)  # fmt: skip
def test_meta_compares(rule, text, normalised):
    assert getattr(hashing, f"meta_{rule}")(text) == normalised


def test_nothing_has_no_digest():
    assert hashing.sha256(None) is None
    assert hashing.sha256("") is None


@given(st.text(alphabet=LATIN + "' -.", max_size=30))
def test_latin_names_are_reduced_as_metas_own_client_reduces_them(name):
    assert (hashing.meta_name(name) or "") == re.sub(r"[^a-z]", "", name.lower())


@given(st.text(alphabet=LATIN + CYRILLIC + "'- ", max_size=30))
def test_no_letter_of_a_name_is_lost(name):
    letters = "".join(c for c in name.lower() if c.isalpha())
    assert (hashing.meta_name(name) or "") == letters
    assert (hashing.google_name(name) or "").replace(" ", "") == letters


@given(
    st.text(alphabet=string.ascii_letters + string.digits + "._", min_size=1, max_size=12),
    st.sampled_from(["gmail.com", "GoogleMail.com", "example.org"]),
    st.sampled_from(["", "+a", "+a.b+c"]),
)
def test_gmail_addresses_lose_dots_and_tags_and_others_do_not(local, domain, tag):
    found = hashing.google_email(f"{local}{tag}@{domain}")
    if domain == "example.org":
        assert found == f"{local}{tag}@{domain}".lower()
    else:
        bare = "".join(re.findall("[a-z0-9_]", local.lower()))
        assert found == (f"{bare}@{domain.lower()}" if bare else None)
