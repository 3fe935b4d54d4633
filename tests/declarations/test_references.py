# ruff: noqa: ISC004
import pytest
import yaml

from support.conf import Conf

SEGMENT = "segment: other\ndescription: Others.\nowner: o@example.com\nwho: "
SHOP, LETTERS, READERS = "sources/shop.yml", "destinations/letters.yml", "segments/readers.yml"
CUSTOMERS = "tables/gold.customers.yml"
HOUSEHOLDS = "groups/households.yml"


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        (SHOP, "place: drops", "place: drop",
         "7: origin.place: 'drop' is not declared in conf/env/local.yml, under places. Did you "
         "mean 'drops'?"),
        (SHOP, "  email: email\nattributes", "  e_mail: email\nattributes",
         "17: identifiers.e_mail: 'e_mail' is not declared in conf/identity/identifiers.yml. "
         "Did you mean 'email'?"),
        (SHOP, "attributes:\n  email: email", "attributes:\n  emial: email",
         "19: attributes.emial: 'emial' is not declared in gold.customers as one with "
         "survivorship. Did you mean 'email'?"),
        (SHOP, "purpose: [marketing]", "purpose: [marketting]",
         "5: purpose[0]: 'marketting' is not declared in conf/consent.yml. Did you mean "
         "'marketing'?"),
        (SHOP, "purpose: [marketing]\n", "",
         "1: purpose: is missing or empty, but email, notes are personal. Name the purposes in "
         "conf/consent.yml that this data was collected for."),
        (SHOP, "load: increment\nkey: [id]", "load: append",
         "17: attributes: need a source with a key, but load is append. Use increment, or leave "
         "them out."),
        (SHOP, "attributes:\n  email: email", "attributes:\n  email: notes",
         "19: attributes.email: 'notes' is sensitive and must not leave silver."),
        (SHOP, "attributes:", "interactions: {at: id, channel: web, properties: [notes], "
         "constant_kind: view}\nattributes:",
         "18: interactions.properties[0]: 'notes' is sensitive and must not leave silver."),
        (SHOP, "attributes:", "interactions: {at: id, channel: web}\nattributes:",
         "18: interactions: says no kind. Add kind or constant_kind."),
        (SHOP, "attributes:", "purchases: {at: id, order: id, item: id, quantity: id, unit_price: "
         "id, channel: web}\nattributes:",
         "18: purchases: says no currency. Add currency or constant_currency."),
        (SHOP, "attributes:", "consents:\n  - {at: id, status: id, constant_purpose: marketing, "
         "constant_channel: fax}\nattributes:",
         "19: consents[0].constant_channel: 'fax' is not declared in conf/consent.yml. Known: "
         "email, sms."),
        (SHOP, "attributes:", "consents:\n  - {at: id, status: id, channel: id}\nattributes:",
         "19: consents[0]: says no purpose. Add purpose or constant_purpose."),
        (SHOP, "attributes:", "consents:\n  - {at: id, channel: id, purpose: id}\nattributes:",
         "19: consents[0]: says no status. Add the column that holds it."),
        ("identity/identifiers.yml", "[birth_on]", "[birth_on, born_on]",
         "5: identifiers.email.unless_differ[1]: 'born_on' is neither a trait (given_name, "
         "family_name, birth_on) nor an identifier. Known: birth_on, "
         "email, family_name, given_name."),
        ("identity/identifiers.yml", "[birth_on]", "[email]",
         "5: identifiers.email.unless_differ[0]: names the identifier itself; records that share "
         "it never differ in it."),
        (HOUSEHOLDS, "[email, birth_on]", "[email, birth_day]",
         "6: rules.mailbox.agree[1]: 'birth_day' is not declared in gold.customers as one with "
         "survivorship. Did you mean 'birth_on'?"),
        (HOUSEHOLDS, "[email, birth_on]", "[email, email]",
         "6: rules.mailbox.agree[1]: 'email' is named twice. Name it once."),
        (HOUSEHOLDS, "  email: {block", "  phone: {block",
         "8: placeholders.phone: 'phone' is not declared in any rule above. Known: birth_on, "
         "email."),
        (CUSTOMERS, "sources: [shop]", "sources: [shops]",
         "8: columns[2].survivorship.sources[0]: 'shops' is not declared in conf/sources. Did you "
         "mean 'shop'?"),
        (CUSTOMERS, "key: [customer_id]", "key: [customerid]",
         "4: key[0]: 'customerid' is not declared in columns. Did you mean 'customer_id'?"),
        (CUSTOMERS, "rule: in_set, column: country", "rule: in_set, column: land",
         "13: rules[0].column: 'land' is not declared in gold.customers. Known: birth_on, country, "
         "customer_id, email, is_known, sources."),
        (CUSTOMERS, "unique, columns: [customer_id]", "unique, columns: [customer]",
         "14: rules[1].columns[0]: 'customer' is not declared in gold.customers. Did you mean "
         "'customer_id'?"),
        (CUSTOMERS, "customer_id IS NOT NULL", "custmer_id IS NOT NULL",
         "15: rules[2].expression: 'custmer_id' is not declared in gold.customers. Did you mean "
         "'customer_id'?"),
        (CUSTOMERS, "- {name: is_known,", "- {name: email,",
         "10: columns[4].name: 'email' is declared twice."),
        (LETTERS, "segments: [readers]", "segments: [reader]",
         "4: segments[0]: 'reader' is not declared in conf/segments. Did you mean 'readers'?"),
        (LETTERS, "place: exports", "place: export",
         "11: target.place: 'export' is not declared in conf/env/local.yml, under places. Did you "
         "mean 'exports'?"),
        (LETTERS, "purpose: marketing", "purpose: advertising",
         "5: purpose: 'advertising' is not declared in conf/consent.yml. Known: marketing."),
        (LETTERS, "channel: email", "channel: emial",
         "6: channel: 'emial' is not declared in conf/consent.yml. Did you mean 'email'?"),
        (LETTERS, "key: email", "key: mail",
         "7: key: 'mail' is not declared in gold.customers. Did you mean 'email'?"),
        (LETTERS, "address: email", "address: emial",
         "9: fields.address: 'emial' is not declared in gold.customers or gold.metrics. Did you "
         "mean 'email'?"),
        (LETTERS, "attribute: customer_id", "attribute: customer",
         "10: fields.customer.attribute: 'customer' is not declared in gold.customers or "
         "gold.metrics. Did you mean 'customer_id'?"),
        (LETTERS, "address: email", "address: country",
         "9: fields.address: 'country' is sensitive and must not leave the lake."),
        (LETTERS, "address: email", "key: email",
         "9: fields.key: is a column that every file has. Choose another name."),
        (LETTERS, "address: email", "operation: email",
         "9: fields.operation: is a column that every file has. Choose another name."),
        (LETTERS, "address: email", "address: sources",
         "9: fields.address: 'sources' is ARRAY<STRING>; only single values can be sent."),
        (SHOP, "files: shop/*.csv", "files: shop/*.csv\n  file_date: (?P<year>\\d{4})-(\\d+)",
         "9: origin.file_date: has no (?P<day>…) and (?P<month>…): every file would be of the day "
         "on which it came."),
        (SHOP, "{name: notes,", "{name: notes, type: date, formats: [DD.MM.YYYY],",
         "15: columns[2].formats[0]: has Y, which Spark's patterns do not know (the year is y)."),
        (SHOP, "{name: notes,", "{name: notes, type: date, formats: [iso, DD.MM.yyyy],",
         "15: columns[2].formats[1]: has D, the day of the year; the day of the month is d."),
        (SHOP, "{name: notes,", "{name: notes, type: date, formats: ['%d.%m.%Y'],",
         "15: columns[2].formats[0]: is a pattern of C; write Spark's, such as dd.MM.yyyy "
         "HH:mm:ss."),
    ],
)  # fmt: skip
def test_a_name_that_leads_nowhere(conf: Conf, file: str, old: str, new: str, says: str) -> None:
    conf.change(file, old, new)

    assert conf.problems() == [f"conf/{file}:{says}"]


def test_a_source_is_gone_only_once_it_is_declared_no_more(conf: Conf) -> None:
    conf.change("consent.yml", "channels:", "gone_sources: [letters, shop]\nchannels:")

    assert conf.problems() == [
        "conf/consent.yml:3: gone_sources[1]: 'shop' is declared in conf/sources, so what it "
        "states counts. Take it out here, or its file there."
    ]

    conf.change("consent.yml", "[letters, shop]", "[letters]")
    assert conf.problems() == []


def test_metrics_are_sent_like_attributes(conf: Conf) -> None:
    conf.change(LETTERS, "address: email", "address: orders")

    assert conf.problems() == []


def test_a_metric_is_not_missed_where_the_file_of_metrics_is_faulty(conf: Conf) -> None:
    conf.change(LETTERS, "address: email", "address: orders")
    conf.change("tables/gold.metrics.yml", "type: BIGINT", "typ: BIGINT")

    (problem,) = conf.problems()
    assert "Did you mean 'type'?" in problem


LISTS = """\
destination: lists
description: Lists.
owner: letters@example.com
segments: [readers]
mode: suppress
purpose: marketing
channel: email
key: email
fields: {}
target: {kind: KIND, connection: there}
"""
ACCOUNT = """
connections:
  there: {base_url: "https://api.example.com", auth: {kind: none}SYSTEM}
"""


@pytest.mark.parametrize(
    ("kind", "can"),
    [
        ("klaviyo", True),
        ("klaviyo, identifier: phone_number", False),
        ("sendgrid", False),
        ("sendgrid, unsubscribe_group: 7", True),
        ("mailchimp, audience: a1", True),
        ("hubspot", False),
        ("tryton", False),
    ],
)
def test_who_said_no_is_told_to_nobody_who_cannot_be_told(conf: Conf, kind: str, can: bool) -> None:
    account = ACCOUNT.replace("SYSTEM", f", system: {kind.partition(',')[0]}")
    conf.change("env/local.yml", "lake: var/lake", f"lake: var/lake{account}")
    conf.write("destinations/lists.yml", LISTS.replace("KIND", kind))

    assert conf.problems() == (
        []
        if can
        else [
            "conf/destinations/lists.yml:5: mode: is 'suppress', which this target cannot do. Use "
            "one of append, mirror, upsert, or see what it needs for that in docs/destinations."
        ]
    )


@pytest.mark.parametrize(
    ("condition", "says"),
    [
        ("{attribute: emial, missing: true}", "attribute: 'emial' is not a column of "
         "gold.customers. Did you mean 'email'?"),
        ("{metric: order, at_least: 1}", "metric: 'order' is not a column of gold.metrics. Did you "
         "mean 'orders'?"),
        ("{metric: orders, at_least: abc}", "at_least: must be a number, for orders is BIGINT, but "
         "is 'abc'."),
        ("{metric: revenue, one_of: [1, '2']}", "one_of[1]: must be a number, for revenue is "
         "DECIMAL(18,4), but is '2'."),
        ("{metric: orders, equals: true}", "equals: must be a number, for orders is BIGINT, but is "
         "True."),
        ("{metric: orders, within: 30d}", "within: cannot be asked of orders, which is BIGINT. It "
         "is for dates and times."),
        ("{metric: orders, starts_with: '1'}", "starts_with: cannot be asked of orders, which is "
         "BIGINT. It is for text."),
        ("{attribute: birth_on, at_least: soon}", "at_least: must be a date like 2024-12-31, for "
         "birth_on is DATE, but is 'soon'."),
        ("{metric: last_seen_at, below: '2024-13-01T00:00:00'}", "below: must be a time like "
         "2024-12-31T23:59:00, for last_seen_at is TIMESTAMP, but is '2024-13-01T00:00:00'."),
        ("{attribute: is_known, equals: 'yes'}", "equals: must be true or false, for is_known is "
         "BOOLEAN, but is 'yes'."),
        ("{attribute: is_known, above: true}", "above: cannot be asked of is_known, which is "
         "BOOLEAN. Use equals."),
        ("{attribute: sources, contains: shop}", "contains: cannot be asked of sources, which is "
         "ARRAY<STRING>. Ask whether it is missing, or use sql."),
        ("{attribute: country, equals: UK}", "equals: 'UK' is not a value of country. Known: GB, "
         "NO."),
        ("{event: vew}", "event: 'vew' is not a kind of event (gold.interactions lists them). Did "
         "you mean 'view'?"),
        ("{event: view, where: {itm: x}}", "where.itm: 'itm' is not a column of gold.interactions. "
         "Did you mean 'item'?"),
        ("{event: view, where: {value: [1, x]}}", "where.value[1]: must be a number, for value is "
         "DOUBLE, but is 'x'."),
        ("{event: purchase, where: {chanel: store}}", "where.chanel: 'chanel' is not a column of "
         "gold.purchases. Did you mean 'channel'?"),
        ("{event: purchase, matching: quantty > 2}", "matching: 'quantty' is not a column of "
         "gold.purchases. Did you mean 'quantity'?"),
        ("{metric: orders, none_of: []}", "none_of: lists no value. Name one, or leave it "
         "out."),
        ("{event: view, did: false, where: {item: []}}", "where.item: lists no value. Name one, "
         "or leave it out."),
        ("{event: view, properties: {campaign: []}}", "properties.campaign: lists no value. "
         "Name one, or leave it out."),
        ("{event: purchase, properties: {campaign: may}}", "properties: gold.purchases has none. "
         "Test its columns with where."),
        ("{event: view, at_least: 3, at_most: 2}", "at_most: is 2, below at_least 3: nobody can "
         "ever be a member."),
        ("{event: view, did: false, where: {itm: x}}", "where.itm: 'itm' is not a column of "
         "gold.interactions. Did you mean 'item'?"),
        ("{sequence: [{event: view}, {event: crt}]}", "sequence[1].event: 'crt' is not a kind of "
         "event (gold.interactions lists them). Did you mean 'cart'?"),
        ("{sequence: [{event: view}, {event: cart}], not_followed_by: {event: purchas}}",
         "not_followed_by.event: 'purchas' is not a kind of event (gold.interactions lists them). "
         "Did you mean 'purchase'?"),
        ("{segment: reader}", "segment: 'reader' is not a segment in conf/segments. Did you mean "
         "'readers'?"),
        ("{sql: oders > 1}", "sql: 'oders' is not a column of gold.customers or gold.metrics. Did "
         "you mean 'orders'?"),
        ("{not: {any: [{segment: readers}, {metric: order, above: 1}]}}", "not.any[1].metric: "
         "'order' is not a column of gold.metrics. Did you mean 'orders'?"),
    ],
)  # fmt: skip
def test_a_segment_asks_for_what_is_not_there(conf: Conf, condition: str, says: str) -> None:
    conf.write("segments/other.yml", SEGMENT + condition + "\n")

    assert conf.problems() == [f"conf/segments/other.yml:4: who.{says}"]


@pytest.mark.parametrize(
    "condition",
    [
        "{attribute: country, equals: NO}",
        "{attribute: birth_on, within: 30d, at_most: 2024-12-31}",
        "{metric: last_seen_at, not_within: 2w, missing: false}",
        "{attribute: sources, missing: false}",
        "{attribute: is_known, equals: true}",
        "{metric: revenue, above: 10, at_most: 99.5}",
        "{event: purchase, where: {channel: [store, web]}, matching: quantity > 1}",
        "{sequence: [{event: view}, {event: purchase}], gap: 2w}",
        "{sql: orders > 1 AND email IS NOT NULL}",
    ],
)
def test_a_segment_that_asks_for_what_is_there_is_sound(conf: Conf, condition: str) -> None:
    conf.write("segments/other.yml", SEGMENT + condition + "\n")

    assert conf.problems() == []


def test_segments_that_need_each_other_are_one_problem(conf: Conf) -> None:
    for name, other in (("a", "b"), ("b", "c"), ("c", "a"), ("d", "a")):
        conf.write(
            f"segments/{name}.yml",
            f"segment: {name}\ndescription: One.\nowner: o@example.com\n"
            f"who:\n  all:\n    - {{segment: readers}}\n    - not: {{segment: {other}}}\n",
        )

    assert conf.problems() == [
        "conf/segments/a.yml:7: who.all[1].not.segment: goes round in a circle: a needs b needs c "
        "needs a. Break it somewhere."
    ]


def test_a_segment_that_needs_itself_is_a_problem(conf: Conf) -> None:
    conf.write("segments/other.yml", SEGMENT + "{segment: other}\n")

    assert conf.problems() == [
        "conf/segments/other.yml:4: who.segment: goes round in a circle: other needs other. "
        "Break it somewhere."
    ]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("{readers: '7'}", "{reader: '7'}",
         "4: segments[0]: 'readers' has no audience. Name its id in target.audiences."),
        ("{phone: tel}", "{phone: tell}",
         "9: fields.tel: is no identifier, so it would not be sent. Say in target.identifiers "
         "which one it is, or take it out."),
        ("{phone: tel}", "{phone: tell}",
         "14: target.identifiers.phone: 'tell' is not declared in fields. Did you mean 'tel'?"),
        ("{phone: tel}", "{given_name: tel}",
         "10: target: identifiers of an address lack family_name and postal_code and "
         "region; name all four or none."),
    ],
)  # fmt: skip
def test_an_audience_knows_its_segments_and_its_identifiers(conf, old, new, says) -> None:
    connection = "connections: {ads: {base_url: 'https://ads.example.com', system: google, "
    connection += "auth: {kind: none}}}"
    conf.change("env/local.yml", "places:", f"{connection}\nplaces:")
    target = """target:
  kind: google
  connection: ads
  audiences: {readers: '7'}
  identifiers: {phone: tel}
  account: "12"
"""
    conf.change(LETTERS, "target: {kind: files, place: exports}\n", target)
    conf.change(LETTERS, "address: email\n  customer: {attribute: customer_id}", "tel: email")
    assert conf.problems() == []

    conf.change(LETTERS, old, new)

    assert f"conf/{LETTERS}:{says}" in conf.problems()


def test_a_system_is_not_sent_to_through_an_account_whose_limits_nobody_knows(conf: Conf) -> None:
    connection = "connections: {crm: {base_url: 'https://crm.example.com', auth: {kind: none}}}"
    conf.change("env/local.yml", "places:", f"{connection}\nplaces:")
    target = "target: {kind: hubspot, connection: crm}\n"
    conf.change(LETTERS, "target: {kind: files, place: exports}\n", target)
    assert conf.problems() == [
        f"conf/{LETTERS}:11: target.connection: 'crm' is an account of system other. Write "
        "`system: hubspot` under connections.crm in conf/env/local.yml, or name another connection."
    ]

    conf.change("env/local.yml", "auth: {kind: none}", "auth: {kind: none}, system: hubspot")

    assert conf.problems() == []


@pytest.mark.parametrize(
    ("named", "mode", "problems"),
    [
        ("list: all", "mirror", 1),
        ("list: all", "append", 0),
        ("list: 'all {segment}'", "mirror", 0),
        ("gone: keep", "mirror", 0),
    ],
)
def test_two_segments_are_not_kept_in_one_place(
    conf: Conf, named: str, mode: str, problems: int
) -> None:
    account = "{base_url: 'https://crm.example.com', auth: {kind: none}, system: hubspot}"
    conf.change("env/local.yml", "places:", f"connections: {{crm: {account}}}\nplaces:")
    conf.write("segments/other.yml", f"{SEGMENT}{{attribute: email, missing: true}}\n")
    target = f"mode: {mode}\ntarget: {{kind: hubspot, connection: crm, {named}}}\n"
    conf.change(LETTERS, "target: {kind: files, place: exports}\n", target)
    conf.change(LETTERS, "segments: [readers]", "segments: [readers, other]")
    assert conf.problems() == problems * [
        f"conf/{LETTERS}:4: segments[1]: 'other' would be kept where 'readers' is, and whoever "
        "leaves one of them be taken out of both. Name a place for each in target, or make one "
        "segment of both."
    ]


@pytest.mark.parametrize(
    ("one", "other", "segment", "problems"),
    [
        ("", "purpose: service", "", 1),
        ("mode: upsert", "mode: append\npurpose: service", "", 1),
        ("mode: upsert", "mode: append", "", 0),
        ("mode: upsert", "", "", 1),
        ("", "mode: suppress", "", 0),
        ("", "", ", segment: '{destination} {segment}'", 0),
        ("", "", ", segment: 'readers'", 1),
    ],
)
def test_two_destinations_do_not_fill_one_place_unless_neither_takes_out_whom_the_other_sends(
    conf: Conf, one: str, other: str, segment: str, problems: int
) -> None:
    account = ACCOUNT.replace("SYSTEM", ", system: mailchimp")
    conf.change("env/local.yml", "lake: var/lake", f"lake: var/lake{account}")
    conf.change("consent.yml", "channels:", "  service: {description: Orders.}\nchannels:")
    target = "{kind: mailchimp, connection: there, audience: a1SEGMENT}"
    for name, says, called in (("news", one, ""), ("service_mail", other, segment)):
        told = {"mode": "mirror", "purpose": "marketing"} | yaml.safe_load(says or "{}")
        conf.write(
            f"destinations/{name}.yml",
            f"destination: {name}\ndescription: x\nowner: x@example.com\nsegments: [readers]\n"
            f"mode: {told['mode']}\npurpose: {told['purpose']}\nchannel: email\nkey: email\n"
            f"fields: {{}}\ntarget: {target.replace('SEGMENT', called)}\n",
        )
    assert conf.problems() == problems * [
        "conf/destinations/service_mail.yml:4: segments[0]: 'readers' would be kept where news "
        "keeps 'readers', and each take out, or keep there, whom the other sends. Name another "
        "place in target, or make one destination of both."
    ]


def test_files_of_two_destinations_may_lie_in_one_folder(conf: Conf) -> None:
    conf.change(LETTERS, "place: exports", "place: exports, path: all")
    letters = (conf.path / LETTERS).read_text(encoding="utf-8")
    conf.write("destinations/cards.yml", letters.replace("letters", "cards", 1))

    assert conf.problems() == []


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("{fields.tel}", "{fields.tell}",
         "14: target.upsert: {fields.tell} is no field. Did you mean 'tel'?"),
        ("{fields.tel}", "{key}",
         "9: fields.tel: is in no body of target.upsert. Add {fields.tel} there."),
    ],
)  # fmt: skip
def test_a_body_has_what_is_mapped(conf, old, new, says) -> None:
    connection = "connections: {crm: {base_url: 'https://crm.example.com', auth: {kind: none}}}"
    conf.change("env/local.yml", "places:", f"{connection}\nplaces:")
    target = """target:
  kind: rest
  connection: crm
  remove: [{method: DELETE, path: '/contacts/{key}'}]
  upsert: [{method: PUT, path: '/contacts/{key}', body: {phone: '{fields.tel}'}}]
"""
    conf.change(LETTERS, "target: {kind: files, place: exports}\n", target)
    conf.change(LETTERS, "address: email\n  customer: {attribute: customer_id}", "tel: email")
    assert conf.problems() == []

    conf.change(LETTERS, old, new)

    assert f"conf/{LETTERS}:{says}" in conf.problems()


GROUP = """\
group: {name}
description: Some.
owner: o@example.com
{keys}
rules: {{mail: {{agree: [email]}}}}
"""


def test_a_group_is_one_file_which_describes_its_table_too(conf: Conf) -> None:
    conf.write("groups/kin.yml", GROUP.format(name="kin", keys="singular: family"))

    catalogue = conf.load()

    assert list(catalogue.groups) == ["households", "kin"]
    assert catalogue.tables["gold.kin"].ddl == (
        "family_id STRING, customer_id STRING, family_since DATE, size INT, rules ARRAY<STRING>"
    )

    (conf.path / "groups/kin.yml").unlink()
    (conf.path / HOUSEHOLDS).unlink()

    assert (conf.problems(), conf.load().groups) == ([], {})
    assert "gold.households" not in conf.load().tables


@pytest.mark.parametrize(
    ("name", "keys", "says"),
    [
        ("metrics", "singular: metric",
         "1: group: makes gold.metrics, which every lake has. Choose another name."),
        ("campaigns", "singular: campaign",
         "1: group: makes gold.campaigns, which every lake has. Choose another name."),
        ("gold_customers", "singular: one",
         "1: group: is 'gold_customers', which is how `goldenlake sql` names a table with its "
         "layer. Choose another name."),
        ("kin", "singular: customer",
         "4: singular: makes a column customer_id, which names the member. Choose another."),
        ("kin", "singular: household",
         "4: singular: makes ids begin with household_, as those of gold.households do. Give "
         "the newer one another prefix."),
        ("kin", "singular: family\nprefix: c",
         "5: prefix: makes ids begin with c_, as those of gold.customers do. Give another prefix."),
    ],
)  # fmt: skip
def test_a_group_takes_nobodys_name(conf: Conf, name: str, keys: str, says: str) -> None:
    conf.write(f"groups/{name}.yml", GROUP.format(name=name, keys=keys))

    assert conf.problems() == [f"conf/groups/{name}.yml:{says}"]


def test_two_groups_of_one_name_are_a_problem(conf: Conf) -> None:
    conf.write("groups/kin.yml", GROUP.format(name="households", keys="singular: family"))

    assert conf.problems() == [
        "conf/groups/kin.yml:1: group: is 'households', but the file is kin.yml. Rename the file "
        "to households.yml or correct the name."
    ]


def test_a_table_that_a_group_makes_is_described_by_the_group_alone(conf: Conf) -> None:
    metrics = (conf.path / "tables/gold.metrics.yml").read_text(encoding="utf-8")
    conf.write("tables/gold.households.yml", metrics.replace("gold.metrics", "gold.households"))

    assert conf.problems() == [
        "conf/groups/households.yml:1: group: makes gold.households and describes it, as "
        "conf/tables/gold.households.yml does. Remove that file, or choose another name."
    ]


@pytest.mark.parametrize(
    ("cap", "says"),
    [
        ("{most: 3, kinds: [view, veiw]}",
         "cap.kinds[1]: 'veiw' is not a kind of event (gold.interactions lists them). Did you mean "
         "'view'?"),
        ("{most: 3}",
         "cap: 'delivered' is not a kind of event (gold.interactions lists them). Known: cart, "
         "view."),
        ("{most: 3, kinds: [view]}", ""),
    ],
)  # fmt: skip
def test_a_cap_counts_what_happens(conf: Conf, cap: str, says: str) -> None:
    conf.change(LETTERS, "purpose:", f"cap: {cap}\npurpose:")

    assert [found.split(": ", 1)[1] for found in conf.problems()] == ([says] if says else [])


@pytest.mark.parametrize("length", ["12h", "36h", "0d"])
def test_what_is_counted_by_days_is_of_whole_ones(conf: Conf, length: str) -> None:
    conf.change(READERS, "who:", f"attribution: {length}\nwho:")
    conf.change(LETTERS, "purpose:", f"cap: {{most: 3, within: {length}}}\npurpose:")

    found = [problem.split(": ", 1)[1] for problem in conf.problems()]
    says = "is not of whole days, one at least; write it like 7d or 2w."
    assert found == [f"cap.within: {says}", f"attribution: {says}"]


WITH_HEADER = """connections:
  crm: {base_url: https://crm.example, auth: {kind: none}, headers: {%s: "%s"}}
places:"""


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Authorization", "hunter2"), ("X-Api-Key", "hunter2"), ("X-Auth-Token", "hunter2"),
        ("Cookie", "sid=hunter2"), ("X-Partner", "Bearer hunter2"),
    ],
)  # fmt: skip
def test_a_secret_in_a_header_is_a_problem(conf: Conf, header: str, value: str) -> None:
    conf.change("env/local.yml", "places:", WITH_HEADER % (header, value))

    (problem,) = conf.problems()

    assert f"connections.crm.headers.{header}: is a secret in clear. Name the header" in problem
    assert "hunter2" not in problem


def test_a_header_that_is_no_secret_is_sound(conf: Conf) -> None:
    conf.change("env/local.yml", "places:", WITH_HEADER % ("Accept-Language", "en"))

    assert conf.problems() == []


@pytest.mark.parametrize(
    ("setting", "value", "is_sound"),
    [
        ("spark.hadoop.fs.s3a.secret.key", "hunter2", False),
        ("spark.hadoop.fs.s3a.access.key", "hunter2", False),
        ("spark.hadoop.fs.azure.account.key.lake.example", "hunter2", False),
        ("spark.ssl.keyPassword", "hunter2", False),
        ("spark.driver.extraJavaOptions", "-Djavax.net.ssl.trustStorePassword=hunter2", False),
        ("spark.hadoop.fs.s3a.secret.key", "${env.LAKE_SECRET}", True),
        ("spark.hadoop.fs.s3a.aws.credentials.provider", "org.example.Provider", True),
        ("spark.authenticate.secret.file", "/run/secret", True),
        ("spark.kubernetes.driver.secrets.lake", "/etc/secrets", True),
        ("spark.sql.shuffle.partitions", "8", True),
    ],
)
def test_a_secret_in_sparks_settings_is_a_problem(
    conf: Conf, setting: str, value: str, is_sound: bool
) -> None:
    conf.change("env/local.yml", "places:", f'spark: {{conf: {{{setting}: "{value}"}}}}\nplaces:')

    problems = conf.problems()

    assert (problems == []) is is_sound
    assert "hunter2" not in "".join(problems)
    assert all("is a secret in clear" in problem for problem in problems)
