"""Given and family names of five languages, their nicknames and their Latin spellings.

Lists are written for this project; long tails of family names are composed from stems and
endings, so that a million people are not all called Smith. No name stands for anyone.
"""

from dataclasses import dataclass

import numpy as np

LANGUAGES = ("en", "de", "fr", "bg", "ru")
CYRILLIC_LANGUAGES = (3, 4)

_MALE = {
    "en": "William/Bill Robert/Bob James/Jim John/Jack Richard/Rick Michael/Mike Thomas/Tom "
    "Edward/Ted Charles/Charlie Henry/Harry George Daniel/Dan Matthew/Matt Anthony/Tony "
    "Andrew/Andy Christopher/Chris Joseph/Joe Samuel/Sam Benjamin/Ben Nicholas/Nick David/Dave "
    "Stephen/Steve Peter/Pete Alexander/Alex Patrick/Pat Gregory/Greg Kenneth/Ken Ronald/Ron "
    "Lawrence/Larry Philip/Phil Simon Martin Graham Stuart Neil Oliver/Ollie Leonard/Len "
    "Frederick/Fred Walter/Walt Albert/Bert Arthur/Art Oscar Noah Liam Ethan Callum Duncan",
    "de": "Johannes/Hannes Friedrich/Fritz Heinrich/Heinz Josef/Sepp Maximilian/Max Matthias/Matze "
    "Sebastian/Basti Wolfgang/Wolf Karl Hans Jürgen Günther Uwe Dieter Klaus Rainer Thomas/Tom "
    "Andreas/Andi Stefan Michael/Michi Christian/Chris Tobias/Tobi Florian/Flo Alexander/Alex "
    "Lukas Jonas Felix Moritz Paul Leon Jörg Björn Sören Götz Ulrich/Uli Manfred/Manni Bernhard "
    "Gerhard/Gerd Hartmut Norbert Holger Torsten Jens Kai Benedikt Konrad Anton/Toni Emil Oskar",
    "fr": "Alexandre/Alex François/Fanfan Nicolas/Nico Sébastien/Seb Frédéric/Fred Christophe "
    "Grégory/Greg Benoît Jérôme Rémi Gaël Loïc Étienne Stéphane Cédric Mickaël/Mike Philippe/Phil "
    "Jacques Pierre Jean Louis Antoine/Toine Maxime/Max Théo Hugo Lucas Mathieu/Mat Guillaume "
    "Olivier Vincent Laurent Thierry Pascal Didier Yves Alain Bernard Denis Emmanuel/Manu "
    "Gérard Hervé Joël Lionel Marcel Noël Raphaël/Raph Sylvain Tristan Xavier/Xav Yann",
    "bg": "Александър/Сашо Георги/Гошо Димитър/Митко Иван/Ванко Николай/Ники Петър/Пешо "
    "Стоян/Стоянчо Тодор/Тошо Христо/Ицо Васил/Васко Ангел Борис/Боби Владимир/Влади Емил "
    "Калоян/Калата Красимир/Краси Любомир/Любо Мартин/Марто Огнян/Оги Пламен Радослав/Радо "
    "Росен Румен Светослав/Светльо Симеон/Мони Стефан/Стефчо Теодор/Тео Филип Цветан/Цецо "
    "Явор Йордан/Данчо Асен Атанас/Наско Божидар/Божо Веселин/Веско Денислав/Дени Живко Здравко",
    "ru": "Александр/Саша Алексей/Лёша Дмитрий/Дима Сергей/Серёжа Андрей Владимир/Вова Иван/Ваня "
    "Михаил/Миша Николай/Коля Павел/Паша Пётр/Петя Евгений/Женя Виктор/Витя Юрий/Юра "
    "Константин/Костя "
    "Анатолий/Толя Василий/Вася Григорий/Гриша Фёдор/Федя Степан/Стёпа Максим/Макс "
    "Никита Роман/Рома "
    "Илья/Илюша Егор Тимофей/Тима Кирилл Артём/Тёма Денис Олег Игорь/Гоша "
    "Вячеслав/Слава Станислав/Стас "
    "Борис/Боря Леонид/Лёня Геннадий/Гена Валерий/Валера Антон/Тоша Руслан Семён/Сёма",
}
_FEMALE = {
    "en": "Elizabeth/Liz Margaret/Maggie Katherine/Kate Patricia/Trish Jennifer/Jenny Susan/Sue "
    "Rebecca/Becky Victoria/Vicky Deborah/Debbie Barbara/Babs Christine/Chris Jessica/Jess "
    "Samantha/Sam Alexandra/Alex Amanda/Mandy Judith/Judy Dorothy/Dot Pamela/Pam Theresa/Terri "
    "Josephine/Josie Abigail/Abby Charlotte/Lottie Emily/Em Olivia/Liv Isabella/Bella Sophie Grace "
    "Hannah Lucy Alice Emma Chloe Amelia/Millie Eleanor/Ellie Florence/Flo Georgina/Gina "
    "Harriet/Hattie Imogen Jacqueline/Jackie Louise/Lou Nicola/Nicky Penelope/Penny Rosemary/Rose "
    "Sarah/Sally Veronica/Ronnie Winifred/Win Zoe",
    "de": "Katharina/Kathi Elisabeth/Lisa Magdalena/Lena Johanna/Hanna Susanne/Susi "
    "Margarete/Gretel "
    "Alexandra/Alex Christina/Tina Stefanie/Steffi Gabriele/Gabi Angelika/Geli Ursula/Uschi "
    "Monika/Moni Renate/Reni Brigitte/Gitte Sabine/Bine Petra Andrea Claudia Martina Birgit Heike "
    "Silke Anja Julia/Jule Sarah Laura Lea Anna Marie Sophie Käthe Jördis Bärbel Hannelore/Hanne "
    "Friederike/Rike Charlotte/Lotte Wilhelmine/Minna Antonia/Toni Franziska/Franzi Theresa/Resi "
    "Valentina/Vali Greta Frieda Mathilda/Tilda Ingrid Helga Waltraud/Traudl",
    "fr": "Élisabeth/Babeth Catherine/Cathy Françoise Véronique/Véro Stéphanie/Stef Valérie Hélène "
    "Céline Aurélie/Lilie Élodie Amélie Chloé Zoé Léa Inès Zélie Noémie Mélanie/Mel Stéphane "
    "Frédérique/Fred Dominique/Domi Isabelle/Isa Nathalie/Nath Sylvie Brigitte Monique Nicole "
    "Jacqueline/Jackie Christine Martine Sandrine Corinne Sophie Julie Camille Manon Océane "
    "Pauline Marguerite/Margot Geneviève/Ginette Joséphine/José Alexandra/Alex Audrey Béatrice/Béa "
    "Clémence Delphine Emmanuelle/Manue Gaëlle Solène Thérèse",
    "bg": "Александра/Сашка Мария/Мими Елена/Ели Иванка/Ваня Йорданка/Данче "
    "Василка/Васка Виктория/Вики "
    "Гергана/Гери Даниела/Дани Десислава/Деси Димитрина/Дими Екатерина/Катя Елисавета/Лиза "
    "Маргарита/Маги Надежда/Надя Николина/Ники Петя Радка Росица/Роси Светлана/Светла Силвия/Силви "
    "Снежана/Снежи Стефка/Стефи Теодора/Теди Цветелина/Цвети Юлия/Юли Яна "
    "Антоанета/Тони Биляна/Били "
    "Боряна/Бори Весела/Веси Галина/Галя Диана/Диди Живка Златка Калина Лиляна/Лили Милена/Мила",
    "ru": "Екатерина/Катя Анна/Аня Мария/Маша Наталья/Наташа Татьяна/Таня Ольга/Оля Елена/Лена "
    "Светлана/Света Ирина/Ира Людмила/Люда Галина/Галя Надежда/Надя Любовь/Люба Вера Юлия/Юля "
    "Анастасия/Настя Дарья/Даша Ксения/Ксюша Полина/Поля София/Соня Елизавета/Лиза Александра/Саша "
    "Евгения/Женя Валентина/Валя Маргарита/Рита Тамара/Тома Зинаида/Зина Лариса/Лара Жанна "
    "Вероника/Ника Алла Инна Марина Оксана Яна Алёна Варвара/Варя Василиса Кира Фёкла",
}
_COMMON_FAMILIES = {
    "en": "Smith Jones Taylor Brown Williams Wilson Johnson Davies Robinson Wright Thompson Evans "
    "Walker White Roberts Green Hall Wood Jackson Clarke Hughes Edwards Hill Moore Clark Harris "
    "Lewis Young King Baker Turner Cooper Ward Morris Parker Cook Bell Carter Shaw O'Brien "
    "O'Connor MacDonald McKenzie Campbell Stewart Murphy Kelly Ryan Price Bennett Gray Mills",
    "de": "Müller Schmidt Schneider Fischer Weber Meyer Wagner Becker Schulz Hoffmann Schäfer Koch "
    "Bauer Richter Klein Wolf Schröder Neumann Schwarz Zimmermann Braun Krüger Hofmann Hartmann "
    "Lange Schmitt Werner Krause Meier Lehmann Köhler Maier König Huber Kaiser Fuchs Lang Weiß "
    "Jung Hahn Vogel Friedrich Günther Berger Winkler Roth Beck Lorenz Böhm Groß",
    "fr": "Martin Bernard Thomas Petit Robert Richard Durand Dubois Moreau Laurent Simon Michel "
    "Lefèvre Leroy Roux David Bertrand Morel Fournier Girard Bonnet Dupont Lambert Fontaine "
    "Rousseau Vincent Müller Lefebvre Faure André Mercier Blanc Guérin Boyer Garnier Chevalier "
    "François Legrand Gauthier Garcia Perrin Robin Clément Morin Nicolas Henry Roussel Mathieu "
    "Gérard Noël",
    "bg": "Иванов Георгиев Димитров Петров Николов Христов Стоянов Тодоров Илиев Василев Атанасов "
    "Ангелов Попов Михайлов Йорданов Стефанов Костов Колев Маринов Желев Кръстев Цветков Янев "
    "Павлов Митев Русев Симеонов Добрев Велев Савов Щерев Чолаков Бояджиев Жеков Юруков",
    "ru": "Иванов Смирнов Кузнецов Попов Васильев Петров Соколов Михайлов Новиков Фёдоров Морозов "
    "Волков Алексеев Лебедев Семёнов Егоров Павлов Козлов Степанов Николаев Орлов Андреев Макаров "
    "Никитин Захаров Зайцев Соловьёв Борисов Яковлев Григорьев Романов Воробьёв Сергеев Щукин "
    "Чайковский Жуков Цветков Хомяков Юдин Шаповалов",
}
_STEMS = {
    "en": "Ash Black Brad Brook Charl Clay Dal Drum East Elm Fair Fern Glen Gran Hart Hazel Hollow "
    "Kings Lang Lind Marsh Mill Nor Oak Pem Quar Rad Rose Shel Stan Thorn Under Wake West Whit Wil "
    "Win Wood Yar Hather",
    "de": "Ahorn Alten Berg Birken Buchen Eber Eichen Feld Finken Gold Grün Hasel "
    "Hirsch Hohen Klein "
    "Linden Mühl Neu Nuss Ober Ried Rosen Sand Schön Stein Stern Tannen Unter Vogel Wald Weiden "
    "Wiesen Winter Ziegel",
    "fr": "Beau Bel Bois Bon Bouche Chante Char Clair Cour Fleur Fon Grand Haute Lou Mal Mar Mont "
    "Neuf Per Pont Roche Saint- Tour Val Vau Ver Vieu",
    "bg": "Бор Вълк Гор Дал Дим Дрен Жар Злат Кам Кит Лил Мил Не Ог Пейч Рад Сав Стан Тан Узун Цан "
    "Чав Шиш Бел Боз Влад Гач Дон",
    "ru": "Бел Берёз Бобр Ветр Волг Голуб Гор Дуб Ерм Жар Зим Каш Клен Ков Круп Лап Лис Мед Мельн "
    "Муром Овс Пахом Рощ Рыб Сав Сокол Тих Тул Ухт Хар Чер Шил",
}
_ENDINGS = {
    "en": "bourne bridge bury by combe cott croft dale den don field ford ham hurst "
    "land ley lock man "
    "more ridge shaw stead stone ton wick wood worth",
    "de": "auer bach baum beck berg blatt burger eck feld hagen hauer heim hofer "
    "holz inger kamp mann "
    "meier mayer müller reiter roth stein thal tal",
    "fr": "bert bois champ court cy don fort gard lieu louis mard mier mont net nier rand ret rier "
    "teau tel ton val vert ville voisin",
    "bg": "анов ев инов енски чев ков лев нов аров иев ойков ушев алиев овски",
    "ru": "анов енко ин инский ков кин лов нов овский ский янов ихин ушкин ычев",
}
_TRANSLITERATION = {
    "bg": "а=a б=b в=v г=g д=d е=e ж=zh з=z и=i й=y к=k л=l м=m н=n о=o п=p р=r с=s "
    "т=t у=u ф=f х=h "
    "ц=ts ч=ch ш=sh щ=sht ъ=a ь=y ю=yu я=ya",
    "ru": "а=a б=b в=v г=g д=d е=e ё=e ж=zh з=z и=i й=y к=k л=l м=m н=n о=o п=p р=r "
    "с=s т=t у=u ф=f "
    "х=kh ц=ts ч=ch ш=sh щ=shch ъ= ы=y ь= э=e ю=yu я=ya",
}
_FOLDED = str.maketrans("àâçéèêëîïôûñÉ", "aaceeeeiiounE", "'- ") | str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"}
)


def transliterated(text: str, language: str) -> str:
    """Latin spelling of a Cyrillic name, as a passport of that country would print it."""
    table = dict(pair.split("=") for pair in _TRANSLITERATION[language].split())
    spelled = []
    for letter in text:
        latin = table.get(letter.lower(), letter)
        spelled.append(latin.capitalize() if letter.isupper() else latin)
    return "".join(spelled)


def folded(text: str) -> str:
    """ASCII letters only, as used in an e-mail address: Müller becomes Mueller."""
    return text.translate(_FOLDED)


@dataclass(frozen=True)
class NameTable:
    """Parallel spellings; one row is one name (family names: one row for each gender form)."""

    native: tuple[str, ...]
    latin: tuple[str, ...]
    nickname_native: tuple[str, ...]
    nickname_latin: tuple[str, ...]
    mailbox: tuple[str, ...]
    first: tuple[int, ...]
    """Row at which each group (language, or language × gender) begins, and the end."""
    common: tuple[int, ...]
    """How many rows from the group's beginning are the frequent names."""


def _latin(text: str, language: str) -> str:
    return transliterated(text, language) if language in _TRANSLITERATION else text


def _given_names() -> NameTable:
    native: list[str] = []
    latin: list[str] = []
    nick_native: list[str] = []
    nick_latin: list[str] = []
    first = [0]
    for language in LANGUAGES:
        for entries in (_MALE[language], _FEMALE[language]):
            for entry in entries.split():
                name, _, nickname = entry.partition("/")
                native.append(name)
                latin.append(_latin(name, language))
                nick_native.append(nickname)
                nick_latin.append(_latin(nickname, language))
            first.append(len(native))
    mailbox = tuple(folded(name).lower() for name in latin)
    return NameTable(
        native=tuple(native),
        latin=tuple(latin),
        nickname_native=tuple(nick_native),
        nickname_latin=tuple(nick_latin),
        mailbox=mailbox,
        first=tuple(first),
        common=tuple(np.diff(first).tolist()),
    )


def _feminine(family: str) -> str:
    if family.endswith(("ов", "ев", "ёв", "ин")):
        return family + "а"
    if family.endswith("ский"):
        return family[:-2] + "ая"
    if family.endswith("ски"):
        return family[:-1] + "а"
    return family


def _family_names() -> NameTable:
    """Rows 2k and 2k+1 are the masculine and the feminine form of one family name."""
    native: list[str] = []
    latin: list[str] = []
    first = [0]
    common = []
    for language in LANGUAGES:
        frequent = _COMMON_FAMILIES[language].split()
        composed = [
            stem + ending
            for stem in _STEMS[language].split()
            for ending in _ENDINGS[language].split()
        ]
        families = list(dict.fromkeys(frequent + composed))
        for family in families:
            for form in (family, _feminine(family)):
                native.append(form)
                latin.append(_latin(form, language))
        first.append(len(native) // 2)
        common.append(len(set(frequent)))
    blank = ("",) * len(native)
    return NameTable(
        native=tuple(native),
        latin=tuple(latin),
        nickname_native=blank,
        nickname_latin=blank,
        mailbox=tuple(folded(name).lower() for name in latin),
        first=tuple(first),
        common=tuple(common),
    )


GIVEN = _given_names()
"""Groups: language × (male, female), ten of them."""
FAMILY = _family_names()
"""Groups: language. Indexes count families; multiply by two and add one for the feminine form."""
