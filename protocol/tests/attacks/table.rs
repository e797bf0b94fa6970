//! Keeps `docs/threat-model/groups.md` true: every test that it names exists.
