"""``target`` of a destination: which kind of system it is, and what that kind needs to know."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, StrictBool, StringConstraints, model_validator

from goldenlake.declarations.base import Declaration, Delimiter, PathInside, Slug, filled_in
from goldenlake.declarations.rest import PLACEHOLDER, RestTarget

_WHERE = {
    "kind", "connection", "account", "object", "audience", "audiences", "list", "segment",
    "campaign", "category",
}  # fmt: skip
"""Fields of targets that tell which place of a system is meant."""

OWN_COLUMNS = ("operation", "key")
"""Columns that every file of a delivery has, before the declared fields."""


def _checked_path(text: str) -> str:
    return filled_in(text, {"destination", "segment", "as_of"})


def _checked_name(text: str) -> str:
    return filled_in(text, {"destination", "segment"})


AudienceName = Annotated[str, AfterValidator(_checked_name), Field(min_length=1)]
"""What a segment is called there; {destination} and {segment} are filled in."""

Audiences = Annotated[
    dict[Slug, Annotated[str, StringConstraints(pattern=r"^\d+$")]], Field(min_length=1)
]
"""The audience's id there for each segment; one that was made there before."""

Consented = Literal["granted", "denied"]


class FilesTarget(Declaration):
    """Files in a folder, on an SFTP server or in S3, each delivery closed by a manifest."""

    kind: Literal["files"]
    place: Slug
    path: Annotated[PathInside, AfterValidator(_checked_path)] = Field(
        default="{destination}/{segment}/{as_of}",
        description="Folder of a delivery; {destination}, {segment} and {as_of} are filled in.",
    )
    format: Literal["csv", "jsonl", "parquet"] = "csv"
    delimiter: Delimiter = ","
    spreadsheet_guard: StrictBool = Field(
        default=True,
        description="Prefix cells that a spreadsheet would run as a formula; for people who open "
        "the file. Turn it off for machines: the file is then byte-exact.",
    )
    batch_records: int = Field(default=10_000, ge=1, description="Records in one file.")


class GoogleTarget(Declaration):
    """Customer Match audiences of Google, through its Data Manager API."""

    kind: Literal["google"]
    connection: Slug
    account: str = Field(pattern=r"^\d+$", description="Whose audience it is, without dashes.")
    account_type: Literal[
        "GOOGLE_ADS", "DISPLAY_VIDEO_ADVERTISER", "DISPLAY_VIDEO_PARTNER", "DATA_PARTNER"
    ] = "GOOGLE_ADS"
    login_account: str | None = Field(
        default=None,
        pattern=r"^\d+$",
        description="Account that the connection is a user of, such as a manager account, where "
        "it is another one.",
    )
    login_account_type: Literal["GOOGLE_ADS", "DATA_PARTNER"] = "GOOGLE_ADS"
    audiences: Audiences
    key_is: Literal["email", "phone"] = Field(
        default="email", description="Which identifier the key is."
    )
    identifiers: dict[
        Literal["email", "phone", "given_name", "family_name", "region", "postal_code"], str
    ] = Field(
        default={},
        description="Which field is which further identifier. A name counts with the country and "
        "the postcode alone, so all four are named or none.",
    )
    ad_user_data: Consented | None = Field(
        default=None, description="Consent to sending user data to Google, as the DMA has it."
    )
    ad_personalization: Consented | None = None
    accepts_customer_match_terms: StrictBool = Field(
        default=False, description="Tell Google that its terms of Customer Match are accepted."
    )

    @model_validator(mode="after")
    def _has_a_whole_address(self) -> Self:
        address = {"given_name", "family_name", "region", "postal_code"}
        named = address & set(self.identifiers)
        if named and named != address:
            lacking = " and ".join(sorted(address - named))
            raise ValueError(f"identifiers of an address lack {lacking}; name all four or none")
        return self


class HubspotTarget(Declaration):
    """Contacts of HubSpot, and a manual list for each segment."""

    kind: Literal["hubspot"]
    connection: Slug
    id_property: str = Field(
        default="email",
        description="Property with unique values by which a contact is known; the key is its "
        "value.",
    )
    list: AudienceName = Field(
        default="{segment}", description="Name of the list; made as a manual one where absent."
    )
    create_properties: StrictBool = Field(
        default=False, description="Make properties of contacts that the mapping names."
    )
    property_group: str = Field(
        default="contactinformation", description="Group of the properties that are made."
    )
    gone: Literal["keep", "archive"] = Field(
        default="keep",
        description="What becomes of the contact of a customer who exists no longer, besides "
        "leaving the list: one that was merged into another.",
    )


class KlaviyoTarget(Declaration):
    """Profiles of Klaviyo, and a list for each segment."""

    kind: Literal["klaviyo"]
    connection: Slug
    identifier: Literal["email", "phone_number"] = Field(
        default="email", description="By which a profile is known; the key is its value."
    )
    list: AudienceName = Field(default="{segment}", description="Name of the list; made if absent.")


class MailchimpTarget(Declaration):
    """Members of an audience of Mailchimp, and a static segment for each segment."""

    kind: Literal["mailchimp"]
    connection: Slug
    audience: str = Field(pattern=r"^[A-Za-z0-9]+$", description="Id of the audience.")
    segment: AudienceName = Field(
        default="{segment}", description="Name of the static segment; made if absent."
    )
    status_if_new: Literal["subscribed", "pending", "transactional"] = Field(
        default="subscribed",
        description="Of people whom the audience does not have: pending asks them to confirm. "
        "Nobody else's status is touched.",
    )
    create_fields: StrictBool = Field(
        default=False, description="Make merge fields that the mapping names."
    )


class MailmanTarget(Declaration):
    """Members of a list of GNU Mailman, one list for each segment."""

    kind: Literal["mailman"]
    connection: Slug
    list: AudienceName = Field(
        description="Id of the list, such as {segment}.lists.example.com; it must be there."
    )


class MetaTarget(Declaration):
    """Custom audiences of Meta, made from lists of customers."""

    kind: Literal["meta"]
    connection: Slug
    audiences: Audiences
    key_is: Literal["email", "external_id", "phone"] = Field(
        default="email", description="Which identifier the key is."
    )
    identifiers: dict[
        Literal[
            "city", "country", "email", "external_id", "family_name", "given_name", "phone",
            "postal_code", "region",
        ],
        str,
    ] = Field(default={}, description="Which field is which further identifier.")  # fmt: skip


class SalesforceTarget(Declaration):
    """Contacts or leads of Salesforce, and a campaign for each segment."""

    kind: Literal["salesforce"]
    connection: Slug
    version: str = Field(default="v65.0", pattern=r"^v\d+\.0$", description="Of the API.")
    object: Literal["Contact", "Lead"] = "Contact"
    external_id: str = Field(
        pattern=r"^[A-Za-z]\w*$",
        description="Field marked as a unique external id; the key is its value.",
    )
    campaign: AudienceName = Field(default="{segment}", description="Name of the campaign.")
    create_campaign: StrictBool = Field(
        default=False, description="Make the campaign where there is none."
    )
    member_status: str | None = Field(
        default=None, description="Status of members that are added; the campaign's own if not."
    )
    bulk_from: int = Field(
        default=1000,
        ge=1,
        description="Batches of so many records go as jobs of Bulk API 2.0, smaller ones at once.",
    )


class SendgridTarget(Declaration):
    """Contacts of SendGrid's Marketing Campaigns, and a list for each segment."""

    kind: Literal["sendgrid"]
    connection: Slug
    identifier: Literal["email", "phone_number_id", "external_id"] = Field(
        default="email", description="By which a contact is known; the key is its value."
    )
    list: AudienceName = Field(default="{segment}", description="Name of the list; made if absent.")
    create_fields: StrictBool = Field(
        default=False, description="Make custom fields that the mapping names."
    )
    unsubscribe_group: int | None = Field(
        default=None, ge=1, description="Id of the group that mode suppress adds addresses to."
    )


class TrytonTarget(Declaration):
    """Parties of Tryton, and a category for each segment."""

    kind: Literal["tryton"]
    connection: Slug
    key: Literal["code", "email"] = Field(
        default="email",
        description="What the key of the destination is there: the code of the party, or an e-mail "
        "address among its contact mechanisms.",
    )
    category: AudienceName = Field(
        default="{segment}", description="Name of the category; made where absent."
    )


ConnectedTarget = (
    GoogleTarget
    | HubspotTarget
    | KlaviyoTarget
    | MailchimpTarget
    | MailmanTarget
    | MetaTarget
    | RestTarget
    | SalesforceTarget
    | SendgridTarget
    | TrytonTarget
)
"""A target in an account of ``conf/env``."""

Target = Annotated[FilesTarget | ConnectedTarget, Field(discriminator="kind")]


def modes_of(target: FilesTarget | ConnectedTarget) -> frozenset[str]:
    """The modes in which such a system can be sent to: not each takes word of who said no."""
    everywhere = frozenset({"mirror", "upsert", "append"})
    match target:
        case (
            FilesTarget()
            | MailchimpTarget()
            | KlaviyoTarget(identifier="email")
            | SendgridTarget(unsubscribe_group=int())
        ):
            return everywhere | {"suppress"}
        case _:
            return everywhere


def account_of(target: FilesTarget | ConnectedTarget) -> str | None:
    """The connection to it; files have none."""
    return None if isinstance(target, FilesTarget) else target.connection


def finds_people_by(target: FilesTarget | ConnectedTarget) -> list[str]:
    """Fields by each of which, besides the key, such a system finds a person: a no of whoever else
    bears the value is a no to being found by it.
    """
    if not isinstance(target, GoogleTarget | MetaTarget):
        return []
    alone = ("email", "external_id", "phone")
    return [field for name, field in target.identifiers.items() if name in alone]


def audience_name(template: str, *, destination: str, segment: str) -> str:
    """What a segment is called at its destination."""
    return template.format(destination=destination, segment=segment)


def whereabouts(target: FilesTarget | ConnectedTarget, *, destination: str, segment: str) -> str:
    """What tells the place of a segment's people from any other of such systems; empty for files,
    each delivery of which stands for itself.
    """
    if isinstance(target, FilesTarget):
        return ""
    told = target.model_dump(include=_WHERE)
    told["audiences"] = told.get("audiences", {}).get(segment)
    names = {"destination": destination, "segment": segment}
    filled: dict[str, Any] = {
        name: audience_name(value, **names) for name, value in told.items() if value
    }
    if isinstance(target, RestTarget):
        calls = {name: [call.alike for call in made] for name, made in target.calls.items()}
        template = json.dumps(calls)
        filled |= json.loads(PLACEHOLDER.sub(lambda of: names.get(of[1], of[0]), template))
    return json.dumps(filled, sort_keys=True)


def is_another_place(then: str, now: str) -> bool:
    """Whether ``whereabouts`` told another place then. What an earlier release did not tell counts
    as the same.
    """
    if not then or not now:
        return then != now
    tells = json.loads(now)
    return any(tells.get(name) != value for name, value in json.loads(then).items())
