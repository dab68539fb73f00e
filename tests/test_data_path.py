from __future__ import annotations

from pathlib import Path

import pytest
from upath import UPath

from object_store import ObjectStore
from roi_forecast.data_path import parse_data_path
from roi_forecast.errors import PreflightError
from roi_forecast.planning.preflight import check_data_directory
from roi_forecast.settings import Settings


def test_a_path_is_a_folder_and_a_url_an_object_store(tmp_path: Path) -> None:
    assert parse_data_path(str(tmp_path / "x" / "..")) == tmp_path
    stored = parse_data_path("s3://bucket/some/folder/")
    assert isinstance(stored, UPath)
    assert str(stored / "models") == "s3://bucket/some/folder/models"
    assert str(parse_data_path("s3://bucket")) == "s3://bucket/"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("data", "expected an absolute path, or the URL of an object store"),
        ("s3:/bucket/folder", "expected an absolute path, or the URL of an object store"),
        ("ftp://host/folder", "known are s3, s3a, gs"),
        ("http://host/folder", "known are s3, s3a, gs"),
        ("s3://", "expected s3://, a bucket and mostly a folder"),
        ("s3:///folder", "expected s3://, a bucket and mostly a folder"),
        ("s3://bucket//folder", "expected s3://, a bucket and mostly a folder"),
        ("s3://bucket/../folder", "expected s3://, a bucket and mostly a folder"),
        ("s3://key:hunter2@bucket/folder", "without credentials or options"),
        ("s3://bucket/folder?versionId=1", "without credentials or options"),
        ("oss://bucket/folder", "a package is missing for it: .*ossfs"),
    ],
)
def test_a_wrong_data_directory_is_refused_with_what_is_allowed(
    value: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROI_DATABASE_URL", "postgresql+psycopg://")
    monkeypatch.setenv("ROI_DATA_DIRECTORY", value)
    with pytest.raises(PreflightError, match=message) as refusal:
        Settings.from_environment()
    assert "ROI_DATA_DIRECTORY is " in str(refusal.value)
    assert "hunter2" not in str(refusal.value)


def test_preflight_writes_to_the_object_store_and_leaves_nothing(stored_folder: UPath) -> None:
    assert f"{stored_folder} can be written to" in check_data_directory(stored_folder)
    assert stored_folder.fs.find(stored_folder.path) == []


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("AWS_ACCESS_KEY_ID", "unknown", "InvalidAccessKeyId by the test"),
        ("AWS_ACCESS_KEY_ID", None, "Unable to locate credentials"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9", "Could not connect to the endpoint"),
    ],
)
def test_preflight_says_why_the_object_store_cannot_be_used(
    object_store: ObjectStore,
    stored_folder: UPath,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str | None,
    message: str,
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    if value is None:
        monkeypatch.delenv(variable)
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    else:
        monkeypatch.setenv(variable, value)
    with object_store.other_client(), pytest.raises(PreflightError, match=message) as refusal:
        check_data_directory(parse_data_path(str(stored_folder)))
    assert "check ROI_DATA_DIRECTORY, and the credentials" in str(refusal.value)


def test_preflight_says_that_there_is_no_such_bucket(stored_folder: UPath) -> None:
    with pytest.raises(PreflightError, match="bucket does not exist"):
        check_data_directory(parse_data_path("s3://nowhere/folder"))


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PreflightError, match="nothing can be written to"):
        check_data_directory(tmp_path / "file" / "data")
