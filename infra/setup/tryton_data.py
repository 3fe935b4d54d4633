"""Make the database of a small Tryton that tests start with: run by .venv-tryton, as
``tryton_data.py FOLDER``; leaves ``crm.sqlite`` there, with an administrator, a key for its REST
API, and a company that has one customer, one opportunity, one sale and one invoice.
"""

from __future__ import annotations

import datetime
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from decimal import Decimal
from pathlib import Path

from proteus import Model, config
from trytond.modules.account.tests.tools import create_chart, get_accounts
from trytond.modules.company.tests.tools import create_company, get_company

#: Of a server that nobody but a test on the same machine ever talks to.
KEY = "a-token-of-nothing"
MODULES = ("party", "sale", "sale_opportunity", "account_invoice")
DAY = datetime.date(2026, 1, 2)


def main(folder: Path) -> None:
    """Fill the database under another name, so that a run that is cut off leaves none."""
    folder.mkdir(parents=True, exist_ok=True)
    settings, password = folder / "trytond.conf", folder / "password"
    making = folder / "making.sqlite"
    for left in folder.glob("making.sqlite*"):
        left.unlink()
    making.touch()
    password.write_text(KEY)
    settings.write_text(f"[database]\nuri = sqlite://\npath = {folder}\n")
    admin = Path(sys.executable).with_name("trytond-admin")
    subprocess.run(
        [admin, "-c", settings, "-d", making.stem, "-p", "--email", "admin@example.com",
         "--activate-dependencies", "-u", *MODULES],
        env={**os.environ, "TRYTONPASSFILE": str(password)},
        check=True,
    )  # fmt: skip
    fill(settings, making.stem)
    made = folder / "crm.sqlite"
    made.unlink(missing_ok=True)
    with closing(sqlite3.connect(making)) as connection:
        # One file, without the log that SQLite writes beside it.
        connection.execute("VACUUM INTO ?", [str(made)])
    for left in folder.glob("making.sqlite*"):
        left.unlink()


def fill(settings: Path, database: str) -> None:
    """What a CRM has on its second day."""
    config.set_trytond(f"sqlite:///{database}", config_file=str(settings))
    user = Model.get("res.user")(1)
    Model.get("res.user.application")(user=user, application="rest", key=KEY).save()
    create_company()
    company = get_company()
    create_chart(company)
    accounts = get_accounts(company)
    party = Model.get("party.party")(name="Customer of the template")
    party.contact_mechanisms.new(type="email", value="template@example.com")
    party.save()
    address = party.addresses[0]
    term = Model.get("account.invoice.payment_term")(name="At once")
    term.lines.new(type="remainder")
    term.save()

    opportunity = Model.get("sale.opportunity")(
        party=party, address=address, company=company, description="Forty chairs",
        amount=Decimal("1200.50"), currency=company.currency, start_date=DAY,
    )  # fmt: skip
    opportunity.save()
    sale = Model.get("sale.sale")(
        party=party, company=company, currency=company.currency, payment_term=term,
        sale_date=DAY, invoice_address=address, shipment_address=address,
    )  # fmt: skip
    sale.lines.new(description="A chair", quantity=4.0, unit_price=Decimal("30.10"))
    sale.save()
    sale.click("quote")
    invoice = Model.get("account.invoice")(
        type="out", party=party, company=company, currency=company.currency, payment_term=term,
        invoice_date=DAY, invoice_address=address,
    )  # fmt: skip
    line = invoice.lines.new(description="A chair", quantity=4.0, unit_price=Decimal("30.10"))
    line.account = accounts["revenue"]
    invoice.save()


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
