"""Every error that goldenlake raises on purpose, and the exit code that each leads to.

Terminal errors (a bad declaration, a broken contract) need a person; transient ones (a throttle,
a lost connection) are worth another try. Orchestrators retry on ``ExitCode.TRANSIENT`` alone.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import IntEnum
from pathlib import Path
from types import MappingProxyType


class ExitCode(IntEnum):
    """What the process tells its caller; part of the public interface."""

    OK = 0
    FAILED = 1
    DECLARATION = 2
    DEGRADED = 3
    HELD = 4
    TRANSIENT = 75

    @property
    def meaning(self) -> str:
        """One line for help texts and runbooks."""
        return {
            ExitCode.OK: "all done",
            ExitCode.FAILED: "an error that another try will not mend",
            ExitCode.DECLARATION: "a declaration, an argument or the set-up is wrong",
            ExitCode.DEGRADED: "done, but at least one source or destination was left out",
            ExitCode.HELD: "a guard or an audit refused to go on until a person decides",
            ExitCode.TRANSIENT: "a passing fault: try again",
        }[self]


def with_options(text: str, options: str) -> str:
    """The text, with these options in every command of ours that stands in it in backticks.

    A command that has them keeps them once: an error may quote one that was told before.
    """
    lacking = f"(?! {re.escape(options)})" if options else ""
    return re.sub(
        f"`goldenlake (identity )?+[a-z]++{lacking}",
        lambda found: f"{found[0]} {options}".rstrip(),
        text,
    )


def printable(text: str) -> str:
    """The text with a mark for each letter that no terminal shows, or that would steer it."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


class GoldenlakeError(Exception):
    """Base of all errors raised on purpose. Messages never carry personal values, and can be
    printed whatever names and addresses of others they quote.
    """

    exit_code: ExitCode = ExitCode.FAILED
    options: str = ""
    """Of the commands that the message names, so that a copied one gets to the same lake; whoever
    knows the installation sets it.
    """
    details: Mapping[str, object] = MappingProxyType({})
    """What the row of the step in ``ops.runs`` tells besides the message."""

    def __str__(self) -> str:
        lines = map(printable, super().__str__().split("\n"))
        return with_options("\n".join(lines), self.options)


def described(error: BaseException) -> str:
    """What may be logged of an error: our own messages hold no personal values, others may.

    Of others only the class, Spark's error condition and our innermost line are told.
    """
    if isinstance(error, GoldenlakeError):
        return str(error)
    if fault := machine_fault(error):
        return str(fault)
    condition = getattr(error, "getCondition", lambda: None)()
    frames = [
        f" at {Path(frame.filename).name}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if "goldenlake" in frame.filename
    ]
    name = f"unexpected {type(error).__name__}" + (f" [{condition}]" if condition else "")
    return name + (frames[-1] if frames else "")


def machine_fault(error: BaseException) -> TerminalError | None:
    """The fault of a disk or a store that an error of Python or of the JVM comes from, if any."""
    for told in _causes(error):
        if any(words in told for words in ("No space left on device", "Disk quota exceeded")):
            return DiskFull()
        if any(words in told for words in _DAMAGE):
            return LakeDamaged()
    return None


#: Of Hadoop's and Parquet's checksums, Parquet's and Delta's readers, Spark's, and the kernel.
_DAMAGE = (
    "ChecksumException",
    "could not verify page checksum",
    "ParquetDecodingException",
    "is not a Parquet file",
    "FAILED_READ_FILE",
    "DELTA_STATE_RECOVER_ERROR",
    "DELTA_TRUNCATED_TRANSACTION_LOG",
    "Input/output error",
)


def _causes(error: BaseException) -> Iterator[str]:
    """An error and what it comes from, through Python and the JVM."""
    python: BaseException | None = error
    while python is not None:
        yield f"{type(python).__name__}: {python}"
        java = getattr(python, "java_exception", None) or getattr(python, "_origin", None)
        while java is not None:
            yield java.toString()
            java = java.getCause()
        python = python.__cause__


class TerminalError(GoldenlakeError):
    """Trying again will not help: a person must change something."""


class TransientError(GoldenlakeError):
    """The same call may succeed later; nothing needs to be changed."""

    exit_code = ExitCode.TRANSIENT


class Held(TerminalError):
    """A guard or an audit stopped the run before any harm; it needs a person's decision."""

    exit_code = ExitCode.HELD


@dataclass(frozen=True, kw_only=True, order=True)
class Problem:
    """One finding of ``goldenlake check``: where, what, and what to do."""

    file: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.key + ': ' if self.key else ''}{self.message}"


class DeclarationError(TerminalError):
    """One or more declarations under ``conf/`` are wrong; ``problems`` lists all of them."""

    exit_code = ExitCode.DECLARATION

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        noun = "problem" if len(self.problems) == 1 else "problems"
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(f"{len(self.problems)} {noun} in the declarations:\n{lines}")


class ExpressionRefused(TerminalError):
    """An SQL expression in a declaration is not a plain expression over known functions."""

    exit_code = ExitCode.DECLARATION

    def __init__(self, *, expression: str, reason: str) -> None:
        self.expression, self.reason = expression, reason
        super().__init__(f"expression {expression!r} is refused: {reason}")


class SetupError(TerminalError):
    """Something on this machine is missing or unfit; ``mend`` says what to do."""

    exit_code = ExitCode.DECLARATION

    def __init__(self, what: str, *, mend: str) -> None:
        self.what, self.mend = what, mend
        super().__init__(f"{what} {mend}")


class SecretMissing(TerminalError):
    """A secret is referred to, but it is absent or cannot be read where it should be."""

    exit_code = ExitCode.DECLARATION

    def __init__(self, reference: str, *, why: str = "is not set") -> None:
        self.reference, self.why = reference, why
        super().__init__(f"secret {reference} {why}. Set it, or correct the reference.")


class ContractBroken(TerminalError):
    """A source's file does not honour its contract as a whole; only that source stops."""

    def __init__(self, *, source: str, file: str, what: str, mend: str) -> None:
        self.source, self.file, self.what, self.mend = source, file, what, mend
        super().__init__(f"{source}: {file}: {what} {mend}")


class ContractMoved(TerminalError):
    """What was written under an earlier contract does not fit the one of today; only that source
    stops.
    """

    def __init__(self, *, source: str, what: str, mend: str) -> None:
        self.source = source
        super().__init__(
            f"{source}: {what} Nothing was written. {mend}, or remove the folders silver/{source} "
            f"and superseded/{source} of the lake and run `goldenlake replay {source} --all "
            "--as-of DAY`, which reads every file again."
        )


class ColumnRetyped(ContractMoved):
    """A contract gives a column another type than silver has it in."""

    def __init__(self, *, source: str, column: str, table: str, stored: str, declared: str) -> None:
        self.column, self.table, self.stored, self.declared = column, table, stored, declared
        super().__init__(
            source=source,
            what=f"{column} is {stored} in {table}, and {declared} in conf/sources/{source}.yml.",
            mend="Give the column another name",
        )


class KeyIsNew(ContractMoved):
    """A contract names a column as its key that no row in silver has."""

    def __init__(self, *, source: str, column: str, table: str) -> None:
        self.column, self.table = column, table
        super().__init__(
            source=source,
            what=f"{column} is of the key, and no row of {table} has it.",
            mend="Keep the key as it was",
        )


class MostlyQuarantined(TerminalError):
    """More of a source's records were quarantined than its contract allows; the others went on."""

    def __init__(
        self, *, source: str, quarantined: int, read: int, limit: float, rules: Mapping[str, int]
    ) -> None:
        self.source, self.quarantined, self.read, self.limit = source, quarantined, read, limit
        self.rules = rules
        rule = max(sorted(rules), key=lambda name: rules[name], default="")
        often = f", most often by {rule} ({rules[rule]:,})" if rule else ""
        super().__init__(
            f"{source}: {quarantined:,} of {read:,} records were quarantined{often}; the limit is "
            f"{limit:.1%} (most_quarantined). The others went on. Mend the contract in "
            f"conf/sources/{source}.yml or ask its owner for the files again, then run "
            f"`goldenlake replay {source} --as-of DAY`."
        )


class CountMismatch(TerminalError):
    """Accepted + quarantined is not what was read: goldenlake itself is at fault."""

    def __init__(self, *, source: str, file_id: str, read: int, accepted: int, quarantined: int):
        self.source, self.file_id = source, file_id
        self.read, self.accepted, self.quarantined = read, accepted, quarantined
        super().__init__(
            f"{source}: file {file_id}: read {read}, but accepted {accepted} + quarantined "
            f"{quarantined}. This is a defect of goldenlake; nothing was marked as done. Run "
            "again; if it says the same, report it with this line, and move the file away so that "
            "the source's others go on."
        )


class TableMissing(TerminalError):
    """A table is read that no step has written yet."""

    def __init__(self, table: str, *, mend: str = "Run the night first.") -> None:
        self.table = table
        super().__init__(f"table {table} does not exist. {mend}")


class TableUnreadable(TerminalError):
    """A version of a table cannot be read whole: a file of it is damaged, or was removed."""

    def __init__(self, table: str, *, version: int | None, kind: str) -> None:
        self.table, self.version, self.kind = table, version, kind
        of = "" if version is None else f"version {version} of "
        super().__init__(
            f"{of}{table} cannot be read whole ({kind}): upkeep or an erasure removed it, or it "
            "is damaged. See docs/runbooks/lake_corrupted.md."
        )


class PlaceUnreachable(TransientError):
    """A folder, SFTP server or object store named in ``conf/env`` does not answer."""

    def __init__(self, *, place: str, what: str) -> None:
        self.place, self.what = place, what
        super().__init__(
            f"place {place!r}: {what}. Run again in a while; if it stays so, `goldenlake doctor` "
            f"looks at every place: mend its address or its access, or places.{place} in conf/env."
        )


class FileRefused(TerminalError):
    """A place answers, and does not give one of its files; the others are not concerned."""

    exit_code = ExitCode.DEGRADED

    def __init__(self, *, place: str, path: str, what: str) -> None:
        self.place, self.path, self.what = place, path, what
        super().__init__(
            f"place {place!r}: {path} cannot be read: {what}. Let the account of the night read "
            "it, or take it away; it is asked for again each night."
        )


class StoreUnsafe(TerminalError):
    """An object store does not keep what a lake needs of it."""

    exit_code = ExitCode.DECLARATION

    def __init__(self, *, place: str) -> None:
        self.place = place
        super().__init__(
            f"{place}: the store lets an object that is to be created replace one that is there "
            "(it ignores If-None-Match). Two writers would lose what was committed, without an "
            "error; nothing was written. Use a store that keeps the condition, such as S3 itself "
            "or SeaweedFS."
        )


class LakeBusy(TransientError):
    """Somebody else is at work that only one may do at a time; nothing was done."""

    def __init__(self, *, work: str, holder: str) -> None:
        self.work, self.holder = work, holder
        super().__init__(
            f"{work} is under way in this lake: {holder}. Nothing was done; run again when it has "
            "ended. If that process hangs, end it: the next run undoes or finishes what it did."
        )


class TableContended(TransientError):
    """Others committed to a table again and again while a write to it was under way."""

    def __init__(self, table: str) -> None:
        self.table = table
        super().__init__(
            f"{table}: other processes committed to it whenever this one wanted to, and nothing of "
            "this write is there. Run again when they have ended."
        )


class UnsafePath(TerminalError):
    """A path leads out of its place: absolute, with ``..``, or through a symbolic link."""

    def __init__(self, *, place: str, path: str) -> None:
        self.place, self.path = place, path
        super().__init__(
            f"place {place!r}: {path!r} leads out of it and is refused. "
            "Use a path below the place, without '..'."
        )


class LandingDamaged(TerminalError):
    """A file of the landing area does not read back as what was put there."""

    def __init__(self, landed_path: str) -> None:
        self.landed_path = landed_path
        super().__init__(
            f"landing area: {landed_path} does not read back as it was written. "
            "Check the disk or the store, then run again."
        )


class LakeDamaged(TerminalError):
    """A file of the lake, or of its log, does not read back as it was written."""

    def __init__(self) -> None:
        super().__init__(
            "a file of the lake does not read back as it was written, or cannot be read. "
            "`goldenlake verify` says which; docs/runbooks/lake_corrupted.md says what to do."
        )


class DiskFull(TerminalError):
    """Nothing more can be written; what was being written is no part of any table."""

    def __init__(self) -> None:
        super().__init__(
            "the disk is full. What was being written is no part of any table; make room and run "
            "again. docs/runbooks/disk_full.md says how."
        )


class PublicationRefused(Held):
    """The audit or the blast-radius gate refused a generation; yesterday's stays in place."""

    def __init__(
        self, *, as_of: str, reasons: Sequence[str], details: Mapping[str, object] | None = None
    ) -> None:
        self.as_of, self.reasons, self.details = as_of, tuple(reasons), details or {}
        super().__init__(
            f"generation of {as_of} is not published; readers keep the one before. "
            + " ".join(self.reasons)
        )


class GenerationMoved(TerminalError):
    """What a step staged was built on a generation that is no longer the latest."""

    def __init__(self, *, step: str, base: int, latest: int) -> None:
        self.step, self.base, self.latest = step, base, latest
        super().__init__(
            f"{step} was built on generation {base}, but {latest} is published now. "
            "Nothing was published; run the night again from resolve."
        )


class GenerationIsOld(Held):
    """Nothing is sent from a generation that was rolled back to: its consents may be old."""

    def __init__(self, *, generation: int, returns_to: int) -> None:
        self.generation, self.returns_to = generation, returns_to
        super().__init__(
            f"generation {generation} is a return to {returns_to}, which may not know who has "
            "said no since; nothing was sent. Mend what was wrong, then run the night again from "
            "resolve."
        )


class GenerationClosed(TerminalError):
    """An erasure purged what a generation pinned."""

    exit_code = ExitCode.DECLARATION

    def __init__(self, *, generation: int) -> None:
        self.generation = generation
        super().__init__(
            f"generation {generation} was closed by an erasure, as all before it: nothing of it "
            "can be read any more. Nothing was changed; name a later one."
        )


class DayTooFar(Held):
    """Upkeep for a day long after the last night would take away what is not over yet."""

    def __init__(self, *, as_of: date, newest: date, most: timedelta) -> None:
        self.as_of, self.newest = as_of, newest
        super().__init__(
            f"{as_of} is more than {most.days} days after the last night, {newest}; "
            "nothing was removed, for retention would count from a day that nothing vouches for. "
            "Correct the day or the clock; where no night ran for so long, run one first."
        )


class StageMissing(TerminalError):
    """A step that must run before has not, or has run on something else since."""

    def __init__(self, *, step: str) -> None:
        self.step = step
        super().__init__(
            f"{step} has not been built on what is staged. "
            f"Nothing was published; run `goldenlake {step}` first."
        )


class StagedForAnotherDay(TerminalError):
    """A generation would be of a day for which it was not built."""

    def __init__(self, *, staged: str) -> None:
        self.staged = staged
        super().__init__(
            f"what is staged was built for {staged}. Nothing was published; say "
            f"`--as-of {staged}`, or run `goldenlake resolve` and `golden` for the other day first."
        )


class ExportHeld(Held):
    """A guard stopped an export before its first write."""

    def __init__(self, *, destination: str, as_of: str, plan: str, reasons: Sequence[str]) -> None:
        self.destination, self.plan, self.reasons = destination, plan, tuple(reasons)
        super().__init__(
            f"export to {destination} is held, nothing was sent: {' '.join(self.reasons)} "
            f"Look at it with `goldenlake plan {destination} --as-of {as_of}`; approve it with "
            f"`goldenlake approve {destination} --plan {plan} --as-of {as_of} --reason …`."
        )


def export_held(said: str) -> dict[str, str] | None:
    """The ``ExportHeld`` among the last lines of a command: destination, plan, and its words.

    None where there is none. For who starts commands and sees only what they print.
    """
    found = re.search(
        r"(?P<words>export to (?P<destination>\S+) is held, .*--plan (?P<plan>\S+) --as-of .*)",
        said,
    )
    return found and found.groupdict()


class PlanUnknown(TerminalError):
    """What a person wants to approve is not the plan as it stands."""

    exit_code = ExitCode.DECLARATION

    def __init__(self, *, destination: str, as_of: str, given: str, current: str) -> None:
        self.destination, self.given, self.current = destination, given, current
        super().__init__(
            f"the plan of {destination} for {as_of} is {current}, not {given}; nothing was "
            f"approved. Look at it with `goldenlake plan {destination} --as-of {as_of}`; the plan "
            "of another day needs that day in --as-of."
        )


class SegmentNotBuilt(TerminalError):
    """A destination asks for members of a day on which the segment was not built.

    That is not an empty audience: taking it for one would remove everybody.
    """

    def __init__(self, *, destination: str, segment: str, as_of: str) -> None:
        self.destination, self.segment, self.as_of = destination, segment, as_of
        super().__init__(
            f"{destination}: segment {segment} has not been built for {as_of}; nothing was sent. "
            f"Run `goldenlake segments --as-of {as_of}` first."
        )


class PersonAmbiguous(TerminalError):
    """A value by which a person is asked for is that of several.

    ``vanished``: how many records without a customer are among them.
    """

    exit_code = ExitCode.DECLARATION

    def __init__(self, *, identifier: str, customers: Iterable[str], vanished: int = 0) -> None:
        self.identifier, self.customers = identifier, tuple(sorted(customers))
        self.vanished = vanished
        told = ", ".join(self.customers[:5]) or "none"
        lost = f", and of {vanished} records that vanished" if vanished else ""
        super().__init__(
            f"a value of {identifier} is that of {len(self.customers)} customers: {told}{lost}. "
            "Nothing was done. Look at them with `goldenlake explain` and name the one that is "
            "meant by its id."
        )


class PrivacyKeyUnfit(TerminalError):
    """People cannot be forgotten, or known again as such, without the key of the pseudonyms."""

    exit_code = ExitCode.DECLARATION

    def __init__(self, what: str) -> None:
        super().__init__(
            f"the key of the pseudonyms (privacy.key in conf/env) {what}. Nothing was done: "
            "without it, those who were forgotten could come back. Name the secret that was used "
            "before."
        )


class ErasureUnfinished(TerminalError):
    """A person is not forgotten everywhere yet; what remains is to be done, and then again."""

    exit_code = ExitCode.DEGRADED

    def __init__(self, *, request: str, remains: Sequence[str]) -> None:
        self.request, self.remains = request, tuple(remains)
        super().__init__(
            f"erasure {request} is not finished: {'; '.join(self.remains)}. Mend that, then go on "
            "with `goldenlake erase --resume`."
        )


class Throttled(TransientError):
    """A destination asks to be called later; waiting for it is not a fault."""

    def __init__(self, *, destination: str, seconds: float) -> None:
        self.destination, self.seconds = destination, seconds
        super().__init__(f"{destination} asks to wait for {seconds:.0f} s.")


class ReplyLost(TransientError):
    """A system did not answer, or answered that it failed: what was asked for may have been done
    or not.
    """

    def __init__(self, *, system: str, call: str, what: str) -> None:
        self.system, self.call, self.what = system, call, what
        super().__init__(f"{system}: {call}: {what}.")


class ListMoved(TransientError):
    """A list that is read page by page was not what it was when the page before came."""

    def __init__(self, *, source: str, path: str) -> None:
        self.source, self.path = source, path
        super().__init__(
            f"{source}: {path} changed its order between two calls, however often it was read from "
            "the beginning. Nothing of it is landed. Run again when less changes there, or have "
            "origin ask for an order that does not change, such as by id."
        )


class CallRefused(TerminalError):
    """A system refused a call as it stands; nothing of it was done.

    ``told`` is the system's own words: it may repeat personal values, so it is no part of the
    message.
    """

    def __init__(
        self, *, system: str, call: str, status: int, code: str = "", told: str = "", mend: str = ""
    ) -> None:
        self.system, self.call, self.status, self.code = system, call, status, code
        self.told = told
        self.in_doubt: frozenset[str] = frozenset()
        """Keys of records for which an earlier call of the same batch was made."""
        named = f"{status} {code}".rstrip()
        super().__init__(f"{system}: {call} was refused with {named}. {mend}".rstrip())


class NotAuthorised(CallRefused):
    """A system does not know us, or does not let us do this."""


class CallUnfit(CallRefused):
    """A system refused a call for what no record is at fault for, such as a field that it does not
    have: fewer records would not help.
    """


def about_the_call(
    refusal: CallRefused, *, code: str, mend: str, is_forbidden: bool = False
) -> NotAuthorised | CallUnfit:
    """The same refusal, where it is none of a record; ``is_forbidden`` where its code says so."""
    is_forbidden |= isinstance(refusal, NotAuthorised)
    kind = NotAuthorised if is_forbidden else CallUnfit
    return kind(
        system=refusal.system, call=refusal.call, status=refusal.status, code=code, mend=mend
    )


class HostRefused(TerminalError):
    """A system would have us call a host that its connection does not declare."""

    def __init__(self, *, system: str, call: str, host: str) -> None:
        self.system, self.call, self.host = system, call, host
        super().__init__(
            f"{system}: {call} leads to {host}, which is not its own host. Nothing was sent there. "
            f"If it is right, add it to connections.{system}.hosts in conf/env."
        )


class CannotBeAsked(TerminalError):
    """A destination of a kind that does not tell its members."""

    exit_code = ExitCode.DECLARATION

    def __init__(self, destination: str) -> None:
        self.destination = destination
        super().__init__(
            f"{destination} is of a kind that does not tell who is there; the ledger is all that "
            f"is known. See `goldenlake ledger {destination}`."
        )


class DeliveryIncomplete(TransientError):
    """A destination does not show what it acknowledged; the delivery is not closed."""

    def __init__(self, *, destination: str, delivery: str, what: str) -> None:
        self.destination, self.delivery, self.what = destination, delivery, what
        super().__init__(f"{destination}: delivery {delivery}: {what} Run the export again.")


class DeliveryElsewhere(Held):
    """An export that was interrupted is not finished at another place than it was begun for."""

    def __init__(self, *, destination: str, segment: str, place: str, now: str) -> None:
        self.destination, self.segment, self.place, self.now = destination, segment, place, now
        super().__init__(
            f"{destination}: an export that was interrupted has sent {segment} to "
            f"{place or 'files'}, and target says {now or 'files'} now; nothing was sent. Let "
            "target say what it said until that export is finished; what is sent to two places is "
            "two destinations."
        )


class CustomerUnknown(TerminalError):
    """Nobody goes by this customer id or record id."""

    def __init__(self, who: str) -> None:
        self.who = who
        super().__init__(
            f"{who!r} is no customer id and no record id of the published generation. Record ids "
            "look like <source>:<key>; `goldenlake sql` finds them in sources."
        )


class RecordUnknown(TerminalError):
    """A pair is to be explained, and one of its records is nobody's."""

    def __init__(self, record: str) -> None:
        self.record = record
        super().__init__(
            f"{record!r} is no record of a customer of the published generation. A pair is named "
            "by two record ids such as <source>:<key>; `goldenlake explain CUSTOMER` lists them."
        )


class ContradictoryDecisions(TerminalError):
    """Records must share a cluster and must not."""

    def __init__(self, *, pairs: int) -> None:
        self.pairs = pairs
        super().__init__(
            f"{pairs} pairs of records are held apart by a decision, or stand in a source that has "
            "every person once, and are held together by others. Withdraw one of the decisions."
        )


class SplinkModelRefused(TerminalError):
    """A model made with Splink has something in it that cannot be scored as Splink scores it."""

    exit_code = ExitCode.DECLARATION

    def __init__(self, refused: Sequence[str]) -> None:
        self.refused = tuple(refused)
        super().__init__(
            f"not supported of this model of Splink: {'; '.join(self.refused)}. Supported are "
            "DuckDB's levels on one column that conf/identity/matching.yml declares, by equality, "
            "Levenshtein, Damerau-Levenshtein, Jaro and Jaro-Winkler, each with its m and u. Leave "
            "the comparison out in Splink, or train a model here with `goldenlake identity train`."
        )


class ModelUnfit(TerminalError):
    """The model of ``conf/identity`` cannot be used."""

    exit_code = ExitCode.DECLARATION

    def __init__(self, why: str) -> None:
        super().__init__(
            f"conf/identity/model.json: {why}. Train one with `goldenlake identity train`, or "
            "remove the file to go on with declared identifiers alone."
        )


class ProfilesMissing(TerminalError):
    """There is nothing to train, tune or measure matching on."""

    exit_code = ExitCode.DECLARATION

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(
            f"{why}. Declare in conf/identity/matching.yml the attributes that sources have, then "
            "run `goldenlake collect --as-of DAY` and `goldenlake resolve --as-of DAY`: that keeps "
            "profiles of them."
        )


class MatchingUndeclared(TerminalError):
    """A command about matching runs where ``conf/identity/matching.yml`` does not exist."""

    exit_code = ExitCode.DECLARATION

    def __init__(self) -> None:
        super().__init__(
            "conf/identity/matching.yml does not exist: nothing says what is compared. Write it as "
            "docs/guides/matching.md shows."
        )


class ModelMissing(TerminalError):
    """A command needs a model, and none has been trained."""

    exit_code = ExitCode.DECLARATION

    def __init__(self) -> None:
        super().__init__(
            "conf/identity/model.json does not exist. Train one with "
            "`goldenlake identity train --write`."
        )


class ModelRefused(Held):
    """A model would join people by the thousands; it was not written."""

    def __init__(self, findings: Sequence[str], *, command: str) -> None:
        self.findings = tuple(findings)
        super().__init__(
            f"the model is not written; the one before stays. {' '.join(findings)} Mend that, or "
            f"write it all the same with `{command} --write --accept`."
        )


class TruthUnfit(TerminalError):
    """A file of truth, or of labels, cannot be used."""

    exit_code = ExitCode.DECLARATION

    def __init__(self, *, file: str, what: str, mend: str) -> None:
        self.file, self.what, self.mend = file, what, mend
        super().__init__(f"{file}: {what} {mend}")
