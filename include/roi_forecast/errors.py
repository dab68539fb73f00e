"""The exceptions that users see; their messages say what was received and what to do."""

from __future__ import annotations


class RoiForecastError(Exception):
    """Base of every error that is raised on purpose, with a message for people."""


class ConfigError(RoiForecastError):
    """A run parameter is unknown, out of bounds or in conflict with another one."""


class UniverseError(ConfigError):
    """A symbol cannot be matched to an exchange, or the universe file is malformed."""


class PreflightError(RoiForecastError):
    """Something the run needs (database, pools, disk, memory, source) is missing."""


class RunConflictError(RoiForecastError):
    """Another run of the same model name is still active."""


class SourceError(RoiForecastError):
    """A price source gave no usable prices for an asset."""


class SourceUnavailableError(SourceError):
    """The source did not answer or refused the request; a retry may help."""


class SourceDataError(SourceError):
    """The source gave an answer that must not be stored; a retry will not help."""


class PriceCheckError(RoiForecastError):
    """The stored prices do not allow a run: the quorum is missed or a check stops the run."""


class DatasetError(RoiForecastError):
    """A dataset cannot be built from the stored prices, or its files are damaged."""


class TrainingError(RoiForecastError):
    """Training could not start or had to stop."""


class EvaluationError(RoiForecastError):
    """A model cannot be scored, for example because there are no rows."""


class RegistryError(RoiForecastError):
    """A model version is missing, incomplete, damaged or does not load."""


class DamagedVersionError(RegistryError):
    """Files of a published version are missing or have changed."""


class NoChampionError(RegistryError):
    """No version of the model name serves yet."""


class ForecastError(RoiForecastError):
    """The serving model cannot forecast from the stored prices."""


class NothingToForecastError(ForecastError):
    """No version may forecast the as-of date, or its source has no prices; not a failure."""


class ExportError(RoiForecastError):
    """Nothing of this name can be exported, or the file cannot be written."""
