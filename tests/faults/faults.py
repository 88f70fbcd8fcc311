# SPDX-License-Identifier: LGPL-2.1-or-later
"""Power losses for tests: runs a program under unsynced.c, ends it before a given step, and puts back what of its
folder would be on the disk. Three kinds of disk, all of which are allowed to be:

  none    nothing that was not synced is there
  all     everything is there (the program alone was killed)
  some    of each file that was not synced, some blocks of 512 bytes are there and some are not; of the folder, the
          names as they were synced or as they are
"""
import os
import shutil
import signal
import subprocess

LIBRARY = os.environ.get("SPYHOP_UNSYNCED", "build/tests/faults/libunsynced.so")
BLOCK = 512


def content(path):
    with open(path, "rb") as file:
        return file.read()


class PowerLoss:
    """folder: what the program writes to. state: an empty folder elsewhere."""

    def __init__(self, folder, state):
        self.folder = os.path.realpath(folder)
        self.state = os.path.realpath(state)

    def names(self):
        """Durable names: {name: inode}."""
        path = os.path.join(self.state, "names")
        if not os.path.exists(path):
            return {}
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return {name: int(inode) for inode, name in (line.rstrip("\n").split(" ", 1) for line in file)}

    def now(self):
        return {e.name: e.inode() for e in os.scandir(self.folder) if e.is_file(follow_symlinks=False)}

    def settle(self):
        """All that is in the folder is durable: how a test begins."""
        shutil.rmtree(self.state, ignore_errors=True)
        os.makedirs(self.state)
        names = self.now()
        for name, inode in names.items():
            shutil.copyfile(os.path.join(self.folder, name), os.path.join(self.state, str(inode)))
        with open(os.path.join(self.state, "names"), "w", encoding="utf-8", errors="surrogateescape") as file:
            file.writelines(f"{inode} {name}\n" for name, inode in names.items())

    def run(self, command, after=0, **options):
        """Runs the command; returns (how it ended, steps), steps None where it was killed."""
        count = os.path.join(self.state, "count")
        # the library is loaded in front of a sanitizer's, which it calls as it would the C library
        sanitizer = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        environment = dict(os.environ, ASAN_OPTIONS=sanitizer, LD_PRELOAD=os.path.abspath(LIBRARY),
                           SPYHOP_FAULT_FOLDER=self.folder, SPYHOP_FAULT_STATE=self.state,
                           SPYHOP_FAULT_AFTER=str(after), SPYHOP_FAULT_COUNT=count)
        done = subprocess.run(command, env=environment, capture_output=True, start_new_session=True, check=False,
                              **options)
        killed = done.returncode == -signal.SIGKILL
        return done, None if killed else int(content(count))

    def lose(self, kind, random):
        """Puts the folder into the state after the loss, and makes that the durable one."""
        now = {inode: content(os.path.join(self.folder, name)) for name, inode in self.now().items()}
        names = self.now() if kind == "all" or (kind == "some" and random.random() < 0.5) else self.names()
        after = {}
        for name, inode in names.items():
            path = os.path.join(self.state, str(inode))
            synced = content(path) if os.path.exists(path) else b""
            after[name] = {"none": synced, "all": now.get(inode, synced)}.get(kind)
            if after[name] is None:
                after[name] = self.mixed(synced, now.get(inode, synced), random)
        for name in self.now():
            os.unlink(os.path.join(self.folder, name))
        for name, data in after.items():
            with open(os.path.join(self.folder, name), "wb") as file:
                file.write(data)
        self.settle()

    @staticmethod
    def mixed(synced, now, random):
        size = random.choice([len(synced), len(now)])
        mixed = bytearray(size)
        for at in range(0, size, BLOCK):
            data = random.choice([synced, now])[at:min(at + BLOCK, size)]
            mixed[at:at + len(data)] = data
        return bytes(mixed)
