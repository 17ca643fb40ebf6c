"""Says how much of some speech is left: PESQ (ITU-T P.862) for each pair of files of 8 kHz, 16 bits, without a header.

    score.py < PAIRS

Each line of PAIRS is a group, the original, and what was heard of it, which may be part of something longer. Printed is a line for each group: its name, how many
pairs were judged, and the median, the least and the greatest score.
"""

import concurrent.futures
import sys

import numpy
import pesq


def cut(original, heard):
    """The part of what was heard that is most like the original."""
    size = 1 << (len(original) + len(heard)).bit_length()
    likeness = numpy.fft.irfft(numpy.fft.rfft(heard, size) * numpy.conj(numpy.fft.rfft(original, size)), size)
    return heard[numpy.argmax(likeness[: len(heard) - len(original) + 1]) :][: len(original)]


def score(line):
    group, *files = line.split()
    original, heard = (numpy.fromfile(file, "<i2") for file in files)
    try:
        if len(heard) > len(original):
            heard = cut(original, heard)
        return group, pesq.pesq(8000, original, heard, "nb")
    except pesq.PesqError:
        # It finds no speech, or no likeness at all.
        return group, 0.0


def main():
    groups = {}
    with concurrent.futures.ProcessPoolExecutor() as pool:
        for group, value in pool.map(score, sys.stdin.read().splitlines(), chunksize=8):
            groups.setdefault(group, []).append(value)
    for group, values in groups.items():
        print(f"{group} {len(values)} {numpy.median(values):.3f} {min(values):.3f} {max(values):.3f}")


if __name__ == "__main__":
    main()
