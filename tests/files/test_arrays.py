from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from roi_forecast.files.arrays import read_archive, read_array, read_arrays


def saved(array: object) -> bytes:
    file = io.BytesIO()
    np.save(file, np.asarray(array), allow_pickle=True)
    return file.getvalue()


@given(
    arrays.arrays(
        st.sampled_from(["f4", "f8", "i8", "?", "M8[D]"]), arrays.array_shapes(min_dims=0)
    )
)
def test_what_numpy_saves_is_read_as_it_was(array: np.ndarray) -> None:
    np.testing.assert_array_equal(read_array(saved(array)), array)
    file = io.BytesIO()
    np.savez(file, a=array, b=array)
    for found in read_arrays(file.getvalue()).values():
        np.testing.assert_array_equal(found, array)


def test_a_shape_that_promises_more_than_the_file_holds_is_refused_before_it_is_allocated() -> None:
    file = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": (10**12, 10**3)}
    np.lib.format.write_array_header_1_0(file, header)
    with pytest.raises(ValueError, match=r"shape \(1000000000000, 1000\) in 800 bytes"):
        read_array(file.getvalue() + bytes(800))


@pytest.mark.parametrize("cut", [-1, 3, 0])
def test_a_file_that_was_cut_short_is_refused(cut: int) -> None:
    with pytest.raises(ValueError):
        read_array(saved(np.zeros(10))[:cut])


def test_python_objects_are_refused() -> None:
    with pytest.raises(ValueError):
        read_array(saved(np.array([{}], dtype=object)))


def zipped(*entries: tuple[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return file.getvalue()


def test_an_archive_that_unpacks_to_far_more_than_its_size_is_refused() -> None:
    content = zipped(("weights", bytes(2**26)))
    assert len(content) < 2**17
    with pytest.raises(ValueError, match=r"unpacks to 67108864; expected at most 2 times its size"):
        read_archive(content)


def test_an_archive_that_lies_about_its_size_gives_no_more_than_it_says() -> None:
    content = zipped(("weights", bytes(2**26)))
    honest, lie = (2**26).to_bytes(4, "little"), (8).to_bytes(4, "little")
    assert content.count(honest) == 2
    with pytest.raises(ValueError, match="damaged zip file"):
        read_archive(content.replace(honest, lie))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_archive_of_many_entries_or_of_one_name_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="65 entries"):
        read_archive(zipped(*((str(number), b"") for number in range(65))))
    with pytest.raises(ValueError, match="2 entries with 1 names"):
        read_archive(zipped(("a", b"1"), ("a", b"2")))


@pytest.mark.parametrize(
    "content",
    [b"", b"PK", bytes(100), zipped(("a", b"1"))[:-5]],
    ids=["empty", "mark alone", "zeros", "cut short"],
)
def test_what_is_no_archive_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="damaged zip file"):
        read_archive(content)
