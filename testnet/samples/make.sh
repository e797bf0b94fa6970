#!/bin/sh
# Makes every sample in this folder anew from two PyPI packages; `git diff` afterwards shows that nothing changed.
set -eu
cd "$(dirname "$0")"
venv=$(mktemp -d)
trap 'rm -rf "$venv"' EXIT
python3 -m venv "$venv"
"$venv/bin/pip" -q install carebundle==0.5.0 heartpy==1.2.7 numpy==2.4.6 scipy==1.17.1

generate() { "$venv/bin/carebundle" generate --out fhir "$@"; }
generate --profile type2_diabetes --seed 6 --sex F --age-range 45-65
generate --profile hypertension --seed 7 --sex M --age-range 60-80
generate --profile ckd_stage3 --seed 3 --sex F --age-range 70-89
generate --profile anaemia --seed 2 --sex F --age-range 20-40 --panels cbc

"$venv/bin/python" pulse_per_minute.py vitals
python3 live_vitals.py vitals
