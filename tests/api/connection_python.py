"""The other side of a connection, as Python has it: sends everything back, the last byte first."""
import sys
from multiprocessing.connection import Connection

there = Connection(int(sys.argv[1]))
count = 0
while True:
    try:
        message = there.recv_bytes()
    except EOFError:
        break
    there.send_bytes(message[::-1])
    count += 1
there.close()
sys.exit(count)
