"""The store gives a value or says that it has none, whatever happened to its files."""

from __future__ import annotations

import errno
import logging
import os
import subprocess
import time
from pathlib import Path
from typing import ClassVar

import fsspec
import numpy as np
import pandas as pd
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import given
from hypothesis import strategies as st

from stratum_dask.errors import StoreError
from stratum_dask.store import Entry, Missing, Store, keys
from stratum_dask.store import store as store_module
from stratum_dask.store.files import LocalFiles, entry_of, open_files
from stratum_dask.store.keys import load_key
from stratum_dask.store.retention import benefit, room_of, to_remove
from tests.forks import CONTEXT
from tests.ops.oracle import assert_same
from tests.store.writers import make_key, token, value, write, write_on

FRAME = pd.DataFrame({"a": [1.5, np.nan], "b": ["x", None]})


@pytest.fixture
def place(tmp_path):
    return str(tmp_path / "store"), 10_000_000, str(tmp_path / "key")


@pytest.fixture
def store(place):
    return Store(*place)


def files_of(place):
    return [p for p in Path(place[0]).rglob("*") if p.is_file()]


def reason(store, number=1):
    with pytest.raises(Missing) as found:
        store.get(token(number))
    return str(found.value)


def test_values_survive_the_process_that_wrote_them(place, store):
    assert store.put(token(1), FRAME, 2.5)
    again = Store(*place)
    found = again.get(token(1))
    assert_same(found.value, FRAME)
    assert found.seconds == 2.5
    assert again.contains([token(1), token(2)])[token(1)].seconds == 2.5
    assert reason(again, 2) == "not there"
    assert again.counts["hit"] == 1


def test_every_reader_gets_a_value_of_its_own(store):
    store.put(token(1), FRAME, 2.5)
    mine = store.get(token(1)).value
    mine.loc[0, "a"] = 99.0
    assert store.get(token(1)).value.loc[0, "a"] == 1.5


# -- who may read and write -----------------------------------------------------------------------


def test_only_the_owner_can_read_it(place, store):
    store.put(token(1), FRAME, 2.5)
    root = Path(place[0])
    assert {oct(p.stat().st_mode & 0o777) for p in (root, *root.iterdir())} == {"0o700"}
    assert {oct(p.stat().st_mode & 0o777) for p in files_of(place)} == {"0o600"}
    assert oct(Path(place[2]).stat().st_mode & 0o777) == "0o600"


@pytest.mark.parametrize("which", [0, 2])
def test_what_others_could_write_is_refused(place, store, which):
    os.chmod(place[which], 0o722 if which == 0 else 0o620)
    with pytest.raises(StoreError, match=r"open to other users .*chmod go="):
        Store(*place)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
@pytest.mark.parametrize("which", [0, 2])
def test_what_belongs_to_others_is_refused(place, store, which):
    os.chown(place[which], 12345, 12345)
    with pytest.raises(StoreError, match="belongs to the user 12345"):
        Store(*place)


def test_a_key_is_read_from_the_file_that_was_looked_at(place, store, tmp_path, monkeypatch):
    """Whoever may write in its folder could put another file there in between."""
    other = tmp_path / "other"
    other.write_text("00" * 32)
    looked = keys.check_owner_only

    def swap(*args):
        looked(*args)
        os.replace(other, place[2])

    monkeypatch.setattr(keys, "check_owner_only", swap)
    assert load_key(place[2]) == store.key


def test_a_key_that_is_none_is_refused(place):
    Path(place[2]).write_text("secret")
    os.chmod(place[2], 0o600)
    with pytest.raises(StoreError, match="key"):
        Store(*place)


def test_keys_made_at_once_are_one_key(tmp_path):
    path, found = tmp_path / "deep" / "key", CONTEXT.Queue()
    makers = [CONTEXT.Process(target=make_key, args=(str(path), found)) for _ in range(4)]
    for one in makers:
        one.start()
    keys = {found.get(timeout=60)[0] for _ in makers}
    for one in makers:
        one.join()
    assert keys == {load_key(path).hex()}
    assert list(path.parent.iterdir()) == [path]


@given(st.text(max_size=60))
def test_only_names_that_we_made_are_entries(name):
    entry = entry_of(name)
    assert entry is None or (entry.size >= 0 and "/" not in entry.name)


def test_paths_follow_from_digits_only():
    with pytest.raises(AttributeError):
        _ = Entry("../../etc/passwd", 1, 1.0).name
    assert entry_of("../../etc/passwd") is None
    entry = Entry(token(1), 640, 1.5)
    assert entry_of(entry.name) == entry


# -- broken entries -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda data: data[:-1], "torn"),
        (lambda data: b"", "torn"),
        (lambda data: data[: len(data) // 2] + bytes(len(data) - len(data) // 2), "altered"),
        (lambda data: data[:100] + bytes([data[100] ^ 1]) + data[101:], "altered"),
        (lambda data: b"x" * len(data), "no entry"),
        (lambda data: data[:8] + b"\x09" + data[9:], "other version"),
        (lambda data: data[:12] + bytes([data[12] ^ 1]) + data[13:], "foreign key"),
    ],
)
def test_broken_entries_are_misses_with_a_reason(place, store, change, why):
    store.put(token(1), FRAME, 2.5)
    (path,) = files_of(place)
    path.write_bytes(change(path.read_bytes()))
    again = Store(*place)
    assert reason(again) == why
    assert again.counts[f"miss: {why}"] == 1
    # What is broken goes; what others wrote is theirs.
    assert path.exists() == (why in ("other version", "foreign key"))
    assert again.contains([token(1)]) == {}
    assert again.put(token(1), FRAME, 2.5)
    assert_same(again.get(token(1)).value, FRAME)


def test_an_entry_under_another_name_is_a_miss(place, store):
    store.put(token(1), FRAME, 2.5)
    store.put(token(2), FRAME, 2.5)
    one, other = sorted(files_of(place))
    other.write_bytes(one.read_bytes())
    again = Store(*place)
    found = [again.counts for number in (1, 2) if not _is_there(again, number)]
    assert len(found) == 1 and again.counts["miss: another value's"] == 1


def _is_there(store, number):
    try:
        assert_same(store.get(token(number)).value, FRAME)
    except Missing:
        return False
    return True


def test_stores_with_other_keys_share_a_directory_and_nothing_else(place, store, tmp_path):
    store.put(token(1), FRAME, 2.5)
    other = Store(place[0], place[1], str(tmp_path / "other"))
    assert reason(other) == "not there"
    assert [found.reason for found in other.verify()] == ["foreign key"]
    assert other.put(token(1), FRAME, 2.5)
    assert_same(other.get(token(1)).value, FRAME)
    assert_same(Store(*place).get(token(1)).value, FRAME)


def test_an_entry_that_goes_away_is_a_miss(place, store):
    store.put(token(1), FRAME, 2.5)
    known = store.contains([token(1)])
    Store(*place).clear()
    with pytest.raises(Missing, match="gone"):
        store.load(known[token(1)])


def test_what_a_dead_writer_left_is_removed_later(place, store):
    store.put(token(1), FRAME, 2.5)
    left = files_of(place)[0].with_name(".0123456789abcdef")
    left.write_bytes(b"half")
    store.prune()
    assert left.exists()  # its writer may be alive
    os.utime(left, (0, 0))
    store.prune()
    assert not left.exists() and len(files_of(place)) == 1


def test_files_that_are_not_ours_are_left_alone(tmp_path):
    place = str(tmp_path / "store"), 10_000_000, str(tmp_path / "key")
    mine = [tmp_path / "store" / name for name in ("ml/.gitignore", "ab/.env", "ab/notes", "db")]
    for path in mine:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_text("mine")
        os.utime(path, (0, 0))
    (tmp_path / "store").chmod(0o700)
    Path(place[2]).write_text("00" * 32)  # names follow from it: none begins with "db"
    Path(place[2]).chmod(0o600)
    store = Store(*place)
    assert store.put(token(1), FRAME, 2.5)
    store.prune()
    assert len(store.clear()) == 1
    assert [path.read_text() for path in mine] == ["mine"] * len(mine)


# -- many writers ---------------------------------------------------------------------------------


def test_eight_writers_of_the_same_values(place):
    ready = CONTEXT.Barrier(8)
    writers = [CONTEXT.Process(target=write, args=(place, 20, ready)) for _ in range(8)]
    for one in writers:
        one.start()
    for one in writers:
        one.join()
    assert [one.exitcode for one in writers] == [0] * 8
    store = Store(*place)
    assert not [found for found in store.verify() if found.reason]
    for number in range(20):
        assert (store.get(token(number)).value == value(number, 20_000)).all()
    store.prune()
    assert len({entry.token for entry in store.entries()}) == len(store.entries()) == 20
    assert not [p for p in files_of(place) if p.name.startswith(".")]


def test_writers_killed_in_the_middle(place):
    place = place[0], 200_000_000, place[2]
    for again in range(8):
        started = CONTEXT.Event()
        process = CONTEXT.Process(target=write_on, args=(place, started))
        process.start()
        assert started.wait(60)
        while len(files_of(place)) <= 2 * again + 1:
            time.sleep(0.001)
        time.sleep(0.002 * again)
        process.kill()
        process.join()
    store = Store(*place)
    found = list(store.verify())
    assert found and not [one for one in found if one.reason]
    numbers = range(len({one.entry.token for one in found}))
    assert len(store.contains(map(token, numbers))) == len(numbers)
    for number in numbers:
        assert (store.get(token(number)).value == value(number, 500_000)).all()


# -- the budget -----------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(1, 60_000), st.floats(0.001, 100.0)), max_size=12))
def test_the_budget_is_never_exceeded(sizes):
    import tempfile

    budget = 100_000
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder + "/store", budget, folder + "/key")
        random = np.random.default_rng(0)
        for number, (size, seconds) in enumerate(sizes):
            before = {entry.token: entry for entry in store.entries()}
            written = store.put(token(number), random.bytes(size), seconds)
            after = {entry.token: entry for entry in store.entries()}
            assert sum(map(room_of, after.values())) <= budget
            assert written == (token(number) in store.contains([token(number)]))
            now = time.time()
            gone = [benefit(before[one], now) for one in before.keys() - after.keys()]
            left = [benefit(after[one], now) for one in after]
            if gone and left:
                assert max(gone) <= min(left) * 1.001


ENTRIES = st.builds(
    Entry,
    st.binary(min_size=16, max_size=16),
    st.integers(1, 10**6),
    st.floats(0.001, 1000.0),
    st.floats(0, 1e6),
)


@given(st.lists(ENTRIES, max_size=20), st.integers(0, 4 * 10**6))
def test_what_saves_least_goes_first(entries, budget):
    now = 1e6
    gone = to_remove(entries, budget, now)
    left = list(entries)
    for one in gone:
        left.remove(one)
    assert sum(map(room_of, left)) <= budget
    if gone:
        assert sum(map(room_of, [*left, gone[-1]])) > budget
        if left:
            assert max(benefit(e, now) for e in gone) <= min(benefit(e, now) for e in left)


def test_what_was_used_stays(place):
    store = Store(place[0], 3 * 4096, place[2])
    for number in range(3):
        store.put(token(number), number, 1.0)
    for path in files_of(place):
        os.utime(path, (0, 0))
    store.get(token(1))
    store.put(token(3), 3, 1.0)
    assert store.contains(map(token, range(4))).keys() >= {token(1), token(3)}
    assert len(store.entries()) < 4


# -- elsewhere, and nowhere -----------------------------------------------------------------------


@pytest.fixture
def memory(tmp_path):
    yield f"memory://{tmp_path.name}", 10_000_000, str(tmp_path / "key")
    fsspec.filesystem("memory").store.clear()


def test_any_file_system_will_do(memory):
    store = Store(*memory)
    assert store.put(token(1), FRAME, 2.5)
    again = Store(*memory)
    assert_same(again.get(token(1)).value, FRAME)
    mine = again.get(token(1)).value
    mine.loc[0, "a"] = 99.0
    assert_same(again.get(token(1)).value, FRAME)
    (entry,) = again.entries()
    assert entry.used > time.time() - 60
    data = MemoryFileSystem.store
    (name,) = [path for path in data if entry.name in path]
    fsspec.filesystem("memory").pipe_file(name, fsspec.filesystem("memory").cat_file(name)[:-1])
    third = Store(*memory)
    assert reason(third) == "torn" and third.entries() == []
    third.put(token(1), FRAME, 2.5)
    assert len(third.clear()) == 1 and third.entries() == []


def test_an_entry_that_memory_cannot_hold_is_not_fetched(memory, monkeypatch):
    """Its name was made by whoever may write there; its seal is looked at when it is here."""
    store = Store(*memory)
    entry = Entry(store._name(token(1)), 10**17, 5.0)
    system = fsspec.filesystem("memory")
    system.pipe_file(f"{store.files._files._path(entry)}", b"x")
    monkeypatch.setattr(MemoryFileSystem, "cat_file", lambda *_, **__: pytest.fail("fetched"))
    assert reason(store) == "larger than half of the memory"
    assert [found.reason for found in store.verify()] == ["larger than half of the memory"]
    assert len(store.entries()) == 1  # others may have more memory


def test_reasons_are_bounded(store):
    for number in range(5_000):
        store.refuse(f"cannot be pickled: no object at 0x{number:x}")
    assert len(store.counts) < 2_000
    assert sum(store.counts.values()) == 5_000


def test_a_file_url_is_a_directory(tmp_path):
    assert isinstance(open_files(f"file://{tmp_path}/store", 20.0), LocalFiles)
    assert (tmp_path / "store").is_dir()


def test_a_url_of_no_library_is_refused(tmp_path):
    with pytest.raises(StoreError, match="nosuch"):
        Store("nosuch://bucket", 1000, str(tmp_path / "key"))


@pytest.fixture(autouse=True)
def _fresh_warnings():
    store_module.say.cache_clear()


@pytest.mark.parametrize(
    "url",
    [
        "s3://me:secret@host/bucket",
        "s3://me:se/cr@secret@host/bucket",
        "simplecache::s3://me:secret@host/bucket",
        "https://host/bucket?signature=secret",
    ],
)
def test_passwords_in_urls_are_not_told(url, caplog, tmp_path):
    store_module.say(url, "read", f"OSError: cannot connect to {url}")
    assert "host/bucket" in caplog.text and "secret" not in caplog.text
    with pytest.raises(StoreError) as found:
        Store(f"nosuch::{url}", 1000, str(tmp_path / "key"))
    assert "host/bucket" in str(found.value) and "secret" not in str(found.value)


def test_a_full_disk_is_said_once_and_left_alone(store, monkeypatch, caplog):
    store.put(token(1), FRAME, 2.5)

    def full(*_):
        calls.append(1)
        raise OSError(errno.ENOSPC, "No space left on device")

    calls: list[int] = []
    monkeypatch.setattr(store.files, "write", full)
    with caplog.at_level(logging.WARNING, "stratum_dask.store"):
        assert [store.put(token(n), FRAME, 2.5) for n in (2, 3, 4)] == [False] * 3
    assert len(calls) == len(caplog.records) == 1
    assert "No space left" in caplog.text and "stratum.store.url" in caplog.text
    store._asleep = 0.0  # a minute later
    assert_same(store.get(token(1)).value, FRAME)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_a_disk_that_is_really_full(tmp_path, caplog):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k,mode=700", "tmpfs", str(disk)],
        capture_output=True,
        check=False,
    ).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        store = Store(str(disk), 10**9, str(tmp_path / "key"))
        random = np.random.default_rng(0)
        big = random.bytes(200_000)
        assert store.put(token(1), big, 2.5)
        assert not store.put(token(2), random.bytes(200_000), 2.5)
        store._asleep = 0.0
        assert store.get(token(1)).value == big
        assert not [found for found in store.verify() if found.reason]
        assert not list(disk.rglob(".*"))
        assert "No space left" in caplog.text
    finally:
        subprocess.run(["umount", str(disk)], check=True)


class Unreachable(MemoryFileSystem):
    """A file system whose network went away."""

    protocol = "unreachable"
    store: ClassVar = {}  # of its own: others empty that of all file systems in memory
    pseudo_dirs: ClassVar = [""]
    away = False
    error: type[Exception] = TimeoutError

    def find(self, *args, **kwargs):
        self.check()
        return super().find(*args, **kwargs)

    def cat_file(self, *args, **kwargs):
        self.check()
        return super().cat_file(*args, **kwargs)

    def pipe_file(self, *args, **kwargs):
        self.check()
        return super().pipe_file(*args, **kwargs)

    def check(self):
        if type(self).away:
            raise self.error("no route to host")


class RequestError(Exception):
    """What libraries of services raise, which is no OSError."""


@pytest.mark.parametrize("error", [TimeoutError, RequestError])
def test_a_url_that_goes_away_is_a_miss(tmp_path, monkeypatch, caplog, error):
    fsspec.register_implementation("unreachable", Unreachable, clobber=True)
    monkeypatch.setattr(Unreachable, "store", {})
    monkeypatch.setattr(Unreachable, "error", error)
    store = Store("unreachable://bucket", 10**6, str(tmp_path / "key"))
    store.put(token(1), FRAME, 2.5)
    monkeypatch.setattr(Unreachable, "away", True)
    assert store.contains([token(1)]) == {}
    assert reason(store) == "no store"
    assert not store.put(token(2), FRAME, 2.5)
    assert len(caplog.records) == 1 and "no route to host" in caplog.text
    monkeypatch.setattr(Unreachable, "away", False)
    store._asleep = 0.0
    assert_same(store.get(token(1)).value, FRAME)
