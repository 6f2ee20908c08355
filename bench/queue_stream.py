"""Seconds for each message of 64 bytes through a Queue from one process to another."""
import multiprocessing
import time

COUNT = 100_000


def produce(queue):
    message = b"x" * 64
    for _ in range(COUNT):
        queue.put(message)


if __name__ == "__main__":
    queue = multiprocessing.Queue()
    producer = multiprocessing.Process(target=produce, args=(queue,))
    producer.start()
    queue.get()
    begin = time.perf_counter()
    for _ in range(COUNT - 1):
        queue.get()
    print((time.perf_counter() - begin) / (COUNT - 1))
    producer.join()
