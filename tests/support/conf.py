"""A small installation whose declarations are sound, to be spoilt one line at a time."""

from pathlib import Path

from goldenlake.declarations.catalogue import Catalogue
from goldenlake.declarations.loader import load_catalogue
from goldenlake.errors import DeclarationError

FILES = {
    "env/local.yml": """\
lake: var/lake
places:
  drops: {kind: folder, path: var/drops}
  exports: {kind: folder, path: var/exports}
""",
    "consent.yml": """\
purposes:
  marketing: {description: News and offers.}
channels: {email: {addresses: [email]}, sms: {}}
""",
    "identity/identifiers.yml": """\
identifiers:
  email:
    description: An address.
    strength: strong
    unless_differ: [birth_on]
""",
    "groups/households.yml": """\
group: households
description: Who lives together.
owner: homes@example.com
singular: household
rules:
  mailbox: {agree: [email, birth_on], most_customers: 4}
placeholders:
  email: {block: [none@example.com]}
""",
    "tables/gold.customers.yml": """\
table: gold.customers
description: Everybody, once.
grain: A customer.
key: [customer_id]
columns:
  - {name: customer_id, type: STRING, doc: Our name of the customer.}
  - {name: email, type: STRING, doc: An address., survivorship: {rule: most_recent}}
  - {name: birth_on, type: DATE, doc: A day., survivorship: {rule: most_recent, sources: [shop]}}
  - {name: country, type: STRING, doc: Where., personal: sensitive}
  - {name: is_known, type: BOOLEAN, doc: Whether.}
  - {name: sources, type: ARRAY<STRING>, doc: Where from.}
rules:
  - {rule: in_set, column: country, values: [GB, "NO"], reason: We sell there.}
  - {rule: unique, columns: [customer_id], reason: Once.}
  - {rule: holds, expression: customer_id IS NOT NULL, reason: A name.}
""",
    "tables/gold.metrics.yml": """\
table: gold.metrics
description: Numbers.
grain: A customer.
key: [customer_id]
columns:
  - {name: customer_id, type: STRING, doc: Our name of the customer.}
  - {name: orders, type: BIGINT, doc: How many.}
  - {name: revenue, type: "DECIMAL(18,4)", doc: How much.}
  - {name: last_seen_at, type: TIMESTAMP, doc: When.}
""",
    "tables/gold.interactions.yml": """\
table: gold.interactions
description: What people did.
grain: An event.
key: [interaction_id]
columns:
  - {name: interaction_id, type: STRING, doc: Our name of the event.}
  - {name: kind, type: STRING, doc: What.}
  - {name: item, type: STRING, doc: With what.}
  - {name: value, type: DOUBLE, doc: How much.}
  - {name: properties, type: "MAP<STRING, STRING>", doc: What else.}
rules:
  - {rule: in_set, column: kind, values: [view, cart], reason: Our words.}
""",
    "tables/gold.purchases.yml": """\
table: gold.purchases
description: What people bought.
grain: A line.
key: [purchase_line_id]
columns:
  - {name: purchase_line_id, type: STRING, doc: Our name of the line.}
  - {name: channel, type: STRING, doc: Where.}
  - {name: quantity, type: DOUBLE, doc: How many.}
""",
    "sources/shop.yml": """\
source: shop
description: The shop's customers.
system: shop
owner: shop@example.com
purpose: [marketing]
origin:
  place: drops
  files: shop/*.csv
format: {kind: csv, delimiter: ","}
load: increment
key: [id]
columns:
  - {name: id, required: true}
  - {name: email, normalise: email, personal: contact}
  - {name: notes, personal: sensitive}
identifiers:
  email: email
attributes:
  email: email
""",
    "segments/readers.yml": """\
segment: readers
description: Those with an address.
owner: letters@example.com
who:
  all:
    - {attribute: email, missing: false}
    - {metric: orders, at_least: 1}
    - {event: view, within: 30d}
""",
    "destinations/letters.yml": """\
destination: letters
description: Where letters go.
owner: letters@example.com
segments: [readers]
purpose: marketing
channel: email
key: email
fields:
  address: email
  customer: {attribute: customer_id}
target: {kind: files, place: exports}
""",
}
"""Path under conf/ to content."""


class Conf:
    """The small installation in a folder."""

    def __init__(self, root: Path) -> None:
        self.root, self.path = root, root / "conf"
        for name, text in FILES.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        """Put a whole file in its place."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def change(self, name: str, old: str, new: str) -> None:
        """Write something else where ``old`` stands; it must stand there once."""
        text = (self.path / name).read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {name}"
        self.write(name, text.replace(old, new))

    def load(self, **options: str) -> Catalogue:
        """The catalogue."""
        return load_catalogue(self.path, **options)

    def problems(self, **options: str) -> list[str]:
        """What a person would read, line by line; nothing where all is well."""
        try:
            self.load(**options)
        except DeclarationError as error:
            return [str(problem) for problem in error.problems]
        return []
