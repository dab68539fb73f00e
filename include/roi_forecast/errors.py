"""The exceptions a user can meet: each names the thing, what was received and what to do."""

from __future__ import annotations


class RoiForecastError(Exception):
    """Base of every error that is raised on purpose and worded for a person."""


class ConfigError(RoiForecastError):
    """A run parameter is unknown, out of bounds or contradicts another one."""


class UniverseError(ConfigError):
    """A symbol cannot be matched to an exchange, or the universe file is malformed."""


class PreflightError(RoiForecastError):
    """Something the run needs (database, pools, disk, memory, source) is missing."""


class RunConflictError(RoiForecastError):
    """Another run of the same model name is still going."""


class SourceError(RoiForecastError):
    """A price source did not give usable prices for an asset."""


class SourceUnavailableError(SourceError):
    """The source did not answer, or asked to be left alone; trying again later may help."""


class SourceDataError(SourceError):
    """The source answered, but with something that must not be stored; a retry will not help."""


class PriceCheckError(RoiForecastError):
    """The stored prices do not allow a run: quorum missed, or a check that stops the run failed."""


class DatasetError(RoiForecastError):
    """A dataset cannot be built from the stored prices, or its files are not what was written."""


class TrainingError(RoiForecastError):
    """Training could not start or had to stop."""


class EvaluationError(RoiForecastError):
    """A model cannot be scored, for example because no rows are left to score it on."""


class RegistryError(RoiForecastError):
    """A model version is missing, incomplete, damaged or does not load."""


class DamagedVersionError(RegistryError):
    """Files of a published version are missing or are not those that were published."""


class NoChampionError(RegistryError):
    """No version serves under the model name yet."""


class ForecastError(RoiForecastError):
    """The serving model cannot forecast from the stored prices."""


class NothingToForecastError(ForecastError):
    """No version may forecast the as-of date, or its source has no prices: nothing went wrong."""


class ExportError(RoiForecastError):
    """There is nothing of this name to export, or the file cannot be written."""
