"""Countries, cities, postcodes and streets; streets and house numbers are invented."""

from dataclasses import dataclass

COUNTRIES = ("GB", "DE", "FR", "BG", "RU")


@dataclass(frozen=True)
class Country:
    """What an address and a phone number look like in one country."""

    cities: tuple[tuple[str, str, str], ...]
    """(native name, Latin name, beginning of its postcodes)"""
    streets: tuple[tuple[str, str], ...]
    """(native, Latin), with ``{}`` for the house number"""
    postcode_digits: int
    dialling_code: str
    trunk_prefix: str
    mobile_begins: str
    mobile_from: int
    mobile_numbers: int
    """How many numbers the range holds, counted from ``mobile_from``."""
    mobile_digits: int


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    return tuple((a, b or a) for a, _, b in (line.partition("=") for line in text.split("; ")))


def _cities(text: str) -> tuple[tuple[str, str, str], ...]:
    rows = []
    for entry in text.split("; "):
        name, code = entry.rsplit(" ", 1)
        native, _, latin = name.partition("=")
        rows.append((native, latin or native, code))
    return tuple(rows)


COUNTRY = (
    Country(
        cities=_cities(
            "London SW; London E; London N; Manchester M; Birmingham B; Leeds LS; Bristol BS; "
            "Edinburgh EH; Glasgow G; Cardiff CF; Belfast BT; Sheffield S; Norwich NR; Exeter EX; "
            "York YO; Oxford OX; Brighton BN; Newcastle upon Tyne NE; Nottingham NG; Bath BA"
        ),
        streets=_pairs(
            "{} High Street; {} Station Road; {} Church Lane; {} Mill Lane; {} Orchard Close; "
            "{} Victoria Road; {} Queensway; {} The Green; {} Park Avenue; {} Kingfisher Drive; "
            "Flat {}, Albion House; {} St John's Terrace; {} Windmill Hill; {} Canal Walk; "
            "{} Foxglove Way; {} Meadow View; {} Castle Street; {} Harbour Road; {} Elm Grove; "
            "{} Larkspur Gardens"
        ),
        postcode_digits=0,
        dialling_code="44",
        trunk_prefix="0",
        mobile_begins="7",
        mobile_from=100_000_000,
        mobile_numbers=300_000_000,
        mobile_digits=9,
    ),
    Country(
        cities=_cities(
            "Berlin 10; Hamburg 20; München=Munich 80; Köln=Cologne 50; "
            "Frankfurt 60; Stuttgart 70; "
            "Düsseldorf=Duesseldorf 40; Leipzig 04; Dresden 01; Nürnberg=Nuernberg 90; Bremen 28; "
            "Hannover 30; Münster=Muenster 48; Freiburg 79; Rostock 18; Lübeck=Luebeck 23"
        ),
        streets=_pairs(
            "Hauptstraße {}=Hauptstr. {}; Bahnhofstraße {}=Bahnhofstr. {}; Gartenweg {}; "
            "Lindenallee {}; Schulstraße {}=Schulstr. {}; Am Mühlbach {}=Am Muehlbach {}; "
            "Goethestraße {}=Goethestr. {}; Birkenweg {}; Kirchplatz {}; "
            "Rosenstraße {}=Rosenstr. {}; "
            "Burgwall {}; Seeufer {}; Tannenhöhe {}=Tannenhoehe {}; Marktgasse {}; Fliederweg {}"
        ),
        postcode_digits=3,
        dialling_code="49",
        trunk_prefix="0",
        mobile_begins="151",
        mobile_from=0,
        mobile_numbers=100_000_000,
        mobile_digits=8,
    ),
    Country(
        cities=_cities(
            "Paris 75; Lyon 69; Marseille 13; Toulouse 31; Nice 06; Nantes 44; Montpellier 34; "
            "Strasbourg 67; Bordeaux 33; Lille 59; Rennes 35; Saint-Étienne=Saint-Etienne 42; "
            "Orléans=Orleans 45; Besançon=Besancon 25; Nîmes=Nimes 30"
        ),
        streets=_pairs(
            "{} rue de la République={} rue de la Republique; {} avenue Victor-Hugo; "
            "{} place du Marché={} place du Marche; {} chemin des Vignes; {} rue des Lilas; "
            "{} boulevard de la Gare; {} allée des Tilleuls={} allee des Tilleuls; "
            "{} impasse du Moulin; {} quai des Brumes; {} rue de l'Église={} rue de l'Eglise; "
            "{} rue du Château={} rue du Chateau; {} cours Gambetta; "
            "{} montée du Puits={} montee du Puits"
        ),
        postcode_digits=3,
        dialling_code="33",
        trunk_prefix="0",
        mobile_begins="6",
        mobile_from=0,
        mobile_numbers=30_000_000,
        mobile_digits=8,
    ),
    Country(
        cities=_cities(
            "София=Sofia 1; Пловдив=Plovdiv 4; Варна=Varna 9; Бургас=Burgas 8; Русе=Ruse 7; "
            "Стара Загора=Stara Zagora 6; Плевен=Pleven 5; Видин=Vidin 3; Перник=Pernik 2"
        ),
        streets=_pairs(
            "ул. Шипка {}=Shipka St {}; бул. Витоша {}=Vitosha Blvd {}; ул. Роза {}=Roza St {}; "
            "ул. Иван Вазов {}=Ivan Vazov St {}; ж.к. Младост {}=Mladost {}; "
            "ул. Дунав {}=Dunav St {}; "
            "ул. Опълченска {}=Opalchenska St {}; ул. Липа {}=Lipa St {}; "
            "бул. Черно море {}=Cherno More Blvd {}; "
            "ул. Явор {}=Yavor St {}"
        ),
        postcode_digits=3,
        dialling_code="359",
        trunk_prefix="0",
        mobile_begins="8",
        mobile_from=70_000_000,
        mobile_numbers=30_000_000,
        mobile_digits=8,
    ),
    Country(
        cities=_cities(
            "Москва=Moscow 10; Санкт-Петербург=Saint Petersburg 19; Казань=Kazan 42; "
            "Новосибирск=Novosibirsk 63; Екатеринбург=Yekaterinburg 62; Самара=Samara 44; "
            "Нижний Новгород=Nizhny Novgorod 60; Омск=Omsk 64; Пермь=Perm 61; Тула=Tula 30"
        ),
        streets=_pairs(
            "ул. Садовая, {}=Sadovaya ul. {}; пр. Мира, {}=pr. Mira {}; "
            "ул. Лесная, {}=Lesnaya ul. {}; "
            "ул. Гагарина, {}=Gagarina ul. {}; наб. Речная, {}=nab. Rechnaya {}; "
            "пер. Тихий, {}=per. Tikhiy {}; ул. Заречная, {}=Zarechnaya ul. {}; "
            "ул. Полевая, {}=Polevaya ul. {}; б-р Сиреневый, {}=b-r Sirenevy {}"
        ),
        postcode_digits=4,
        dialling_code="7",
        trunk_prefix="8",
        mobile_begins="9",
        mobile_from=0,
        mobile_numbers=1_000_000_000,
        mobile_digits=9,
    ),
)

_INWARD = "ABDEFGHJLNPQRSTUWXYZ"


def postcode(country: int, begins: str, draw: int) -> str:
    """A postcode of the right shape for the city whose postcodes begin so."""
    if country == 0:
        letters = _INWARD[draw // 200 % 20] + _INWARD[draw // 4000 % 20]
        return f"{begins}{draw % 20 + 1} {draw // 20 % 9 + 1}{letters}"
    digits = COUNTRY[country].postcode_digits
    return f"{begins}{draw % 10**digits:0{digits}d}"
