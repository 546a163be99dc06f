"""What was written stays, whatever happened to the writer; standard tools read it."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.errors import CorruptStore, InputError, StoreLocked, UsageError
from infrastructure.recording import frame_file
from infrastructure.recording.frame_file import FrameWriter, RecordedFrame, read_frames

FRAMES = [(1_000 + n, json.dumps({"data": [{"n": n, "text": "é" * (n % 7)}]})) for n in range(60)]


def record(path: Path, frames: list[tuple[int, str]], *, append: bool = False) -> None:
    with FrameWriter(path, {"is_simulated": True}, append=append) as writer:
        for received_ns, text in frames:
            writer.write(received_ns, text)


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    record(tmp_path / "f", FRAMES)
    assert list(read_frames(tmp_path / "f")) == [RecordedFrame(*frame) for frame in FRAMES]


def test_gzip_reads_it_line_by_line(tmp_path: Path) -> None:
    record(tmp_path / "f", FRAMES)
    header, *lines = gzip.decompress((tmp_path / "f").read_bytes()).decode().splitlines()
    assert json.loads(header) == {"format": "schwab-frames", "version": 1, "is_simulated": True}
    assert [tuple(json.loads(line)) for line in lines] == FRAMES


def test_long_recordings_have_several_members(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame_file, "_MEMBER_BYTES", 200)
    record(tmp_path / "f", FRAMES)
    assert (tmp_path / "f").read_bytes().count(b"\x1f\x8b\x08") > 5
    assert [frame.text for frame in read_frames(tmp_path / "f")] == [text for _, text in FRAMES]


def test_every_frame_is_in_the_file_when_write_returns(tmp_path: Path) -> None:
    writer = FrameWriter(tmp_path / "f", {})
    for number, frame in enumerate(FRAMES[:9], start=1):
        writer.write(*frame)
        copy = tmp_path / "copy"
        shutil.copyfile(tmp_path / "f", copy)
        assert len(list(read_frames(copy))) == number
    writer.close()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_file_cut_anywhere_keeps_its_whole_frames_and_can_be_added_to(
    data: st.DataObject,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "f"
        writer = FrameWriter(path, {})
        sizes = []
        for frame in FRAMES[:20]:
            writer.write(*frame)
            sizes.append(path.stat().st_size)
        cut = data.draw(st.integers(sizes[0], sizes[-1]))
        killed = Path(folder) / "killed"
        killed.write_bytes(path.read_bytes()[:cut])
        writer.close()
        kept = sum(size <= cut for size in sizes)
        # The frame that was being written may be whole already but for its last bytes.
        assert len(list(read_frames(killed))) in (kept, kept + 1)
        record(killed, FRAMES[20:25], append=True)
        expected = [*FRAMES[:kept], *FRAMES[20:25]]
        assert [(f.received_ns, f.text) for f in read_frames(killed)] == expected
        # And it is a whole gzip file again.
        gzip.decompress(killed.read_bytes())


def test_an_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    record(tmp_path / "f", FRAMES[:1])
    with pytest.raises(UsageError, match="exists"):
        FrameWriter(tmp_path / "f", {})


def test_two_writers_do_not_share_a_file(tmp_path: Path) -> None:
    with FrameWriter(tmp_path / "f", {}), pytest.raises(StoreLocked):
        FrameWriter(tmp_path / "f", {}, append=True)


def test_a_file_of_another_kind_is_named_and_left_alone(tmp_path: Path) -> None:
    for content in (b"hello", gzip.compress(b"{}\n"), gzip.compress(b"[1,2]\n"), b""):
        path = tmp_path / "other"
        path.write_bytes(content)
        with pytest.raises(CorruptStore, match="no recording"):
            list(read_frames(path))
        if content:
            with pytest.raises(CorruptStore):
                FrameWriter(path, {}, append=True)
            assert path.read_bytes() == content


def test_a_newer_file_and_a_missing_one_are_input_errors(tmp_path: Path) -> None:
    path = tmp_path / "newer"
    path.write_bytes(gzip.compress(b'{"format": "schwab-frames", "version": 2}\n'))
    with pytest.raises(InputError, match="version 2"):
        list(read_frames(path))
    with pytest.raises(InputError, match="cannot be read"):
        list(read_frames(tmp_path / "missing"))


def test_its_owner_alone_reads_it(tmp_path: Path) -> None:
    record(tmp_path / "f", [])
    assert os.stat(tmp_path / "f").st_mode & 0o777 == 0o600
