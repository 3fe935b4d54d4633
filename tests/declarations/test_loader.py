# ruff: noqa: ISC004
from pathlib import Path

import pytest

from goldenlake.declarations.connections import HeaderAuth
from goldenlake.declarations.environment import FolderPlace, SftpPlace
from goldenlake.declarations.loader import check_conf, load_catalogue
from goldenlake.errors import DeclarationError, ExitCode
from support.conf import Conf


def test_sound_declarations_load_by_name(conf: Conf) -> None:
    catalogue = conf.load()

    assert list(catalogue.sources) == ["shop"]
    assert list(catalogue.segments) == ["readers"]
    assert list(catalogue.destinations) == ["letters"]
    assert catalogue.tables["gold.metrics"].grain == "A customer."
    assert catalogue.environment_name == "local"
    assert catalogue.root == conf.root


def test_relative_paths_start_where_conf_lies(conf: Conf) -> None:
    conf.write(
        "env/local.yml",
        "lake: var/lake\nlanding: s3a://bucket/landing\nplaces:\n"
        "  drops: {kind: folder, path: var/drops}\n"
        "  exports:\n    kind: sftp\n    host: sftp.example.com\n    user: us\n"
        "    known_hosts: keys/hosts\n    private_key: {file: keys/id}\n",
    )

    environment = conf.load().environment

    drops, exports = environment.places["drops"], environment.places["exports"]
    assert isinstance(drops, FolderPlace)
    assert isinstance(exports, SftpPlace)
    assert exports.private_key is not None
    assert environment.lake == str(conf.root / "var/lake")
    assert environment.landing == "s3a://bucket/landing"
    assert environment.reports == str(conf.root / "var/reports")
    assert drops.path == str(conf.root / "var/drops")
    assert exports.known_hosts == str(conf.root / "keys/hosts")
    assert exports.private_key.file == str(conf.root / "keys/id")


def test_a_lake_given_by_hand_takes_the_place_of_the_environments(conf: Conf) -> None:
    assert conf.load(lake="s3a://other/lake").environment.lake == "s3a://other/lake"
    assert conf.load(lake="other").environment.lake == str(conf.root / "other")


def test_a_missing_conf_says_where_it_was_looked_for_and_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()

    with pytest.raises(DeclarationError) as caught:
        load_catalogue(tmp_path / "conf")

    assert str(tmp_path / "conf") in str(caught.value)
    assert "Folders beside it: config." in str(caught.value)
    assert caught.value.exit_code is ExitCode.DECLARATION


def test_a_missing_environment_names_those_that_exist(conf: Conf) -> None:
    conf.write("env/production.yml", "lake: s3a://bucket/lake\nplaces: {}\n")

    (problem,) = conf.problems(environment="prodction")

    assert problem == (
        "conf/env/prodction.yml: does not exist; environment 'prodction' was looked for there. "
        "Did you mean 'production'?"
    )


def test_all_problems_of_all_files_come_at_once(conf: Conf) -> None:
    conf.change("sources/shop.yml", "load: increment", "load: incremental")
    conf.change("sources/shop.yml", "system: shop\n", "")
    conf.change("segments/readers.yml", "at_least: 1", "at_least: abc")
    conf.change("destinations/letters.yml", "channel: email", "channel: fax")

    assert conf.problems() == [
        "conf/destinations/letters.yml:6: channel: 'fax' is not declared in conf/consent.yml. "
        "Known: email, sms.",
        "conf/segments/readers.yml:7: who.all[1].at_least: must be a number, for orders is "
        "BIGINT, but is 'abc'.",
        "conf/sources/shop.yml:1: system: is missing. Add it.",
        "conf/sources/shop.yml:9: load: is 'incremental'. Use one of snapshot, increment, append. "
        "Did you mean 'increment'?",
    ]


def test_one_faulty_file_does_not_make_what_refers_to_it_faulty(conf: Conf) -> None:
    conf.change("segments/readers.yml", "owner: letters@example.com\n", "")
    conf.change("consent.yml", "channels: {", "chanels: {")

    assert conf.problems() == [
        "conf/consent.yml:3: chanels: is not a known key. Did you mean 'channels'?",
        "conf/segments/readers.yml:1: owner: is missing. Add it.",
    ]


def test_the_file_must_bear_the_declared_name(conf: Conf) -> None:
    conf.change("sources/shop.yml", "source: shop", "source: store")

    (problem,) = conf.problems()

    assert problem == (
        "conf/sources/shop.yml:1: source: is 'store', but the file is shop.yml. "
        "Rename the file to store.yml or correct the name."
    )


@pytest.mark.parametrize(
    ("stray", "says"),
    [
        ("sources/other.yaml", "is not read: name it other.yml."),
        ("segment/other.yml", "Did you mean 'conf/segments/'?"),
        ("concent.yml", "Did you mean 'conf/consent.yml'?"),
        ("sources/deep/other.yml", "is not read from here."),
    ],
)
def test_a_file_that_nothing_reads_is_a_problem(conf: Conf, stray: str, says: str) -> None:
    conf.write(stray, "a: 1\n")

    (problem,) = conf.problems()

    assert problem.startswith(f"conf/{stray}: ")
    assert says in problem


def test_missing_consent_and_identity_are_named(conf: Conf) -> None:
    (conf.path / "consent.yml").unlink()
    (conf.path / "identity/identifiers.yml").unlink()

    assert conf.problems() == [
        "conf/consent.yml: does not exist. Create it.",
        "conf/identity/identifiers.yml: does not exist. Create it.",
    ]


def test_a_fault_of_production_is_found_on_a_laptop(conf: Conf) -> None:
    conf.write("env/production.yml", "lake: s3a://bucket/lake\nspark: {memry: 8g}\n")

    assert conf.problems(environment="local") == [
        "conf/env/production.yml:2: spark.memry: is not a known key. Did you mean 'memory'?"
    ]


def test_check_looks_at_every_environment(conf: Conf) -> None:
    conf.write("env/production.yml", "lake: s3a://bucket/lake\nplaces: {}\n")

    assert conf.problems() == []
    assert [str(problem) for problem in check_conf(conf.path)] == [
        "conf/destinations/letters.yml:11: target.place: 'exports' is not declared in "
        "conf/env/production.yml, under places. Known: none.",
        "conf/sources/shop.yml:7: origin.place: 'drops' is not declared in "
        "conf/env/production.yml, under places. Known: none.",
    ]


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        ("sources/shop.yml", "kind: csv", "kind: cvs", "format.kind: is 'cvs'. Use one of csv, "
         "xlsx, jsonl, parquet, access_log, mail_reports. Did you mean 'csv'?"),
        ("sources/shop.yml", "kind: csv, ", "", "format.kind: is missing. Use one of csv, xlsx, "
         "jsonl, parquet, access_log, mail_reports."),
        ("sources/shop.yml", "required: true", "required: yes", "columns[0].required: must be "
         "true or false, but is text."),
        ("sources/shop.yml", "owner: shop@example.com", "owner: 17",
         "owner: must be text, but is a number. Put it in quotes."),
        ("sources/shop.yml", "source: shop", "source: Shop",
         "source: is 'Shop' but must match ^[a-z][a-z0-9_]{0,62}$: small letters, digits and _, "
         "beginning with a letter."),
        ("sources/shop.yml", "load: increment", "load: increment\ncadence: daily",
         "cadence: is not a duration; write it like 30min, 24h, 90d or 2w."),
        ("sources/shop.yml", "load: increment", "load: increment\ntimezone: Berlin",
         "timezone: is 'Berlin', no time zone; write it like Europe/Berlin."),
        ("sources/shop.yml", "  email: email\nattributes", "  email: e_mail\nattributes",
         "identifiers.email: names column 'e_mail', which columns lacks. Did you mean 'email'?"),
        ("sources/shop.yml", "key: [id]", "key: [id]\npeople: (SELECT 1) = 1",
         "people: is not an admitted expression: "),
        ("sources/shop.yml", "files: shop/*.csv", "files: shop/*.csv\n  file_date: '('",
         "origin.file_date: is not a regular expression: "),
        ("segments/readers.yml", "attribute: email", "atribute: email",
         "who.all[0].atribute: is not a known key. Did you mean 'attribute'?"),
        ("segments/readers.yml", ", missing: false", "",
         "who.all[0]: names no test; add one such as equals, at_least or missing."),
        ("segments/readers.yml", "event: view, ", "", "who.all[2]: names no condition. Use one of"),
        ("segments/readers.yml", "within: 30d", "within: 30",
         "who.all[2].within: must be text, but is a number. Put it in quotes."),
        ("destinations/letters.yml", "attribute: customer_id", "atribute: customer_id",
         "fields.customer.atribute: is not a known key. Did you mean 'attribute'?"),
        ("destinations/letters.yml", "place: exports", "place: exports, path: '{day}/x'",
         "target.path: has {day}, which nothing fills in. Known: {as_of}, {destination}, "
         "{segment}."),
        ("tables/gold.metrics.yml", "key: [customer_id]",
         "key: [customer_id]\nrules:\n- {rule: between, column: orders, reason: Why.}",
         "rules[0]: says neither least nor most, so everything passes."),
        ("sources/shop.yml", 'delimiter: ","', 'delimiter: "||"',
         "format.delimiter: must be one character that ends no line and is no quote, such as ; or "
         ",."),
        ("sources/shop.yml", 'delimiter: ","', "delimiter: '\\t'",
         "format.delimiter: is a backslash and a t; write a tab in double quotes, \"\\t\"."),
        ("sources/shop.yml", 'delimiter: ","', "encoding: latin-99",
         "format.encoding: is 'latin-99', no encoding that is known; write one such as utf-8, "
         "cp1252 or utf-16."),
        ("sources/shop.yml", 'delimiter: ","', "encoding: base64",
         "format.encoding: is 'base64', no encoding that is known; "),
        ("sources/shop.yml", "kind: csv, delimiter: \",\"", "kind: jsonl, encoding: utf8mb4",
         "format.encoding: is 'utf8mb4', no encoding that is known; "),
        ("sources/shop.yml", "files: shop/*.csv", "files: ../shop/*.csv",
         "origin.files: leads out of its place; write a path below it, without .., a backslash or "
         "a leading /."),
        ("sources/shop.yml", "files: shop/*.csv", "files: /shop/*.csv",
         "origin.files: leads out of its place; "),
        ("destinations/letters.yml", "place: exports", "place: exports, path: 'a/../../b'",
         "target.path: leads out of its place; "),
        ("destinations/letters.yml", "place: exports", "place: exports, delimiter: ', '",
         "target.delimiter: must be one character"),
        ("env/local.yml", "lake: var/lake", "lake: var/lake\nspark: {memory: lots}",
         "spark.memory: is 'lots', no amount of memory; write it like 512m or 3g."),
        ("env/local.yml", "lake: var/lake", "lake: var/lake\nnight: {schedule: at midnight}",
         "night.schedule: is 'at midnight', no cron line of five fields; write minute, hour, day "
         "of the month, month and day of the week, such as 0 1 * * *."),
        ("env/local.yml", "lake: var/lake", "lake: var/lake\nnight: {schedule: '0 1,24 * * *'}",
         "night.schedule: has '24', no hour from 0 to 23; "),
        ("env/local.yml", "lake: var/lake", "lake: var/lake\nblast_radius: {merged: 1.5}",
         "blast_radius.merged: input should be less than or equal to 1."),
        ("env/local.yml", "kind: folder, path: var/drops",
         "kind: s3, bucket: b, secret_key: {}", "places.drops.secret_key: name exactly one of "
         "env, file, airflow and aws."),
    ],
)  # fmt: skip
def test_a_fault_says_where_and_what(conf: Conf, file: str, old: str, new: str, says: str) -> None:
    conf.change(file, old, new)

    problems = conf.problems()

    assert len(problems) == 1, problems
    assert problems[0].startswith(f"conf/{file}:")
    assert says in problems[0]


def test_a_wrong_value_of_a_secret_is_not_repeated(conf: Conf) -> None:
    conf.change(
        "env/local.yml", "kind: folder, path: var/drops",
        "kind: s3, bucket: b, secret_key: hunter2-in-the-open",
    )  # fmt: skip

    (problem,) = conf.problems()

    assert (
        problem
        == "conf/env/local.yml:3: places.drops.secret_key: is a secret in clear. Say where it "
        "is, as in {env: NAME} or {file: path}, and change it: it stood in a file."
    )


READERS, CONSENT = "segments/readers.yml", "consent.yml"


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        ("env/local.yml", "lake: var/lake", "lake: var/lake\nretention: {classes: {emails: 30d}}",
         "retention.classes.emails: is not a known key. Known: contact, pseudonym, sensitive."),
        ("env/local.yml", "lake: var/lake", "lake: var/lake\nspark: {fast_start: yes}",
         "spark.fast_start: must be true or false, but is text. In YAML 1.2 it is true and false "
         "alone."),
        ("env/local.yml", "lake: var/lake",
         "lake: var/lake\nretention: {runs: 99999999999999d}",
         "retention.runs: is longer than can be reckoned with."),
        ("env/local.yml", "kind: folder, path: var/drops",
         "kind: sftp, host: h, user: u, known_hosts: k",
         "places.drops: has neither private_key nor password: no server lets us in so."),
        ("env/local.yml", "kind: folder, path: var/drops",
         "kind: s3, bucket: b, secret_key: {env: KEY}",
         "places.drops: has one of access_key and secret_key; name both, or neither to use the "
         "machine's own role."),
        (READERS, "{metric: orders, at_least: 1}",
         "{metric: orders, attribute: email, at_least: 1}",
         "who.all[1].metric: stands beside attribute: one of both is a condition. Put both under "
         "all."),
        (READERS, "{metric: orders, at_least: 1}", "{event: view, did: no}",
         "who.all[1].did: must be true or false, but is text. In YAML 1.2 it is true and false "
         "alone."),
        ("sources/shop.yml", "load: increment", f"load: {'x' * 5_000}",
         f"load: is '{'x' * 79} …. Use one of snapshot, increment, append."),
    ],
)  # fmt: skip
def test_a_mistake_is_told_in_words_that_help(
    conf: Conf, file: str, old: str, new: str, says: str
) -> None:
    conf.change(file, old, new)

    (problem,) = conf.problems()

    assert problem.partition(": ")[2] == says


def test_an_empty_file_is_told_once(conf: Conf) -> None:
    conf.write(READERS, "# to come\n")

    assert "conf/segments/readers.yml: is empty. Write the declaration, or remove the file." in (
        conf.problems()
    )


def test_a_colon_in_a_text_is_told_as_one(conf: Conf) -> None:
    conf.change(READERS, "owner: letters", "owner: Letters: letters")

    assert any("Put the text in quotes." in problem for problem in conf.problems())


def test_households_that_an_earlier_release_read_are_told_where_they_stand_now(conf: Conf) -> None:
    conf.write("identity/households.yml", "rules: {}\n")

    assert conf.problems() == [
        "conf/identity/households.yml: is not read from here any more: it is "
        "conf/groups/households.yml now."
    ]


def test_files_of_a_connection_are_looked_for_where_all_others_are(conf: Conf) -> None:
    auth = "{kind: header, value: {file: secrets/token}}"
    conf.change(
        "env/local.yml",
        "lake: var/lake",
        "lake: var/lake\nconnections:\n  crm: {base_url: 'https://api.example.com', "
        f"ca_file: certs/ca.pem, auth: {auth}}}",
    )

    loaded = conf.load()

    crm = loaded.environment.connections["crm"]
    assert crm.ca_file == str(loaded.root / "certs" / "ca.pem")
    assert isinstance(crm.auth, HeaderAuth)
    assert str(crm.auth.value) == f"file:{loaded.root / 'secrets' / 'token'}"


@pytest.mark.parametrize(
    ("written", "mend"),
    [
        ("Austria", "write its two capital letters, such as GB"),
        ("at", "write 'AT'"),
        ("UK", "write 'GB'"),
        ("XQ", "write its two capital letters, such as GB"),
    ],
)
def test_a_denial_for_a_country_that_does_not_exist_is_a_problem(
    conf: Conf, written: str, mend: str
) -> None:
    conf.change(
        "consent.yml",
        "channels:",
        f"default: granted\njurisdictions: {{AQ: denied, {written}: denied}}\nchannels:",
    )

    assert conf.problems() == [
        f"conf/consent.yml:4: jurisdictions.{written}: is {written!r}, no country of ISO 3166-1; "
        f"{mend}."
    ]


@pytest.mark.parametrize(
    "line",
    ["0 1 * * *", "*/15 22-2,12 1,15 jan-mar 7", "00 01 * * MON-fri", "5/10 * * * *", "@daily"],
)
def test_what_airflow_takes_for_a_schedule_is_one(conf: Conf, line: str) -> None:
    conf.change("env/local.yml", "lake: var/lake", f"lake: var/lake\nnight: {{schedule: '{line}'}}")

    assert conf.load().environment.night.schedule == line


@pytest.mark.parametrize(
    "line", ["60 1 * * *", "0 1 0 * *", "0 1 * 13 *", "0 1 * * 8", "*/0 1 * * *", "1- 1 * * *",
             "1,,2 1 * * *", "0 1 * * xyz", "0 1 * *", "@never"]
)  # fmt: skip
def test_what_airflow_would_refuse_is_no_schedule(conf: Conf, line: str) -> None:
    conf.change("env/local.yml", "lake: var/lake", f"lake: var/lake\nnight: {{schedule: '{line}'}}")

    (problem,) = conf.problems()

    assert problem.startswith("conf/env/local.yml:2: night.schedule: ")
