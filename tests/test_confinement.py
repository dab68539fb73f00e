"""Names and paths from outside stay within their folders; nothing that is loaded can run code."""

from __future__ import annotations

import ast
from datetime import date
from pathlib import Path

import keras
import numpy as np
import pytest

from manifests import read_manifest
from network.saved_network import save_network
from roi_forecast.config import parse_run_config
from roi_forecast.errors import ConfigError, PreflightError, RegistryError, SourceDataError
from roi_forecast.files.artifacts import confined, write_file
from roi_forecast.market.sources.registry import open_source
from roi_forecast.network.predictor import load_predictor
from roi_forecast.registry.training_inputs import candidate_path
from roi_forecast.registry.versions import ModelVersion
from roi_forecast.settings import Settings
from roi_forecast.universe import load_universe
from roi_local.environment import REPOSITORY

OUTSIDE = ["../other", "a/../../other", "/etc/passwd", "..", ".", "", "a/../.."]


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_path_that_leads_out_is_refused_with_what_was_received(name: str, tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="expected a path within") as refusal:
        confined(tmp_path / "models", name, RegistryError)
    assert repr(name) in str(refusal.value)


def test_a_link_that_leads_out_is_refused(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "link").symlink_to(tmp_path)
    with pytest.raises(RegistryError):
        confined(tmp_path / "models", "link/secret", RegistryError)


def test_a_path_within_stays_as_it_is(tmp_path: Path) -> None:
    assert confined(tmp_path, "a/b.csv", RegistryError) == tmp_path / "a" / "b.csv"
    assert confined(tmp_path, tmp_path / "a", RegistryError) == tmp_path / "a"


@pytest.mark.parametrize("path", ["../../etc", "/etc", "reference/../.."])
def test_a_version_whose_stored_path_leads_out_of_the_registry_is_refused(
    path: str, tmp_path: Path
) -> None:
    day = date(2024, 1, 2)
    version = ModelVersion(
        *("v", "reference", "champion", "run", "dataset", "yahoo", ("A",), day, day, {}, {}),
        path=path,
        checksum="",
    )
    with pytest.raises(RegistryError, match="expected a path within"):
        version.directory(tmp_path / "models")


def test_a_manifest_that_names_a_file_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (tmp_path / "version").mkdir()
    content = b'{"files": {"../secret": "2d711642b726b04401627ca9fbac32f5"}}'
    write_file(tmp_path / "version" / "manifest.json", content)
    with pytest.raises(RegistryError, match="expected a path within"):
        read_manifest(tmp_path / "version", RegistryError)


@pytest.mark.parametrize("run_id", ["..", ".", "../../x", ".hidden", "manual__2026:01+00"])
def test_the_folder_of_a_candidate_lies_among_the_candidates_whatever_its_run_is_called(
    run_id: str,
) -> None:
    path = candidate_path("reference", run_id)
    assert path.parent == Path("reference", "candidates")
    assert not path.name.startswith(".")


@pytest.mark.parametrize("name", ["../up", "a/b", "..", "/abs", ".hidden", "a\n", ""])
def test_a_model_name_is_no_path(name: str) -> None:
    with pytest.raises(ConfigError, match="model_name"):
        parse_run_config({"model_name": name})


@pytest.mark.parametrize("path", ["../prices.csv", "/etc/passwd", "sub/../../x"])
def test_a_csv_path_out_of_the_folder_for_files_is_refused_before_anything_is_read(
    path: str, tmp_path: Path
) -> None:
    settings = Settings("", tmp_path / "data", csv_directory=tmp_path / "csv")
    config = parse_run_config({"source": "csv", "csv_path": path})
    with pytest.raises(ConfigError, match=r"csv_path: received '.*within .*csv"):
        open_source(config, settings)


def test_a_csv_path_begins_at_the_folder_for_files(tmp_path: Path) -> None:
    (tmp_path / "csv").mkdir()
    (tmp_path / "csv" / "p.csv").write_text("symbol,date,open,high,low,close,adj_close,volume\n")
    settings = Settings("", tmp_path / "data", csv_directory=tmp_path / "csv")
    source = open_source(parse_run_config({"source": "csv", "csv_path": "p.csv"}), settings)
    with pytest.raises(Exception, match="a header but no rows"):
        source.fetch(load_universe().asset("TCS.NS"), date(2024, 1, 1), date(2024, 12, 31))


def test_a_csv_folder_gives_no_file_from_outside_and_none_beyond_the_size_allowed(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "csv" / "prices"
    folder.mkdir(parents=True)
    (tmp_path / "secret").write_text("hunter2\n")
    (folder / "AAA.csv").symlink_to(tmp_path / "secret")
    (folder / "BBB.csv").symlink_to("/proc/self/environ")
    (folder / "CCC.csv").write_text("date,open,high,low,close,adj_close,volume\n" + "\n" * 2**20)
    settings = Settings("", tmp_path, csv_directory=tmp_path / "csv", csv_file_mib=1)
    source = open_source(parse_run_config({"source": "csv", "csv_path": "prices"}), settings)
    for symbol, message in (
        ("AAA", "leads out of"),
        ("BBB", "leads out of"),
        ("CCC", "limit of 1 MiB"),
    ):
        with pytest.raises(SourceDataError, match=message) as refusal:
            source.fetch(load_universe().asset(symbol), date(2024, 1, 1), date(2024, 12, 31))
        assert "hunter2" not in str(refusal.value)


def test_a_link_within_the_folder_for_files_is_followed_out_of_the_runs_own(tmp_path: Path) -> None:
    (tmp_path / "csv" / "prices").mkdir(parents=True)
    (tmp_path / "csv" / "AAA.csv").write_text(
        "date,open,high,low,close,adj_close,volume\n2024-01-02,1,1,1,1,1,1\n"
    )
    (tmp_path / "csv" / "prices" / "AAA.csv").symlink_to("../AAA.csv")
    config = parse_run_config({"source": "csv", "csv_path": "prices"})
    source = open_source(config, Settings("", tmp_path, csv_directory=tmp_path / "csv"))
    asset = load_universe().asset("AAA")
    assert len(source.fetch(asset, date(2024, 1, 1), date(2024, 12, 31)).bars) == 1


@pytest.mark.parametrize("value", ["0", "-1", "2.5", "many", "1\n", "9" * 5000])
def test_a_size_that_is_none_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROI_DATABASE_URL", "postgresql+psycopg://")
    monkeypatch.setenv("ROI_DATA_DIRECTORY", "/nowhere")
    monkeypatch.setenv("ROI_CSV_FILE_MIB", value)
    with pytest.raises(PreflightError, match=r"ROI_CSV_FILE_MIB is .*positive number"):
        Settings.from_environment()
    monkeypatch.setenv("ROI_CSV_FILE_MIB", "5000")
    assert Settings.from_environment().csv_file_mib == 5000


class Planted:
    """Touches a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_a_network_that_carries_code_is_refused_and_the_code_does_not_run(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    np.savez(tmp_path / "network.npz", seq_len=np.array([Planted(mark)], object))
    with pytest.raises(RegistryError, match="not a network of this project"):
        load_predictor(tmp_path)
    assert not mark.exists()
    # The file does run code where pickles are allowed.
    np.load(tmp_path / "network.npz", allow_pickle=True)["seq_len"]
    assert mark.exists()


def test_a_keras_model_that_carries_code_is_never_opened(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    inputs = keras.Input((3, 2))
    name = str(mark)
    layer = keras.layers.Lambda(lambda x: (Path(name).touch(), x)[1])
    outputs = layer(inputs)
    mark.unlink()
    keras.Model(inputs, outputs).save(tmp_path / "model.keras")
    save_network(tmp_path)
    load_predictor(tmp_path)
    assert not mark.exists()


def test_no_module_reads_what_could_run_code() -> None:
    forbidden = {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal", "cloudpickle"}
    for path in [*(REPOSITORY / "include").rglob("*.py"), *(REPOSITORY / "plugins").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                assert not forbidden & {alias.name.split(".")[0] for alias in node.names}, path
            if isinstance(node, ast.ImportFrom):
                assert str(node.module).split(".")[0] not in forbidden, path
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                arguments = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                assert called not in {"eval", "exec", "yaml.load"}, path
                if called in {"np.load", "np.save"}:
                    assert arguments.get("allow_pickle") == "False", path
                if called.endswith("load_model"):
                    assert arguments.get("safe_mode") == "True", path
