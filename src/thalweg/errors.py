"""Every error a person can act on, one line each.

An error has a `code` (its class name), a message that names the file, field or line, and a hint
that says what to do. `transient` errors may pass by themselves and are retried; the others are not.
They stand in one list, by room: whoever meets a code searches for it here.
"""

from __future__ import annotations

from typing import Any, ClassVar


class ThalwegError(Exception):
    """Something went wrong that a person can act on."""

    transient: ClassVar[bool] = False
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str = "", *, hint: str = "", where: str = "") -> None:
        self.message = message or (type(self).__doc__ or "").strip().splitlines()[0]
        self.hint = hint
        self.where = where
        super().__init__(self.message)

    @property
    def code(self) -> str:
        return type(self).__name__

    def __str__(self) -> str:
        located = f"{self.where}: {self.message}" if self.where else self.message
        return f"{located} ({self.hint})" if self.hint else located

    def to_json(self) -> dict[str, Any]:
        """The error as JSON, to cross a process or be stored; `from_json` gives it back."""
        return {
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "where": self.where,
            "transient": self.transient,
        }


def from_json(document: dict[str, Any]) -> ThalwegError:
    """The error that `to_json` wrote; an unknown code becomes an `UnexpectedError`."""
    kind = _by_code().get(document["code"], UnexpectedError)
    return kind(document["message"], hint=document["hint"], where=document["where"])


def _by_code() -> dict[str, type[ThalwegError]]:
    found: dict[str, type[ThalwegError]] = {}
    pending: list[type[ThalwegError]] = [ThalwegError]
    while pending:
        kind = pending.pop()
        found[kind.__name__] = kind
        pending.extend(kind.__subclasses__())
    return found


class UnexpectedError(ThalwegError):
    """A fault of Thalweg's own: please report it with the text above."""


# Settings and pipelines ------------------------------------------------------------------------


class UsageError(ThalwegError):
    """The command was called with something it does not take."""

    exit_code = 2


class SettingsError(ThalwegError):
    """A setting is missing or cannot be used."""

    exit_code = 2


class PipelineError(ThalwegError):
    """A pipeline file is not valid."""

    exit_code = 2


class PipelineNotFound(PipelineError):
    """No pipeline of that name, and no file at that path."""


# Names and coordinates -------------------------------------------------------------------------


class NamingError(ThalwegError):
    """A file's name does not say what the file is."""


class UnmatchedName(NamingError):
    """No pattern of the grammar matches the path."""


class UnknownValue(NamingError):
    """The path holds a value that the dimension does not declare."""


class ConflictingName(NamingError):
    """Folder and file name disagree."""


class MissingCoordinate(NamingError):
    """The path does not give every dimension a value."""


class DuplicateCoordinates(NamingError):
    """Two files claim the same coordinates."""


class UnexpectedCoordinates(NamingError):
    """The file is well named, but the pipeline expects nothing there."""


# Storage ---------------------------------------------------------------------------------------


class StorageError(ThalwegError):
    """A zone could not be read or written."""


class StorageUnavailable(StorageError):
    """A zone did not answer; it may again."""

    transient = True


class ObjectNotFound(StorageError):
    """The zone holds no object of that key."""


class ObjectExists(StorageError):
    """Another object is already published under that key."""


class DiskFull(StorageError):
    """No space is left on the device."""


class EmptySource(StorageError):
    """The source holds no file that the pipeline could read."""


class SourceChanged(StorageError):
    """A source was replaced between planning and reading."""

    transient = True


# Synthetic deliveries --------------------------------------------------------------------------


class UnknownPreset(UsageError):
    """No synthetic delivery is known by that name."""


class WrongTileSize(UsageError):
    """The tile size is not one that can be written."""


class DeliveryExists(StorageError):
    """The folder already holds something else."""


# Rasters ---------------------------------------------------------------------------------------


class RasterError(ThalwegError):
    """A raster file cannot be used."""


class UnreadableRaster(RasterError):
    """The file is not a raster of an allowed format, or is damaged."""


class AbsurdRaster(RasterError):
    """The file declares a size that no honest file of its length has."""


class WrongCrs(RasterError):
    """The file's coordinate reference system is not the declared one."""


class WrongGrid(RasterError):
    """The file's pixel size or origin is not on the declared grid."""


class WrongShape(RasterError):
    """Files that belong together have different widths, heights or band counts."""


class WrongDtype(RasterError):
    """The file's data type is not the declared one."""


class WrongNodata(RasterError):
    """The file's nodata tag is not the declared one."""


class WrongUnit(RasterError):
    """The pixels cannot be in the declared unit."""


class UndeclaredValue(RasterError):
    """The pixels hold a value that the pipeline does not declare."""


class CannotSplice(RasterError):
    """The tiles' blocks cannot be copied as they are into one file."""


class OverlappingTiles(RasterError):
    """Two tiles claim the same pixels."""


class VerificationFailed(RasterError):
    """What was written is not what was planned; it was not published."""


# Hexagons --------------------------------------------------------------------------------------


class HexagonError(ThalwegError):
    """Hexagons could not be made, read or written."""


class OutlinesMissing(HexagonError):
    """The outlines of countries are not here: they are made when Thalweg is built."""


class UnreadableOutlines(HexagonError):
    """The file of outlines cannot be used."""


class MissingColumn(HexagonError):
    """The file holds no column of that name."""


class UnreadableFeatures(HexagonError):
    """The vector file cannot be used."""


class TooManyCategories(HexagonError):
    """The column tells more categories than a table has room for."""


class UnknownPlace(HexagonError):
    """No outline has that code."""


class TooManyCells(HexagonError):
    """The place holds more cells of that resolution than are made at once."""


class NoTables(HexagonError):
    """No hexagon table is there to read."""


class UnreadableTable(HexagonError):
    """The file is not a hexagon table, or is damaged."""


class UnknownLayer(HexagonError):
    """The tables hold no such layer."""


class NothingSelected(HexagonError):
    """No hexagon is in what was asked for."""


class UnknownFormat(UsageError):
    """Files of that kind are not written."""


class PackageMissing(UsageError):
    """What was asked for needs a package that is not installed."""


class PlottingMissing(UsageError):
    """Drawing maps needs matplotlib, which is not installed."""


# Buildings -------------------------------------------------------------------------------------


class BuildingsError(ThalwegError):
    """Buildings could not be read or written."""


class UnreadableBuildings(BuildingsError):
    """The file holds no buildings that can be read, or is damaged."""


class NoBuildings(BuildingsError):
    """Nothing that was read is a building."""


class UnknownThreshold(BuildingsError):
    """No confidence is known for that precision and tile."""


class InvalidCurve(BuildingsError):
    """The file is not a curve of damage by depth."""


class NoExposure(BuildingsError):
    """No exposure of that kind or place was measured."""


class PublisherUnavailable(BuildingsError):
    """The publisher's catalogue or store did not answer; it may again."""

    transient = True


class UnexpectedAnswer(BuildingsError):
    """The publisher's catalogue or store answered something that is not known there."""


# Features --------------------------------------------------------------------------------------


class FeaturesError(ThalwegError):
    """Tables of features could not be read or written."""


class FeatureTableNotFound(FeaturesError):
    """There is no table of features of that name."""


class FeatureTableExists(FeaturesError):
    """A table of features of that name is there already."""


class InvalidFeatureTable(FeaturesError):
    """The file cannot become a table of features."""

    exit_code = 2


class UnreadableFeatureTable(FeaturesError):
    """The file is no table of features, or is damaged."""


class FeatureNotFound(FeaturesError):
    """The table holds no feature of that id."""


class NoSuchTile(FeaturesError):
    """The tile matrix set has no such tile."""


# Databases --------------------------------------------------------------------------------------


class DatabaseError(ThalwegError):
    """The database refused what was asked of it."""


class DatabaseUnavailable(DatabaseError):
    """The database did not answer; it may again."""

    transient = True


class DatabaseOutdated(DatabaseError):
    """The database's tables are not of the version that this Thalweg works with."""


class ClusterError(DatabaseError):
    """The workspace's own PostgreSQL could not be started or stopped."""


class PostgresMissing(ClusterError):
    """PostgreSQL or an extension of it is not installed."""


# The catalogue ---------------------------------------------------------------------------------


class CatalogError(ThalwegError):
    """The catalogue could not be read or written."""


class CatalogBusy(CatalogError):
    """Another process holds the catalogue's lock."""

    transient = True


class CatalogUnreadable(CatalogError):
    """The file is not a catalogue, or is damaged."""


class CatalogTooNew(CatalogError):
    """The catalogue was written by a newer Thalweg."""


class ArtifactConflict(CatalogError):
    """Another artifact is already recorded under that key."""


class ArtifactNotFound(CatalogError):
    """The catalogue holds no artifact of that key."""


class ArtifactSuperseded(CatalogError):
    """A newer artifact has taken the place of this one."""


class CollectionNotFound(CatalogError):
    """The catalogue holds no collection of that id."""


class ItemNotFound(CatalogError):
    """The catalogue holds no item of that id."""


class UnknownCoordinate(CatalogError):
    """No item has such a dimension, or such a value of it."""


class NothingFound(CatalogError):
    """Nothing in the catalogue is what was asked for."""


class AmbiguousScenario(CatalogError):
    """What was asked for is more than one scenario."""


class LayerNotFound(CatalogError):
    """The source catalogue holds no layer of that id."""


class LayerConflict(CatalogError):
    """Another layer has that id already."""


class InvalidLayer(CatalogError):
    """A layer's file is not valid."""

    exit_code = 2


class InvalidItem(CatalogError):
    """An item does not follow the STAC specification."""


class ExportRefused(CatalogError):
    """The folder holds something else than an exported catalogue."""


# Jobs ------------------------------------------------------------------------------------------


class JobError(ThalwegError):
    """A run or task could not go on."""


class WorkspaceMoved(JobError):
    """A run that is unfinished here belongs to another folder."""


class RunNotFound(JobError):
    """No run of that id is recorded."""


class InvalidPlan(JobError):
    """A planner returned something that is no plan: please report it."""


class EngineOpen(JobError):
    """This process has a job engine open already."""


class TaskTimedOut(JobError):
    """A task ran past its time limit and was ended."""


class TaskOutOfMemory(JobError):
    """A task asks for more memory than the workers may use."""


class WorkerCrashed(JobError):
    """The process that ran a task died."""

    transient = True


class ResourceUnavailable(JobError):
    """The system had no memory, file or connection to give; it may again."""

    transient = True


class JobsBusy(JobError):
    """Another process holds the lock of the record of runs."""

    transient = True


# The service -----------------------------------------------------------------------------------


class RequestError(ThalwegError):
    """The request cannot be answered as it stands."""


class InvalidRequest(RequestError):
    """A parameter, header or body of the request is not valid."""


class UnknownParameter(RequestError):
    """The request has a parameter that this path does not take."""


class RequestTooLarge(RequestError):
    """The request is larger than the service takes."""


class InvalidFilter(RequestError):
    """The filter is not CQL2, or uses what is not offered."""


class RangeNotSatisfiable(RequestError):
    """The range begins beyond the end of the file."""


class KeyRequired(RequestError):
    """This takes an API key."""


class KeyRefused(RequestError):
    """The API key does not allow this."""


class TooManyRefusals(RequestError):
    """Too many keys of this client were refused."""


class IdentityUnavailable(RequestError):
    """The identity provider does not answer; it may again."""

    transient = True


class KeyNotFound(UsageError):
    """No API key has that id."""


class ItemExists(RequestError):
    """An item or collection of that id is there already."""


class AnswerTookTooLong(RequestError):
    """The answer took longer than the service gives to one request."""


class OutsideData(RequestError):
    """The place that was asked for is outside the data."""


class NoRaster(RequestError):
    """The item or search has no raster that can be read."""


class AssetUnavailable(RequestError):
    """The item's file cannot be read now; it may be again."""

    transient = True
