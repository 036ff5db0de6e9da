"""What the JSON API of leads takes and gives."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from ninja import Field, Schema

from leadagent.leads.inbox.lead_filter import QUERY_LIMIT, Sort
from leadagent.leads.models import LeadSource, LeadStatus
from leadagent.leads.models.note import NOTE_LIMIT


class NewLead(Schema):
    """A lead as it comes in. The limits are those of the public form."""

    # The form refuses empty ones in its own words.
    name: Annotated[str, Field(max_length=120, json_schema_extra={"minLength": 1})]
    email: Annotated[str, Field(max_length=254, json_schema_extra={"format": "email"})]
    company: Annotated[str, Field(max_length=160)] = ""
    phone: Annotated[str, Field(max_length=40)] = ""
    message: Annotated[str, Field(max_length=8000, json_schema_extra={"minLength": 1})]


class StepOut(Schema):
    name: str
    status: str
    attempts: int
    error_code: str
    error_message: str
    on_platform: Annotated[bool, Field(description="The platform's AI stood in for the organisation's own key.")]
    platform_reason: Annotated[str, Field(description="Why, to be read after “because”; empty without.")]
    model: Annotated[str, Field(description="The model of the last attempt; empty before it has ended.")]
    meant_model: Annotated[str, Field(description="The model that was meant; another one took over where they differ.")]
    model_reason: Annotated[str, Field(description="Why another took over, to be read after “because”.")]


class ReasonOut(Schema):
    statement: str
    quote: Annotated[
        str | None,
        Field(description="A passage of the report or of the lead's message; null where the model's was not found."),
    ]
    source: Annotated[
        Literal["report", "message"] | None, Field(description="Where the quote stands; null without one.")
    ]


class QualificationOut(Schema):
    category: str
    reason: str
    confidence: float
    reasons: Annotated[list[ReasonOut], Field(description="Empty for verdicts of before there were quotes.")]


class EmailOut(Schema):
    status: str
    subject: str


class RunOut(Schema):
    """The newest run. `error_message` says in a sentence what has to be done before it can go on."""

    id: UUID
    status: str
    error_code: str
    error_message: str
    created_at: datetime
    finished_at: datetime | None
    steps: list[StepOut]
    qualification: QualificationOut | None
    email: EmailOut | None


class PersonOut(Schema):
    name: str
    email: str


class LeadRow(Schema):
    """A lead without its run, as lists have it."""

    id: UUID
    name: str
    email: str
    company: str
    phone: str
    message: str
    source: str
    status: str
    category: Annotated[str, Field(description="The verdict of the newest run that has one; empty before the first.")]
    assigned_to: PersonOut | None
    created_at: datetime
    last_activity_at: datetime


class LeadOut(LeadRow):
    run: RunOut | None


class LeadQuery(Schema):
    """Everything that is left out shows all."""

    q: Annotated[
        str,
        Field(max_length=QUERY_LIMIT, description="Words; each begins one of the name, email, company or message."),
    ] = ""
    status: LeadStatus | None = None
    category: Annotated[
        Literal["QUALIFIED", "UNQUALIFIED", "SUPPORT", "FOLLOW_UP", "none"] | None,
        Field(description="`none`: without a verdict yet."),
    ] = None
    assigned_to: Annotated[
        str, Field(max_length=254, description="The address of a member, `nobody`, or with a session `me`.")
    ] = ""
    source: LeadSource | None = None
    days: Annotated[int | None, Field(ge=1, le=3650, description="Received in so many days before now.")] = None
    sort: Sort = Sort.NEWEST
    cursor: Annotated[str, Field(max_length=120)] = ""
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class LeadsOut(Schema):
    leads: list[LeadRow]
    next_cursor: Annotated[str | None, Field(description="Give it as `cursor` for the next page; null on the last.")]


class LeadChange(Schema):
    """What is left out stays as it is."""

    assigned_to: Annotated[
        str | None,
        Field(max_length=254, description="The address of a member or admin, or null for nobody."),
    ] = None
    status: Annotated[
        Literal["closed", "open"] | None,
        Field(description="`closed` closes it, a draft that waits is discarded; `open` opens a closed one again."),
    ] = None


class NewNote(Schema):
    text: Annotated[str, Field(max_length=NOTE_LIMIT)] = ""


class NoteOut(Schema):
    """`author` is null where a token wrote it, or the account is gone."""

    id: UUID
    text: str
    author: PersonOut | None
    created_at: datetime
    edited_at: datetime | None


class NotesQuery(Schema):
    cursor: Annotated[str, Field(max_length=120)] = ""
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class NotesOut(Schema):
    notes: list[NoteOut]
    next_cursor: Annotated[str | None, Field(description="Give it as `cursor` for the next page; null on the last.")]
