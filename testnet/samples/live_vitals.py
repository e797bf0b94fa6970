"""Writes vitals/live_gaps_1min.csv: four hours made up from pulse_heartpy_1min.csv, with every kind of gap a monitor leaves."""

import csv
import sys

folder = sys.argv[1]
with open(f"{folder}/pulse_heartpy_1min.csv", newline="") as table:
    pulse = [float(row["pulse_bpm"]) for row in csv.DictReader(table)]

with open(f"{folder}/live_gaps_1min.csv", "w", newline="\n") as table:
    table.write("minute,heart_rate_bpm,pulse_bpm,resp_per_min,spo2_percent,nibp_sys_mmHg,nibp_dia_mmHg,nibp_mean_mmHg\n")
    for minute in range(240):
        # Rows are missing where the monitor was off, cells where a sensor was.
        if 95 <= minute < 123:
            continue
        rate = pulse[minute % len(pulse)] - 20 + (minute % 60) / 10
        heart = "" if minute % 17 == 5 else f"{rate:.1f}"
        beat = "" if minute % 13 == 4 or 150 <= minute < 170 else f"{rate + 0.25:.2f}"
        breath = "" if minute % 29 == 0 else f"{12 + minute % 5}"
        oxygen = "" if minute % 11 == 3 else f"{95 + minute % 4}.0"
        cuff = ["", "", ""] if minute % 15 else [f"{118 + minute % 7}", f"{74 + minute % 5}", f"{89 + minute % 5}"]
        table.write(",".join([str(minute), heart, beat, breath, oxygen, *cuff]) + "\n")
