"""Copies heartpy's 100 Hz pulse wave, and derives a pulse rate per minute from its longer recording."""

import shutil
import sys
from importlib.resources import files

import heartpy

out, data = sys.argv[1], files("heartpy") / "data"
shutil.copyfile(data / "data.csv", f"{out}/ppg_heartpy_100hz.csv")

wave = heartpy.get_data(str(data / "data3.csv"), column_name="hr")
times = heartpy.get_data(str(data / "data3.csv"), column_name="datetime")
rate = heartpy.get_samplerate_datetime(times, timeformat="%Y-%m-%d %H:%M:%S.%f")
minute = int(60 * rate)
with open(f"{out}/pulse_heartpy_1min.csv", "w", newline="\n") as table:
    table.write("minute,pulse_bpm\n")
    for i in range(len(wave) // minute):
        window = wave[i * minute : (i + 1) * minute]
        window = heartpy.filter_signal(window, [0.7, 3.5], rate, 3, "bandpass")
        _, measures = heartpy.process(window, rate)
        table.write(f"{i},{measures['bpm']:.1f}\n")
