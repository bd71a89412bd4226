"""Parts of an upload, pure."""

from __future__ import annotations

import pytest

from coordinator.model.sessions import LeftoverUpload
from coordinator.pipeline.cleanup import leftover_keys
from coordinator.policy.source_uploads import parts_of
from coordinator.store.signatures import check_key

SHA256 = bytes(range(32))


@pytest.mark.parametrize(
    ("size_bytes", "part_bytes", "sizes"),
    [
        (10, 0, []),  # never in parts
        (10, 10, []),  # one PUT is enough
        (11, 10, [10, 1]),
        (30, 10, [10, 10, 10]),
        (31, 10, [10, 10, 10, 1]),
    ],
)
def test_parts_are_the_file(size_bytes: int, part_bytes: int, sizes: list[int]):
    parts = parts_of("sources/a.mp4", size_bytes=size_bytes, part_bytes=part_bytes, sha256=SHA256)

    assert [part.size_bytes for part in parts] == sizes
    assert [part.offset for part in parts] == [sum(sizes[:number]) for number in range(len(sizes))]
    assert all(check_key(part.key) for part in parts)


def test_parts_of_two_files_have_no_key_in_common():
    one, other = (
        {part.key for part in parts_of("a", size_bytes=9, part_bytes=2, sha256=sha256)}
        for sha256 in (SHA256, bytes(32))
    )

    assert not one & other


@pytest.mark.parametrize(
    ("is_object_kept", "size_bytes", "expected"),
    [
        (False, None, ["a"]),  # nothing was offered: one PUT may have come
        (True, None, []),
        (True, 4, ["a.0001020304050607.part-0000", "a.0001020304050607.part-0001"]),
        (False, 4, ["a", "a.0001020304050607.part-0000", "a.0001020304050607.part-0001"]),
    ],
)
def test_what_is_left_over_is_parts_and_unless_it_is_kept_the_object(
    is_object_kept: bool, size_bytes: int | None, expected: list[str]
):
    upload = LeftoverUpload(
        request_id="r1",
        object_key="a",
        size_bytes=size_bytes,
        sha256=None if size_bytes is None else SHA256,
        part_bytes=None if size_bytes is None else 2,
        is_object_kept=is_object_kept,
    )

    assert leftover_keys(upload) == expected
