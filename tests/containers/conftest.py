"""The engine with its images, and one installation for all tests of containers.

ROI_CONTAINERS_ROOT names a folder in which images stay from one call to the next; without it they
are made anew and deleted at the end.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from time import monotonic

import pytest

from containers.base_images import base_image_names, provide_base_images
from containers.clones import clone_earlier, clone_present, earlier_revisions
from containers.compose import Compose, provide_compose
from containers.engine import (
    Engine,
    EngineError,
    building_engine,
    isolated_engine,
    missing_for_engine,
)
from containers.installation import Installation
from production.compose_file import read_environment_file
from roi_production.environment_file import write_environment

logger = logging.getLogger(__name__)

ROOT_VARIABLE = "ROI_CONTAINERS_ROOT"
IMAGES = ("roi-forecast-services", "roi-forecast-cpu")
# One service of each image.
BUILT = ("init", "worker-cpu")


@dataclass(frozen=True)
class Prepared:
    """Images and clones, before any container.

    Attributes:
        root: Folder of the engine.
        earlier: The clone of the revision before.
        present: The clone of the working tree.
        earlier_revision: The revision of the first, in its images.
        revision: The revision of the second.
    """

    root: Path
    earlier: Path
    present: Path
    earlier_revision: str
    revision: str


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """Leave these tests to `make test-containers`: they take many minutes and need root."""
    return None if config.option.markexpr == "containers" else True


@pytest.fixture(scope="session")
def prepared() -> Iterator[Prepared]:
    """Build everything that needs packages from outside."""
    # Asked to end, pytest tears down as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if missing := missing_for_engine():
        pytest.skip(missing)
    kept = os.environ.get(ROOT_VARIABLE)
    root = Path(kept).absolute() if kept else Path(mkdtemp(prefix="roi-containers-"))
    try:
        root.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix="roi-clones-") as folder:
            try:
                with building_engine(root) as engine:
                    built = _build(engine, root, Path(folder))
            except EngineError as error:
                pytest.skip(str(error))
            yield built
    finally:
        if not kept:
            shutil.rmtree(root)


@pytest.fixture(scope="session")
def engine(prepared: Prepared) -> Iterator[Engine]:
    """The engine that runs containers, which reach nothing outside."""
    with isolated_engine(prepared.root) as running:
        yield running


@pytest.fixture(scope="session")
def installation(prepared: Prepared, engine: Engine) -> Iterator[Installation]:
    """The revision before, installed; a test upgrades it."""
    use_images(engine, "earlier")
    with engine.inside() as network:
        variables = read_environment_file(prepared.present / ".env")
        installed = Installation(Compose(engine, prepared.earlier), variables, network)
        try:
            installed.compose("up", "--detach")
            installed.wait_until_healthy()
            yield installed
        finally:
            installed.compose.run("down", "--volumes", "--remove-orphans", "--timeout", "5")


def use_images(engine: Engine, kind: str) -> None:
    """Give the names of the compose file to the images of one clone, as a build does."""
    for image in IMAGES:
        engine.docker("tag", f"{kind}/{image}", image)


def _build(engine: Engine, root: Path, folder: Path) -> Prepared:
    started = monotonic()
    has_base = engine.docker("images", "--quiet", base_image_names()["python"])
    if not has_base and shutil.which("mmdebstrap") is None:
        pytest.skip("the program mmdebstrap is missing (Debian's package of that name)")
    provide_base_images(engine)
    provide_compose(engine)
    present, earlier = folder / "present", folder / "earlier"
    revision = clone_present(present)
    write_environment(present / ".env")
    earlier_revision = _clone_earlier(engine, earlier, present / ".env")
    for kind, clone, name in (
        ("earlier", earlier, earlier_revision),
        ("present", present, revision),
    ):
        before = monotonic()
        Compose(engine, clone).build(BUILT, name)
        for image in IMAGES:
            engine.docker("tag", image, f"{kind}/{image}")
        logger.info("built the images of %s in %.0f s", name, monotonic() - before)
    logger.info("images and clones ready after %.0f s", monotonic() - started)
    return Prepared(root, earlier, present, earlier_revision, revision)


def _clone_earlier(engine: Engine, folder: Path, environment: Path) -> str:
    """Clone the newest earlier revision that the present code can be upgraded from."""
    for revision in earlier_revisions():
        clone_earlier(folder, revision)
        shutil.copyfile(environment, folder / ".env")
        if Compose(engine, folder).run("config", "--quiet").returncode == 0:
            return revision[:12]
        shutil.rmtree(folder)
    clone_present(folder)
    shutil.copyfile(environment, folder / ".env")
    logger.warning("no earlier revision has these tables: the upgrade is to another build of this")
    return "same-code"
