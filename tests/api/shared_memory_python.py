"""Exchanges shared memory between Python and C, both ways.

    shared_memory_python.py PROGRAM     PROGRAM is that of shared_memory_test.c
"""
import os
import subprocess
import sys
import unittest
from multiprocessing import resource_tracker, shared_memory

SIZE = 5000
ENOENT = 17  # -MPROC_ENOENT
PORTABLE = "MPROC_TEST_PORTABLE" in os.environ
program = sys.argv.pop()


def run(role, *arguments):
    return subprocess.run([program, "--role", role, *arguments], timeout=60).returncode


def attach(name):
    """Python's tracker removes at its end whatever it has heard of, used or not."""
    if sys.version_info >= (3, 13):
        return shared_memory.SharedMemory(name, track=False)
    memory = shared_memory.SharedMemory(name)
    resource_tracker.unregister("/" + name, "shared_memory")
    return memory


def text_at(memory, offset):
    return bytes(memory.buf[offset:offset + 64]).split(b"\0")[0]


def files(name):
    """What is there of that segment: itself and its marker."""
    marker = 0xcbf29ce484222325
    for byte in name.encode():
        marker = (marker ^ byte) * 0x100000001b3 % 2**64
    return [file for file in (name, "mproc-%016x" % marker) if os.path.exists("/dev/shm/" + file)]


class Offer:
    """A C program that has made a segment, and unlinks it when it is told to."""

    def __init__(self, name, text):
        self.process = subprocess.Popen([program, "--role", "offer", name, text], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.name = self.process.stdout.readline().strip()

    def end(self):
        self.process.communicate("go on\n", timeout=60)
        return self.process.returncode

    def kill(self):
        if self.process.returncode is not None:
            return
        self.process.kill()
        self.process.communicate(timeout=60)


class Exchange(unittest.TestCase):
    def setUp(self):
        self.name = "test_mproc_py_%d_%s" % (os.getpid(), self.id().split(".")[-1])

    def tearDown(self):
        self.assertEqual(files(self.name), [])

    def offer(self, name, text):
        offer = Offer(name, text)
        self.addCleanup(offer.kill)
        return offer

    def test_c_uses_what_python_made(self):
        memory = shared_memory.SharedMemory(self.name, create=True, size=SIZE)
        memory.buf[:9] = b"question\0"
        self.assertEqual(run("answer", self.name, "question", "reply"), 0)
        self.assertEqual(run("answer", "/" + self.name, "question", "another reply"), 0)
        self.assertEqual(text_at(memory, SIZE // 2), b"another reply")
        memory.close()
        memory.unlink()
        self.assertEqual(run("look", self.name), ENOENT)

    def test_python_uses_what_c_made(self):
        offer = self.offer(self.name, "question")
        self.assertEqual(offer.name, self.name)
        memory = attach(self.name)
        self.assertEqual(memory.size, SIZE)
        self.assertEqual(text_at(memory, 0), b"question")
        self.assertEqual(bytes(memory.buf[9:]), bytes(SIZE - 9))
        memory.buf[0] = 42
        memory.close()
        self.assertEqual(offer.end(), 42)
        self.assertRaises(FileNotFoundError, attach, self.name)

    def test_c_has_a_marker_beside_it(self):
        offer = self.offer(self.name, "text")
        self.assertEqual(len(files(self.name)), 2)
        offer.end()

    def test_names_made_at_random_look_alike(self):
        memory = shared_memory.SharedMemory(create=True, size=1)
        memory.close()
        memory.unlink()
        self.assertRegex(memory.name, "^psm_[0-9a-f]{8}$")

    def test_long_names_are_told_to_python(self):
        offer = self.offer(self.name + "x" * 400, "text")
        self.assertRegex(offer.name, "^mproc_[0-9a-f]{24}$")
        memory = attach(offer.name)
        self.assertEqual(text_at(memory, 0), b"text")
        memory.close()
        self.assertEqual(offer.end(), ord("t"))

    def test_python_refuses_the_name_that_c_uses(self):
        offer = self.offer(self.name, "text")
        with self.assertRaises(FileExistsError):
            shared_memory.SharedMemory(self.name, create=True, size=1)
        self.assertEqual(offer.end(), ord("t"))

    def test_python_unlinks_what_c_made(self):
        offer = self.offer(self.name, "text")
        memory = shared_memory.SharedMemory(self.name)
        memory.unlink()
        other = shared_memory.SharedMemory(self.name, create=True, size=1)
        other.buf[0] = 9
        # The name is another's by now: for C it was unlinked, and C does not take it away.
        self.assertEqual(offer.end(), 100 + ord("t"))
        self.assertEqual(text_at(memory, 0), b"text")
        memory.close()
        self.assertEqual(run("look", self.name), 0)
        other.close()
        other.unlink()

    def test_what_python_made_is_never_swept(self):
        memory = shared_memory.SharedMemory(self.name, create=True, size=SIZE)
        memory.close()
        for _ in range(2):
            self.assertEqual(run("look", self.name), 0)
            self.assertEqual(run("keep", self.name), 52)
        memory.unlink()

    def test_an_end_of_python_leaves_to_c_what_it_uses(self):
        offer = self.offer(self.name, "text")
        code = "import runpy, sys; sys.argv = ['', %r]; " % program
        code += "attach = runpy.run_path(%r)['attach']; " % __file__
        code += "memory = attach(%r); memory.buf[0] = 65" % self.name
        subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
        self.assertEqual(run("look", self.name), 0)
        self.assertEqual(offer.end(), 65)

    @unittest.skipIf(PORTABLE, "only Linux tells of users without a lock")
    def test_python_keeps_what_a_killed_program_made(self):
        offer = self.offer(self.name, "text")
        memory = attach(self.name)
        offer.kill()
        for _ in range(2):
            self.assertEqual(run("look", self.name), 0)
            self.assertEqual(run("keep", self.name), 52)
        self.assertEqual(text_at(memory, 0), b"text")
        memory.close()
        self.assertEqual(run("look", self.name), ENOENT)

    def test_without_a_user_it_goes_with_its_maker(self):
        offer = self.offer(self.name, "text")
        attach(self.name).close()
        offer.kill()
        self.assertEqual(run("look", self.name), ENOENT)


if __name__ == "__main__":
    unittest.main(verbosity=2)
