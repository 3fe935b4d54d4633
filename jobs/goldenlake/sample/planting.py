"""Planting the population: every attribute from a stream of its own."""

import numpy as np

from goldenlake.sample.draws import Flags, Floats, Ints, pick, stream
from goldenlake.sample.names import FAMILY, GIVEN, NameTable
from goldenlake.sample.options import SampleOptions
from goldenlake.sample.people import NEVER, Population, Small

_CHANGE_A_DAY = 0.003


_LANGUAGE_SHARES = [0.42, 0.20, 0.14, 0.11, 0.13]


def population(options: SampleOptions) -> Population:
    """Plant the people of a sample."""
    n = options.customers
    seed = options.seed

    def draw(purpose: str) -> Floats:
        return stream(seed, "people", purpose).random(n + n % 2)

    def chance(purpose: str, share: float) -> Flags:
        flags: Flags = draw(purpose) < share
        return flags

    def sometime(purpose: str, a_day: float) -> Ints:
        u = draw(purpose)
        day = 1 + np.floor(u / a_day).astype(np.int64)
        when: Ints = np.where((u < a_day * (options.days - 1)) & (day > 0), day, NEVER)
        return when

    everyone = np.arange(n + n % 2)
    elder = everyone & ~1
    younger = (everyone & 1).astype(np.bool_)
    in_family = chance("family", 0.30)[elder]
    if n % 2:
        in_family[-2:] = False
    follows = in_family & younger
    is_child = follows & chance("child", 0.4)

    language = pick(draw("language"), _LANGUAGE_SHARES)
    language = np.where(follows, language[elder], language)
    at_home = np.array([0, 1, 2, 3, 4])[language]
    abroad = pick(draw("destination"), [0.3, 0.5, 0.2])
    emigrant = chance("emigrant", 0.14) & (language >= 3)
    country = np.where(emigrant, abroad, at_home)
    country = np.where(follows, country[elder], country)

    female = chance("female", 0.51)
    female = np.where(follows & ~is_child, ~female[elder], female)
    given = _draw_rows(GIVEN, language * 2 + female, draw("given"), draw("given rank"))
    namesake = is_child & (female == female[elder]) & chance("namesake", 0.15)
    given = np.where(namesake, given[elder], given)
    family = _draw_rows(FAMILY, language, draw("family name"), draw("family rank"))
    family = np.where(follows, family[elder], family)
    family_after = _draw_rows(FAMILY, language, draw("new name"), draw("new rank"))

    born = -12_000 + (draw("born") * 24_500).astype(np.int64)
    born = np.where(is_child, np.minimum(born[elder] + 7_500 + born % 5_000, 14_000), born)

    place = (draw("place") * 2_000_000_000).astype(np.int64)
    place = np.where(follows, place[elder], place)
    has_account = chance("account", 0.52)
    joined_on = sometime("joined", 0.004)
    joined_on = np.where(joined_on == NEVER, 0, joined_on)
    surname_changes = np.where(female, sometime("surname", _CHANGE_A_DAY), NEVER)

    def small(values: Ints) -> Small:
        return values[:n].astype(np.int32)

    return Population(
        seed=seed,
        size=n,
        start=options.start,
        language=small(language),
        country=small(country),
        female=female[:n],
        given=small(given),
        family=small(family),
        family_after=small(family_after),
        born=small(born),
        place=small(place),
        place_after=small((draw("new place") * 2_000_000_000).astype(np.int64)),
        mailbox_style=small((draw("mailbox") * 60).astype(np.int64)),
        in_family=in_family[:n],
        is_child=is_child[:n],
        shares_phone=(follows & chance("shared phone", 0.30))[:n],
        shares_email=(follows & chance("shared e-mail", 0.20))[:n],
        family_computer=(in_family & chance("computer", 0.35)[elder])[:n],
        in_crm=chance("crm", 0.85)[:n],
        in_erp=(chance("erp", 0.35) | (has_account & chance("erp of account", 0.55)))[:n],
        has_account=has_account[:n],
        has_loyalty_card=chance("loyalty", 0.45)[:n],
        on_mailing_list=chance("mailing", 0.65)[:n],
        known_to_partner=chance("partner", 0.25)[:n],
        browses=(has_account | chance("browses", 0.5))[:n],
        states_consent=chance("consent", 0.82)[:n],
        devices=small(1 + pick(draw("devices"), [0.55, 0.33, 0.12])),
        joined_on=small(joined_on),
        email_changes_on=small(sometime("new e-mail", _CHANGE_A_DAY)),
        surname_changes_on=small(surname_changes),
        moves_on=small(sometime("moves", _CHANGE_A_DAY)),
        leaves_crm_on=small(sometime("leaves", 0.002)),
        unsubscribes_on=small(sometime("unsubscribes", 0.002)),
    )


def _draw_rows(table: NameTable, group: Ints, which: Floats, rank: Floats) -> Ints:
    """Rows of the table: frequent names with a long tail of rare ones."""
    first = np.asarray(table.first)
    begins, ends = first[group], first[group + 1]
    common = np.asarray(table.common)[group]
    rare_names = ends - begins - common
    is_common = (which < 0.6) | (rare_names == 0)
    frequent = begins + np.floor(common * rank**1.6).astype(np.int64)
    tail = begins + common + np.floor(rare_names * rank).astype(np.int64)
    rows: Ints = np.where(is_common, frequent, tail)
    return rows
