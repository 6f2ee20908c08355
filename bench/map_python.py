"""Seconds for each item of Pool(2).map over trivial items: chunk size of Python's choice, and 1."""
import multiprocessing
import time


def check(item):
    return item < 0


def measure(pool, count, chunk):
    begin = time.perf_counter()
    pool.map(check, range(count), chunk)
    return (time.perf_counter() - begin) / count


if __name__ == "__main__":
    with multiprocessing.Pool(2) as pool:
        measure(pool, 1000, None)
        print(measure(pool, 1_000_000, None), measure(pool, 50_000, 1))
