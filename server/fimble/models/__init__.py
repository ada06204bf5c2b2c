"""Which models there are, where their files live, how they get here, and how they run best.

`catalogue.py` knows names and digests, `store.py` files, `fetch.py` the way from a source to a
verified file, `profile.py` what the calibration measured, `cli.py` is `fimble models`.
"""
