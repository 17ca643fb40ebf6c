"""Cuts clips out of the speech of three Debian packages, for tests that judge speech.

    clips.py FOLDER

asterisk-core-sounds-en-wav (CC-BY-SA-3.0), codec2-examples (LGPL-2.1), pocketsphinx-testdata (BSD). Clips of telephone band
at 8 kHz go to FOLDER/narrow, clips at 16 kHz and the same at 8 kHz to FOLDER/wide and FOLDER/reference. All are of 16 bits
without a header, eight seconds long, and their speech is at -26 dB of full scale.
"""

import pathlib
import sys
import wave

import numpy

ASTERISK = pathlib.Path("/usr/share/asterisk/sounds/en_US_f_Allison")
CODEC2 = pathlib.Path("/usr/share/codec2")
SPHINX = pathlib.Path("/usr/share/pocketsphinx/test/data/librivox")
SECONDS = 8


def read(path):
    if path.suffix == ".raw":
        return numpy.fromfile(path, "<i2") / 32768, 8000
    with wave.open(str(path)) as file:
        samples = numpy.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768
        return samples[:: file.getnchannels()], file.getframerate()


def band(samples, rate, low, high):
    spectrum = numpy.fft.rfft(samples)
    hertz = numpy.fft.rfftfreq(len(samples), 1 / rate)
    # Edges of a hundred hertz, so that nothing rings.
    keep = numpy.clip((hertz - low) / 100 + 1, 0, 1) * numpy.clip((high - hertz) / 100 + 1, 0, 1)
    return numpy.fft.irfft(spectrum * keep, len(samples))


def halved(samples):
    spectrum = numpy.fft.rfft(samples)[: len(samples) // 4 + 1]
    return numpy.fft.irfft(spectrum, len(samples) // 2) / 2


def levelled(samples, rate):
    frames = samples[: len(samples) // (rate // 50) * (rate // 50)].reshape(-1, rate // 50)
    energy = (frames**2).mean(1)
    active = energy[energy > energy.max() * 1e-3].mean()
    return numpy.clip(samples * 10 ** (-26 / 20) / numpy.sqrt(active), -0.99, 0.99)


def cut(samples, rate, count, start=0):
    length = SECONDS * rate
    for n in range(count):
        part = samples[int(start * rate) + n * length :][:length]
        if len(part) == length:
            yield part


def write(folder, name, samples):
    folder.mkdir(parents=True, exist_ok=True)
    (samples * 32767).round().astype("<i2").tofile(folder / f"{name}.s16")


def main(folder):
    narrow = {
        "instruct": (ASTERISK / "demo-instruct.wav", 3, 0),
        "congrats": (ASTERISK / "demo-congrats.wav", 2, 0),
        "hts": (CODEC2 / "raw/hts.raw", 3, 0),
        "kristoff": (CODEC2 / "raw/kristoff.raw", 1, 0),
        "david": (CODEC2 / "wav/david4.wav", 2, 0),
    }
    for name, (path, count, start) in narrow.items():
        samples, rate = read(path)
        assert rate == 8000, path
        for n, part in enumerate(cut(levelled(band(samples, rate, 200, 3500), rate), rate, count, start)):
            write(folder / "narrow", f"{name}{n}", part)
    read_aloud = numpy.concatenate([read(path)[0] for path in sorted(SPHINX.glob("*.wav"))])
    for name, samples in {"austen": read_aloud, "orig": read(CODEC2 / "raw/speech_orig_16k.wav")[0]}.items():
        for n, part in enumerate(cut(levelled(samples, 16000), 16000, 3)):
            write(folder / "wide", f"{name}{n}", part)
            write(folder / "reference", f"{name}{n}", halved(part))
            write(folder / "narrow", f"{name}{n}", levelled(band(halved(part), 8000, 200, 3500), 8000))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
