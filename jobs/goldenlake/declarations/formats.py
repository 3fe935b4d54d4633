"""``format`` of a source: what its files are."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictBool

from goldenlake.declarations.base import Declaration, Delimiter, Encoding


class CsvFormat(Declaration):
    """Delimited text."""

    kind: Literal["csv"]
    encoding: Encoding | None = Field(
        default=None, description="Left out: UTF-8 or found by its BOM."
    )
    delimiter: Delimiter | None = Field(default=None, description="Left out: sniffed.")
    quote: str = '"'
    header: StrictBool = True
    decimal_comma: StrictBool = False


class XlsxFormat(Declaration):
    """A worksheet of an Excel workbook."""

    kind: Literal["xlsx"]
    sheet: str | None = Field(default=None, description="Left out: the first visible one.")
    header_row: int = Field(default=1, ge=1)


class JsonLinesFormat(Declaration):
    """One JSON object a line."""

    kind: Literal["jsonl"]
    encoding: Encoding = "utf-8"


class ParquetFormat(Declaration):
    """Parquet, with its own types; nested values become JSON text."""

    kind: Literal["parquet"]


class AccessLogFormat(Declaration):
    """A web server's access log, described by its Apache ``LogFormat`` string.

    Source: https://httpd.apache.org/docs/2.4/mod/mod_log_config.html#formats
    """

    kind: Literal["access_log"]
    log_format: str = '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"'


class MailReportsFormat(Declaration):
    """Messages that report on messages: delivery status (RFC 3464) and abuse (RFC 5965).

    A file is one message, as in a Maildir, or an mbox. Source: https://www.rfc-editor.org/rfc/rfc3464
    """

    kind: Literal["mail_reports"]


Format = Annotated[
    CsvFormat | XlsxFormat | JsonLinesFormat | ParquetFormat | AccessLogFormat | MailReportsFormat,
    Field(discriminator="kind"),
]
