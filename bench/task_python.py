"""Seconds for each task of Pool(2): apply_async with get, imap_unordered, apply."""
import multiprocessing
import time


def nothing():
    pass


def square(number):
    return number * number


def asynchronous(pool, count):
    for result in [pool.apply_async(nothing) for _ in range(count)]:
        result.get()


def unordered(pool, count):
    for _ in pool.imap_unordered(square, range(count)):
        pass


def one_by_one(pool, count):
    for _ in range(count):
        pool.apply(nothing)


def measure(what, pool, count):
    what(pool, 1000)
    begin = time.perf_counter()
    what(pool, count)
    return (time.perf_counter() - begin) / count


if __name__ == "__main__":
    with multiprocessing.Pool(2) as pool:
        print(measure(asynchronous, pool, 50_000), measure(unordered, pool, 50_000),
              measure(one_by_one, pool, 5_000))
